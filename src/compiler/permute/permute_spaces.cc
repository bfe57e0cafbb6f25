#include "src/compiler/permute/permute_spaces.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "src/base/hash.h"
#include "tamis/status.h"

namespace tamis {
namespace {

// What is known of an atom: sums of hashes of its facts, so that their order does not matter.
struct Signature {
  uint64_t low = 0, high = 0;
  void Add(const std::array<int32_t, 5>& fact) {
    low += Hash64(fact.data(), sizeof(fact), 1);
    high += Hash64(fact.data(), sizeof(fact), 2);
  }
  auto operator<=>(const Signature&) const = default;
};
enum Fact : int32_t { kMember, kBin, kRelated };

}  // namespace

SpaceId ChannelSpaces::Add(int64_t size) {
  TAMIS_ASSERT(size > 0 && size < INT32_MAX - total_);
  sizes_.push_back(size);
  begins_.push_back(total_);
  bins_.emplace_back();
  total_ += static_cast<int32_t>(size);
  pins_.resize(static_cast<size_t>(total_), -1);
  return static_cast<SpaceId>(sizes_.size()) - 1;
}

void ChannelSpaces::Relate(SpaceId a, SpaceId b) {
  TAMIS_ASSERT(size(a) == size(b));
  if (a != b) relations_.push_back({a, b, true, {}});
}

void ChannelSpaces::Relate(SpaceId a, SpaceId b, Pairs pairs) {
  relations_.push_back({a, b, false, std::move(pairs)});
}

void ChannelSpaces::Bin(SpaceId space, std::vector<int32_t> bins) {
  TAMIS_ASSERT(static_cast<int64_t>(bins.size()) == size(space));
  bins_[static_cast<size_t>(space)].push_back(std::move(bins));
}

void ChannelSpaces::BinEvenly(SpaceId space, int64_t parts) {
  std::vector<int32_t> bins(static_cast<size_t>(size(space)));
  for (size_t c = 0; c < bins.size(); ++c)
    bins[c] = static_cast<int32_t>(static_cast<int64_t>(c) * parts / size(space));
  Bin(space, std::move(bins));
}

void ChannelSpaces::Pin(SpaceId space, const std::string& reason) {
  std::vector<int32_t> all(static_cast<size_t>(size(space)));
  std::iota(all.begin(), all.end(), 0);
  Pin(space, all, reason);
}

void ChannelSpaces::Pin(SpaceId space, std::span<const int32_t> channels, const std::string& reason) {
  reasons_.push_back(reason);
  for (const int32_t channel : channels) {
    int32_t& pin = pins_[static_cast<size_t>(begin(space) + channel)];
    if (pin < 0) pin = static_cast<int32_t>(reasons_.size()) - 1;
  }
}

int32_t ChannelSpaces::Root(int32_t channel) {
  int32_t root = channel;
  while (parent_[static_cast<size_t>(root)] != root) root = parent_[static_cast<size_t>(root)];
  while (channel != root) channel = std::exchange(parent_[static_cast<size_t>(channel)], root);
  return root;
}

void ChannelSpaces::Join(int32_t a, int32_t b) {
  const int32_t x = Root(a), y = Root(b);
  parent_[static_cast<size_t>(std::max(x, y))] = std::min(x, y);
}

template <class F>
void ChannelSpaces::ForPairs(const Relation& relation, const F& f) const {
  const int32_t a = begin(relation.a), b = begin(relation.b);
  if (relation.straight) {
    for (int32_t i = 0; i < size(relation.a); ++i) f(a + i, b + i);
  } else {
    for (const auto& [i, j] : relation.pairs) f(a + i, b + j);
  }
}

std::vector<ChannelClass> ChannelSpaces::FindClasses() {
  const auto count = static_cast<size_t>(total_);
  parent_.resize(count);
  std::iota(parent_.begin(), parent_.end(), 0);
  for (const Relation& relation : relations_) {
    ForPairs(relation, [&](int32_t a, int32_t b) { Join(a, b); });
  }
  for (int32_t c = 0; c < total_; ++c) parent_[static_cast<size_t>(c)] = Root(c);

  // An atom may have several channels in a space; they are told apart by their order.
  std::vector<int32_t> rank(count), seen(count, 0), last_space(count, kNoSpace);
  std::vector<Signature> signatures(count);
  why_.assign(count, -1);
  for (SpaceId space = 0; space < static_cast<SpaceId>(sizes_.size()); ++space) {
    for (int32_t i = 0; i < size(space); ++i) {
      const auto c = static_cast<size_t>(begin(space) + i), root = static_cast<size_t>(parent_[c]);
      if (last_space[root] != space) seen[root] = 0;
      last_space[root] = space;
      rank[c] = seen[root]++;
      signatures[root].Add({kMember, space, rank[c], 0, 0});
      const auto& bins = bins_[static_cast<size_t>(space)];
      for (size_t k = 0; k < bins.size(); ++k) {
        signatures[root].Add({kBin, space, rank[c], static_cast<int32_t>(k), bins[k][static_cast<size_t>(i)]});
      }
      if (pins_[c] >= 0 && why_[root] < 0) why_[root] = pins_[c];
    }
  }
  for (size_t r = 0; r < relations_.size(); ++r) {
    ForPairs(relations_[r], [&](int32_t a, int32_t b) {
      signatures[static_cast<size_t>(parent_[static_cast<size_t>(a)])].Add(
          {kRelated, static_cast<int32_t>(r), rank[static_cast<size_t>(a)], rank[static_cast<size_t>(b)], 0});
    });
  }

  std::map<Signature, size_t> places;
  std::vector<ChannelClass> classes;
  std::vector<std::pair<size_t, size_t>> home(count);  // of a root: class and atom
  for (size_t c = 0; c < count; ++c) {
    const auto root = static_cast<size_t>(parent_[c]);
    if (why_[root] >= 0) continue;
    if (root == c) {
      const auto [place, fresh] = places.emplace(signatures[root], classes.size());
      if (fresh) classes.emplace_back();
      home[root] = {place->second, classes[place->second].atoms.size()};
      classes[place->second].atoms.emplace_back();
    }
    classes[home[root].first].atoms[home[root].second].push_back(static_cast<int32_t>(c));
  }
  reasons_.emplace_back("no other channel has the same place in the network");
  for (const ChannelClass& alone : classes) {
    if (alone.atoms.size() > 1) continue;
    why_[static_cast<size_t>(parent_[static_cast<size_t>(alone.atoms[0][0])])] =
        static_cast<int32_t>(reasons_.size()) - 1;
  }
  std::erase_if(classes, [](const ChannelClass& found) { return found.atoms.size() < 2; });
  return classes;
}

const std::string& ChannelSpaces::WhyFixed(int32_t channel) const {
  static const std::string none;
  const int32_t why = why_[static_cast<size_t>(parent_[static_cast<size_t>(channel)])];
  return why < 0 ? none : reasons_[static_cast<size_t>(why)];
}

}  // namespace tamis
