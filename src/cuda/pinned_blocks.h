// Memory of the host that GPUs read and write themselves ("pinned"), in blocks that go round, because making one takes
// longer than copying it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace tamis {

// Thread-safe. What arrives in such a block needs no copy into a session's own pinned memory: its bytes go to the GPU
// from where they are.
class PinnedBlocks {
 public:
  static constexpr size_t kLeastBytes = size_t{64} << 10;  // a smaller copy costs less than what spares it
  static constexpr size_t kMostBytes = size_t{512} << 20;  // the system can't move or swap such memory

  // nullptr: there is no memory for it.
  using Allocate = std::function<std::shared_ptr<void>(size_t bytes)>;

  // Of this process: without an Allocate until a GPU is opened.
  static PinnedBlocks& OfProcess();

  explicit PinnedBlocks(size_t most_bytes = kMostBytes) : most_bytes_(most_bytes) {}
  PinnedBlocks(const PinnedBlocks&) = delete;
  PinnedBlocks& operator=(const PinnedBlocks&) = delete;

  // What makes blocks from now on.
  void Use(Allocate allocate);
  // At least so many bytes, on a multiple of 256. nullptr if there are none to be had, or they are fewer than
  // kLeastBytes: other memory does too. The block goes back when its last handle is gone; the object must outlive it.
  std::shared_ptr<char> Take(size_t bytes);
  // Whether all of these bytes lie in a block that somebody has taken.
  bool Holds(const void* data, size_t bytes) const;
  size_t IdleBytes() const;

 private:
  struct Block {
    std::shared_ptr<void> memory;
    size_t bytes = 0;
  };
  void GiveBack(const char* begin);

  const size_t most_bytes_;
  mutable std::mutex mutex_;  // guards what follows
  Allocate allocate_;
  std::map<const char*, Block> taken_;  // by where they begin
  std::multimap<size_t, Block> idle_;   // by size
  size_t idle_bytes_ = 0, all_bytes_ = 0;
};

}  // namespace tamis
