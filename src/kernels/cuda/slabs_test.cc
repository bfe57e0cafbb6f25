#include "src/kernels/cuda/slabs.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <vector>

namespace tamis::cuda {
namespace {

// Host memory in place of a GPU's, of which only so much is there.
struct Host {
  size_t limit = size_t{1} << 30, used = 0;
  std::map<std::byte*, size_t> blocks;

  SlabSource Source() {
    return {[this](size_t bytes) -> Result<std::byte*> {
              if (used + bytes > limit) return RuntimeError("no memory");
              auto* block = static_cast<std::byte*>(std::aligned_alloc(4096, bytes));
              blocks[block] = bytes;
              used += bytes;
              return block;
            },
            [this](std::byte* block) {
              used -= blocks.at(block);
              blocks.erase(block);
              std::free(block);
            }};
  }
};

// Weights of random sizes come and go: no two overlap, all lie in slabs on multiples of 256, and nothing is left.
TEST(Slabs, PiecesNeverOverlap) {
  constexpr unsigned kSeed = 7;
  std::printf("seed %u\n", kSeed);
  std::mt19937 random(kSeed);
  Host host;
  Slabs slabs(host.Source());
  std::map<std::byte*, size_t> pieces;
  for (int step = 0; step < 2000; ++step) {
    if (pieces.size() > 40 || (!pieces.empty() && random() % 3 == 0)) {
      auto piece = pieces.begin();
      std::advance(piece, random() % pieces.size());
      slabs.Give(piece->first);
      pieces.erase(piece);
    } else {
      const size_t bytes = random() % (random() % 4 == 0 ? 5000000 : 300000);
      const auto piece = slabs.Take(bytes);
      ASSERT_TRUE(piece.ok()) << piece.status().message();
      ASSERT_EQ(reinterpret_cast<uintptr_t>(*piece) % Slabs::kAlignment, 0u);
      const auto next = pieces.lower_bound(*piece);
      if (next != pieces.end()) {
        ASSERT_LE(*piece + bytes, next->first);
      }
      if (next != pieces.begin()) {
        ASSERT_LE(std::prev(next)->first + std::prev(next)->second, *piece);
      }
      auto block = host.blocks.upper_bound(*piece);
      ASSERT_NE(block, host.blocks.begin());
      --block;
      ASSERT_LE(*piece + bytes, block->first + block->second);
      pieces[*piece] = bytes;
    }
    ASSERT_EQ(slabs.held_bytes(), host.used);
  }
  for (const auto& [piece, bytes] : pieces) slabs.Give(piece);
  EXPECT_EQ(host.used, 0u);
}

// The weights of a ResNet-50 in f16, in the order of the network: 51 MB.
TEST(Slabs, TakeLittleMoreThanTheirPieces) {
  Host host;
  Slabs slabs(host.Source());
  std::vector<std::byte*> pieces;
  size_t needed = 0;
  const auto take = [&](size_t elements) {
    const auto piece = slabs.Take(elements * 2);
    ASSERT_TRUE(piece.ok());
    pieces.push_back(*piece);
    needed += elements * 2;
  };
  take(7 * 7 * 3 * 64);
  size_t inputs = 64;
  for (const auto& [width, blocks] : {std::pair<size_t, int>(64, 3), {128, 4}, {256, 6}, {512, 3}}) {
    for (int block = 0; block < blocks; ++block) {
      take(inputs * width);
      take(9 * width * width);
      take(width * 4 * width);
      if (block == 0) take(inputs * 4 * width);
      inputs = 4 * width;
    }
  }
  take(2048 * 1000);
  EXPECT_GT(needed, 50000000u);
  EXPECT_LT(host.used, needed + needed / 8);
  for (std::byte* piece : pieces) slabs.Give(piece);
  EXPECT_EQ(host.used, 0u);
}

TEST(Slabs, AskForLessWhereMemoryIsShort) {
  Host host;
  host.limit = 40 * Slabs::kPage;
  Slabs slabs(host.Source());
  const auto most = slabs.Take(37 * Slabs::kPage);
  ASSERT_TRUE(most.ok());
  const auto last = slabs.Take(Slabs::kPage * 9 / 4);  // four would fill nine pages
  ASSERT_TRUE(last.ok()) << last.status().message();
  EXPECT_FALSE(slabs.Take(Slabs::kPage).ok());
  slabs.Give(*most);
  EXPECT_TRUE(slabs.Take(Slabs::kPage).ok());
}

}  // namespace
}  // namespace tamis::cuda
