#include "src/cuda/pinned_blocks.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>
#include <vector>

namespace tamis {
namespace {

constexpr size_t kUnit = PinnedBlocks::kLeastBytes;

// Memory of the host; counts what there is.
struct Source {
  std::atomic<int> made{0}, alive{0};
  int most = 1000;
  PinnedBlocks::Allocate Allocate() {
    return [this](size_t bytes) -> std::shared_ptr<void> {
      if (alive >= most) return nullptr;
      ++made;
      ++alive;
      return {std::aligned_alloc(256, bytes), [this](void* data) {
                std::free(data);
                --alive;
              }};
    };
  }
};

TEST(PinnedBlocks, BlocksGoRound) {
  Source source;
  PinnedBlocks blocks;
  EXPECT_EQ(blocks.Take(kUnit), nullptr);  // nothing makes them yet
  blocks.Use(source.Allocate());
  EXPECT_EQ(blocks.Take(kUnit - 1), nullptr);
  const char* first = nullptr;
  for (int i = 0; i < 5; ++i) {
    const auto block = blocks.Take(3 * kUnit - static_cast<size_t>(i));
    ASSERT_NE(block, nullptr);
    if (i == 0) first = block.get();
    EXPECT_EQ(block.get(), first);
  }
  EXPECT_EQ(source.made, 1);
  EXPECT_EQ(blocks.IdleBytes(), 3 * kUnit);
  const auto small = blocks.Take(kUnit);  // a third would be wasted on it
  EXPECT_NE(small.get(), first);
  EXPECT_EQ(source.made, 2);
}

TEST(PinnedBlocks, HoldsWhatIsTaken) {
  Source source;
  PinnedBlocks blocks;
  blocks.Use(source.Allocate());
  const std::vector<char> other(kUnit);
  auto block = blocks.Take(2 * kUnit);
  const char* const data = block.get();
  EXPECT_TRUE(blocks.Holds(data, 2 * kUnit));
  EXPECT_TRUE(blocks.Holds(data + 100, 2 * kUnit - 100));
  EXPECT_FALSE(blocks.Holds(data + 100, 2 * kUnit));
  EXPECT_FALSE(blocks.Holds(data - 1, 10));
  EXPECT_FALSE(blocks.Holds(other.data(), other.size()));
  block.reset();
  EXPECT_FALSE(blocks.Holds(data, 1));
}

TEST(PinnedBlocks, TakesNoMoreThanItMay) {
  Source source;
  PinnedBlocks blocks(4 * kUnit);
  blocks.Use(source.Allocate());
  EXPECT_EQ(blocks.Take(5 * kUnit), nullptr);
  auto first = blocks.Take(3 * kUnit);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(blocks.Take(2 * kUnit), nullptr);
  first.reset();
  // What is idle makes room.
  const auto second = blocks.Take(4 * kUnit);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(source.alive, 1);
}

TEST(PinnedBlocks, SaysWhereThereIsNoMemory) {
  Source source;
  source.most = 0;
  PinnedBlocks blocks(2 * kUnit);
  blocks.Use(source.Allocate());
  EXPECT_EQ(blocks.Take(2 * kUnit), nullptr);
  source.most = 1;
  EXPECT_NE(blocks.Take(2 * kUnit), nullptr);  // the one that failed counts no more
}

TEST(PinnedBlocks, ThreadsHaveBlocksOfTheirOwn) {
  Source source;
  PinnedBlocks blocks;
  blocks.Use(source.Allocate());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 200; ++i) {
        const auto block = blocks.Take(kUnit * (1 + i % 4));
        block.get()[0] = static_cast<char>(t);
        if (!blocks.Holds(block.get(), kUnit)) ++wrong;
        if (block.get()[0] != static_cast<char>(t)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(source.alive, 32);
}

}  // namespace
}  // namespace tamis
