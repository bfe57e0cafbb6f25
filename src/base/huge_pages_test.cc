#include "src/base/huge_pages.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <random>
#include <thread>
#include <vector>

namespace tamis {
namespace {

// Whether blocks lie in regions at all.
bool HasRegions() {
  std::byte* const block = AllocateHuge(100'000);
  const bool has = HugeMemoryNow().regions > 0;
  FreeHuge(block, 100'000);
  return has;
}

struct Block {
  std::byte* at;
  size_t bytes;
  unsigned char mark;

  Block(size_t size, unsigned char filling) : at(AllocateHuge(size)), bytes(size), mark(filling) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(at) % 64, 0U);
    std::memset(at, mark, bytes);
  }
  void Free() const {
    for (size_t i = 0; i < bytes; ++i) {
      if (std::to_integer<unsigned char>(at[i]) != mark) {
        ADD_FAILURE() << "byte " << i << " of " << bytes << " was overwritten";
        break;
      }
    }
    FreeHuge(at, bytes);
  }
};

// Blocks of all sizes, freed in any order: none lies in another, and in the end nothing is left.
void AllocateAndFree(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Block> blocks;
  for (int step = 0; step < 600; ++step) {
    if (blocks.empty() || random() % 5 > 1) {
      const size_t bytes = size_t{1} << (random() % 22);
      blocks.emplace_back(bytes + random() % bytes, static_cast<unsigned char>(random()));
    } else {
      const size_t at = random() % blocks.size();
      blocks[at].Free();
      blocks[at] = blocks.back();
      blocks.pop_back();
    }
    if (step % 100 == 99) ReturnFreedHugePages();
  }
  for (const Block& block : blocks) block.Free();
}

TEST(HugePages, BlocksDoNotOverlapAndLeaveNothing) {
  AllocateAndFree(1);
  const HugeMemory now = HugeMemoryNow();
  EXPECT_EQ(now.regions, 0U);
  EXPECT_EQ(now.mapped, 0U);
  EXPECT_EQ(now.used, 0U);
}

TEST(HugePages, ThreadsAllocateAtOnce) {
  std::vector<std::thread> threads;
  for (unsigned seed = 2; seed < 6; ++seed) threads.emplace_back(AllocateAndFree, seed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(HugeMemoryNow().mapped, 0U);
}

TEST(HugePages, ABlockFillsWhatWasFreed) {
  if (!HasRegions()) GTEST_SKIP() << "under a sanitizer";
  const Block a(300'000, 1), b(300'000, 2), c(300'000, 3);
  const size_t mapped = HugeMemoryNow().mapped;
  std::byte* const place = a.at;
  a.Free();
  b.Free();  // joins what is free before it
  const Block larger(500'000, 4);
  EXPECT_EQ(larger.at, place);
  EXPECT_EQ(HugeMemoryNow().mapped, mapped);
  larger.Free();
  c.Free();
  EXPECT_EQ(HugeMemoryNow().regions, 0U);
}

TEST(HugePages, AForkedChildAllocates) {
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop) FreeHuge(AllocateHuge(3 << 20), 3 << 20);
  });
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // were the lock held, it would wait for ever
      FreeHuge(AllocateHuge(100'000), 100'000);
      _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  stop = true;
  other.join();
}

TEST(HugePages, SmallBlocksAndImpossibleOnes) {
  const Block small(100, 7);
  EXPECT_EQ(HugeMemoryNow().regions, 0U);
  small.Free();
  const size_t bytes = std::numeric_limits<size_t>::max();
  EXPECT_THROW(AllocateHuge(bytes), std::bad_alloc);
  EXPECT_THROW(AllocateHuge(bytes / 2), std::bad_alloc);
  if (HasRegions()) {  // a sanitizer would end the process
    EXPECT_THROW(AllocateHuge(bytes / 8), std::bad_alloc);
  }
  EXPECT_EQ(HugeMemoryNow().mapped, 0U);
}

}  // namespace
}  // namespace tamis
