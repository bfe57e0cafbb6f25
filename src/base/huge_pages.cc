#include "src/base/huge_pages.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define TAMIS_ADDRESS_SANITIZER
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define TAMIS_ADDRESS_SANITIZER
#endif

namespace tamis {
namespace {

constexpr size_t kPage = size_t{2} << 20;
constexpr size_t kLeastBlock = size_t{16} << 10;  // smaller ones lie together with others of the allocator's
constexpr size_t kLeastRegion = size_t{8} << 20;  // a region is as large as all before it together,
constexpr size_t kMostRegion = size_t{64} << 20;  // within these bounds; a larger block has one of its own
constexpr size_t kMuch = size_t{32} << 20;        // a free span of so much goes back to the system

size_t RoundUp(size_t bytes, size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

class Regions {
 public:
  std::byte* Allocate(size_t bytes) {
    const std::lock_guard lock(mutex_);
    Region* best = nullptr;
    Spans::iterator best_span;
    for (auto& [address, region] : regions_) {
      for (auto span = region.free.begin(); span != region.free.end(); ++span) {
        if (span->second < bytes || (best != nullptr && best_span->second <= span->second)) continue;
        best = &region;
        best_span = span;
      }
    }
    if (best == nullptr) {
      best = &Map(bytes);
      best_span = best->free.begin();
    }
    auto span = best->free.extract(best_span);
    std::byte* const block = span.key();
    if (span.mapped() > bytes) {
      span.key() += bytes;
      span.mapped() -= bytes;
      best->free.insert(std::move(span));
    }
    used_ += bytes;
    return block;
  }

  void Free(std::byte* block, size_t bytes) noexcept {
    const auto [unused, unused_bytes] = Join(block, bytes);
    if (unused != nullptr) munmap(unused, unused_bytes);  // of gigabytes it takes milliseconds: nobody waits for it
  }

  void ReturnPages() noexcept {
    const std::lock_guard lock(mutex_);
    for (const auto& [address, region] : regions_) {
      for (const auto& [at, bytes] : region.free) ReturnPages(at, bytes);
    }
  }

  void Lock() { mutex_.lock(); }
  void Unlock() { mutex_.unlock(); }

  HugeMemory Now() {
    const std::lock_guard lock(mutex_);
    return {regions_.size(), mapped_, used_};
  }

 private:
  using Spans = std::map<std::byte*, size_t>;
  struct Region {
    size_t bytes = 0;
    Spans free;
  };

  // Adds a block to the free spans. The region, if it is free as a whole: nobody knows of it any more.
  std::pair<std::byte*, size_t> Join(std::byte* block, size_t bytes) noexcept {
    const std::lock_guard lock(mutex_);
    used_ -= bytes;
    const auto found = std::prev(regions_.upper_bound(block));
    Spans& free = found->second.free;
    const auto next = free.upper_bound(block);
    const bool joins_next = next != free.end() && next->first == block + bytes;
    const auto before = next == free.begin() ? free.end() : std::prev(next);
    const bool joins_before = before != free.end() && before->first + before->second == block;
    std::pair<std::byte*, size_t> span = {block, bytes};
    if (joins_before) {
      before->second += bytes + (joins_next ? next->second : 0);
      span = *before;
      if (joins_next) free.erase(next);
    } else if (joins_next) {
      auto node = free.extract(next);  // no memory is needed, so that nothing can fail
      node.key() = block;
      node.mapped() += bytes;
      span = {block, node.mapped()};
      free.insert(std::move(node));
    } else {
      AddSpan(&free, block, bytes);
    }
    const std::pair<std::byte*, size_t> region = {found->first, found->second.bytes};
    if (span == region) {
      mapped_ -= region.second;
      regions_.erase(found);
      return region;
    }
    if (span.second >= kMuch) ReturnPages(span.first, span.second);  // a small block may hold the region for long
    return {nullptr, 0};
  }

  static void ReturnPages(std::byte* at, size_t bytes) noexcept {
    const auto begin = RoundUp(reinterpret_cast<uintptr_t>(at), kPage);
    const auto end = (reinterpret_cast<uintptr_t>(at) + bytes) / kPage * kPage;
    if (begin < end) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

  // A region that is free as a whole; where the address space is limited, none larger than it must be.
  Region& Map(size_t least) {
    const size_t usual = std::clamp(RoundUp(mapped_, kPage), kLeastRegion, kMostRegion);
    for (const size_t bytes : {RoundUp(std::max(least, usual), kPage), RoundUp(least, kPage)}) {
      // A page more, of which what lies before and behind huge pages is given back.
      void* const memory = mmap(nullptr, bytes + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory != MAP_FAILED) return Add(static_cast<std::byte*>(memory), bytes);
    }
    throw std::bad_alloc();
  }

  // `memory` has a page more than `bytes`.
  Region& Add(std::byte* memory, size_t bytes) {
    const size_t before = RoundUp(reinterpret_cast<uintptr_t>(memory), kPage) - reinterpret_cast<uintptr_t>(memory);
    std::byte* const begin = memory + before;
    if (before > 0) munmap(memory, before);
    if (before < kPage) munmap(begin + bytes, kPage - before);
    (void)madvise(begin, bytes, MADV_HUGEPAGE);  // small pages do where there are none
    try {
      Region& region = regions_[begin];
      region.bytes = bytes;
      region.free.emplace(begin, bytes);
      mapped_ += bytes;
      return region;
    } catch (...) {
      regions_.erase(begin);
      munmap(begin, bytes);
      throw;
    }
  }

  // Without memory for the entry the span is lost until its region is unmapped, which it then never is.
  static void AddSpan(Spans* free, std::byte* at, size_t bytes) noexcept {
    try {
      free->emplace(at, bytes);
    } catch (const std::bad_alloc&) {
    }
  }

  std::mutex mutex_;
  std::map<std::byte*, Region> regions_;
  size_t mapped_ = 0, used_ = 0;
};

// Never destroyed: sessions that are static objects free their weights late. A child of fork() finds the lock free.
Regions& AllRegions() {
  static Regions* const regions = [] {
    auto* const made = new Regions;
    pthread_atfork([] { AllRegions().Lock(); }, [] { AllRegions().Unlock(); }, [] { AllRegions().Unlock(); });
    return made;
  }();
  return *regions;
}

#ifdef TAMIS_ADDRESS_SANITIZER
constexpr bool kWatched = true;
#else
constexpr bool kWatched = false;
#endif

bool FromAllocator(size_t bytes) {
  return kWatched || bytes < kLeastBlock;
}

// Kernels may load, not store, a vector behind the end.
size_t Whole(size_t bytes) {
  return (bytes + 127) / 64 * 64;
}

}  // namespace

std::byte* AllocateHuge(size_t bytes) {
  if (bytes > PTRDIFF_MAX - kPage) throw std::bad_alloc();
  if (!FromAllocator(bytes)) return AllRegions().Allocate(Whole(bytes));
  auto* const memory = static_cast<std::byte*>(std::aligned_alloc(64, Whole(bytes)));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void FreeHuge(std::byte* block, size_t bytes) noexcept {
  if (FromAllocator(bytes)) {
    std::free(block);
  } else {
    AllRegions().Free(block, Whole(bytes));
  }
}

void ReturnFreedHugePages() noexcept {
  AllRegions().ReturnPages();
}

HugeMemory HugeMemoryNow() {
  return AllRegions().Now();
}

}  // namespace tamis
