#include "src/cuda/pinned_blocks.h"

#include <iterator>
#include <utility>
#include <vector>

namespace tamis {

PinnedBlocks& PinnedBlocks::OfProcess() {
  static auto* const kBlocks = new PinnedBlocks();  // never destroyed: the driver may be gone before
  return *kBlocks;
}

void PinnedBlocks::Use(Allocate allocate) {
  const std::lock_guard lock(mutex_);
  allocate_ = std::move(allocate);
}

std::shared_ptr<char> PinnedBlocks::Take(size_t bytes) {
  if (bytes < kLeastBytes) return nullptr;
  const size_t size = (bytes + kLeastBytes - 1) / kLeastBytes * kLeastBytes;
  Block block;
  Allocate allocate;
  std::vector<Block> given_up;  // released without the lock, which waits for the GPU
  {
    const std::lock_guard lock(mutex_);
    // One of twice the size would keep the large ones from those that need them.
    const auto found = idle_.lower_bound(size);
    if (found != idle_.end() && found->first < 2 * size) {
      block = std::move(found->second);
      idle_bytes_ -= block.bytes;
      idle_.erase(found);
    } else {
      if (allocate_ == nullptr || size > most_bytes_) return nullptr;
      while (all_bytes_ + size > most_bytes_ && !idle_.empty()) {
        const auto largest = std::prev(idle_.end());
        idle_bytes_ -= largest->first;
        all_bytes_ -= largest->first;
        given_up.push_back(std::move(largest->second));
        idle_.erase(largest);
      }
      if (all_bytes_ + size > most_bytes_) return nullptr;
      all_bytes_ += size;
      allocate = allocate_;
    }
  }
  given_up.clear();
  if (block.memory == nullptr) {
    block = {allocate(size), size};
    if (block.memory == nullptr) {
      const std::lock_guard lock(mutex_);
      all_bytes_ -= size;
      return nullptr;
    }
  }
  char* const begin = static_cast<char*>(block.memory.get());
  {
    const std::lock_guard lock(mutex_);
    taken_.emplace(begin, std::move(block));
  }
  return {begin, [this](const char* done) { GiveBack(done); }};
}

void PinnedBlocks::GiveBack(const char* begin) {
  const std::lock_guard lock(mutex_);
  auto block = taken_.extract(begin);
  idle_bytes_ += block.mapped().bytes;
  idle_.emplace(block.mapped().bytes, std::move(block.mapped()));
}

bool PinnedBlocks::Holds(const void* data, size_t bytes) const {
  const char* const begin = static_cast<const char*>(data);
  const std::lock_guard lock(mutex_);
  const auto after = taken_.upper_bound(begin);
  if (after == taken_.begin()) return false;
  const auto& [at, block] = *std::prev(after);
  const auto offset = static_cast<size_t>(begin - at);
  return offset <= block.bytes && bytes <= block.bytes - offset;
}

size_t PinnedBlocks::IdleBytes() const {
  const std::lock_guard lock(mutex_);
  return idle_bytes_;
}

}  // namespace tamis
