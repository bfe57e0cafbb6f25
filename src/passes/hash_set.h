// A set of 64-bit hashes in one array: where a set of strings or a tree would be most of what a pass allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tamis {

class HashSet {
 public:
  // Room for this many without growing.
  void Reserve(size_t count);
  void Add(uint64_t hash);
  bool Contains(uint64_t hash) const;

 private:
  // Where the hash is, or the empty place where it belongs.
  static size_t PlaceOf(const std::vector<uint64_t>& slots, uint64_t hash);
  void Rehash(size_t slots);

  std::vector<uint64_t> slots_;  // a power of two of them, at most half of them taken; 0 is empty
  size_t taken_ = 0;
};

}  // namespace tamis
