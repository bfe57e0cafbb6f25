// Which channels of a network may change places with one another.
//
// A space is the list of channels that some axis of a tensor (or several axes taken together) holds. What operators do
// is written down as facts about spaces: a relation says which channel of one space moves with which of another, bins
// say which channels of a space can tell one another apart, pins say which must stay. Channels of all spaces that move
// together are one atom. Two atoms may be exchanged if every fact that holds for one holds for the other in the same
// places: then the exchange maps the set of facts onto itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tamis {

using SpaceId = int32_t;
inline constexpr SpaceId kNoSpace = -1;

// Atoms that may be put in any order among themselves.
struct ChannelClass {
  // By atom, its channels in ascending order, as places in the list of the channels of all spaces. Equally many for
  // all atoms, and the i-th of each lie in the same space.
  std::vector<std::vector<int32_t>> atoms;
};

class ChannelSpaces {
 public:
  SpaceId Add(int64_t size);
  int64_t size(SpaceId space) const { return sizes_[static_cast<size_t>(space)]; }
  // Where the space begins in the list of all channels, and how long that list is.
  int32_t begin(SpaceId space) const { return begins_[static_cast<size_t>(space)]; }
  int32_t total() const { return total_; }

  // Channels of `a` and `b`, by pairs: they move together. Without pairs: each with the one at its own place.
  using Pairs = std::vector<std::pair<int32_t, int32_t>>;
  void Relate(SpaceId a, SpaceId b);
  void Relate(SpaceId a, SpaceId b, Pairs pairs);
  // Channels with different numbers can be told apart.
  void Bin(SpaceId space, std::vector<int32_t> bins);
  // So many parts of equal size.
  void BinEvenly(SpaceId space, int64_t parts);
  // Why channels stay where they are. The first reason is the one that is told.
  void Pin(SpaceId space, const std::string& reason);
  void Pin(SpaceId space, std::span<const int32_t> channels, const std::string& reason);

  // Every class of two atoms or more, in the order of their first channels. Afterwards WhyFixed answers.
  std::vector<ChannelClass> FindClasses();
  // Why a channel is in no class; empty if it is in one.
  const std::string& WhyFixed(int32_t channel) const;

 private:
  struct Relation {
    SpaceId a, b;
    bool straight;
    Pairs pairs;
  };
  int32_t Root(int32_t channel);
  void Join(int32_t a, int32_t b);
  // f(channel of a, channel of b) for every pair of the relation, as places in the list of all channels.
  template <class F>
  void ForPairs(const Relation& relation, const F& f) const;

  int32_t total_ = 0;
  std::vector<int64_t> sizes_;
  std::vector<int32_t> begins_;
  std::vector<Relation> relations_;
  std::vector<std::vector<std::vector<int32_t>>> bins_;  // by space
  std::vector<std::string> reasons_;
  std::vector<int32_t> pins_;    // by channel: a place in reasons_, -1 if free
  std::vector<int32_t> parent_;  // of the union-find; after FindClasses every channel's root
  std::vector<int32_t> why_;     // by root: a place in reasons_, -1 if in a class
};

}  // namespace tamis
