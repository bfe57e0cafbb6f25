// Rows of x times one panel of a packed weight by tile registers (AMX): 16 rows of 64 bytes each, of which an
// instruction multiplies two. Included by files of the ISA folders; everything here is in their anonymous namespaces.
//
// Elements of bf16 and of one byte differ in nothing but that instruction: it takes inputs in steps of four bytes, and
// a panel's weights, [taps][steps][32 lanes][4 bytes] (packed_panels.h, packed_int8.h), hold tiles as they must be, 16
// steps of 16 lanes. Of the eight tiles four hold the sums of a pair of tiles of x.
//
// Measured on a Xeon, cycles: a multiplication 16, or as many as x has rows, 9 at the least; a tile from the
// first-level cache 9, from the second 21, from the third 100; configuring the tiles 225. So a pair, four
// multiplications for four tiles read, takes 66 for the 64 of its products where all is near, and 85 where all is in
// the second-level cache. Passing over slabs of the depth, so that weights stay near, would save 8 % at the most: sums
// are put away and fetched for it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "src/kernels/gemm/tile_walk.h"
#include "src/kernels/tile_state.h"

namespace tamis {
namespace {

inline constexpr int kTileRows = 16;
inline constexpr int kTileSteps = 16;
inline constexpr int64_t kStepBytes = 128;  // of a panel: 32 lanes of four bytes
inline constexpr int64_t kSumsPitch = 128;  // bytes from row to row of sums, 32 lanes as well

// What every row of a task has in common.
struct TileOperands {
  const std::byte* x = nullptr;   // of the first row
  int64_t pitch = 0;              // bytes from row to row of a line
  int64_t line_rows = 0;          // of every line; 0: all rows are one
  int64_t line_pitch = 0;         // bytes from line to line
  std::span<const int64_t> taps;  // where those of a row begin, in elements
  int64_t element = 1;            // bytes of one
  int64_t tap_steps = 0;          // of every tap
  const void* start = nullptr;    // 32 sums that every row begins with, 64-byte aligned; null: zeros
};

// Where the tiles of a task's weights are: here they lie as they are multiplied. Others make them (expanded_tiles.h).
class StoredWeights {
 public:
  // Multiplications have a multiple of so many steps, and so has every tap.
  static constexpr int64_t kUnit = 1;

  // `first`: of the first of the taps.
  explicit StoredWeights(const std::byte* first) : first_(first) {}

  // `count` steps from `step` on, [count][32 lanes][4 bytes]; steps of all taps are numbered through. They stay there
  // until what follows is asked for and followed in its turn.
  const std::byte* At(int64_t step, int64_t /*count*/) const { return first_ + step * kStepBytes; }
  // Called when the multiplications of what At gave are under way.
  void Follow() const {}

 private:
  const std::byte* first_;
};

// Layout of the eight tiles, as ldtilecfg reads it (Intel SDM, LDTILECFG).
struct alignas(64) TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void Set(int tile, int64_t of_rows, int64_t bytes) {
    rows[tile] = static_cast<uint8_t>(of_rows);
    row_bytes[tile] = static_cast<uint16_t>(of_rows > 0 ? bytes : 0);
  }
};

static_assert(sizeof(TileShapes) == 64 && offsetof(TileShapes, row_bytes) == 16 && offsetof(TileShapes, rows) == 48);

// Configures the tiles, unless they are already: 0 and 1 for sums of `upper` rows, 2 and 3 of `lower` ones (or none), 4
// and 5 for weights of `steps` steps and 16 lanes, 6 and 7 for `upper` and `lower` rows of x.
template <class Tiles>
void ShapeTiles(int upper, int lower, int64_t steps, TileState* state) {
  if (upper == state->upper_rows && lower == state->lower_rows && steps == state->steps) return;
  state->upper_rows = upper;
  state->lower_rows = lower;
  state->steps = steps;
  state->release = Tiles::Release;
  TileShapes shapes;
  for (int half = 0; half < 2; ++half) {
    const int rows = half == 0 ? upper : lower;
    shapes.Set(2 * half, rows, 64);
    shapes.Set(2 * half + 1, rows, 64);
    shapes.Set(4 + half, steps, 64);
    shapes.Set(6 + half, rows, steps * 4);
  }
  Tiles::Configure(shapes);
}

// The sums of a task. `Tiles` are the registers: Configure, Release, Zero<tile>, Load<tile>, Store<tile> and
// Multiply<sums, x, weights>. `Weights` has the members of StoredWeights.
template <class Tiles, class Weights = StoredWeights>
class TileProduct {
 public:
  static constexpr int kPairRows = 2 * kTileRows;
  static constexpr int kFinishedRows = 4;  // at once

  // `weights`: what Weights are made of.
  template <class... Arguments>
  TileProduct(const TileOperands& operands, TileState* state, const Arguments&... weights)
      : o_(operands), weights_(weights...), state_(*state) {
    // Multiplications of one shape, as few as can have equally many steps: each one more costs a pair four, and another
    // shape for what is left of every tap as much as kAnotherShape of them. Else whole ones first, and what is left
    // adds to their sums.
    constexpr int64_t kAnotherShape = 8;
    const int64_t least = (o_.tap_steps + kTileSteps - 1) / kTileSteps, taps = static_cast<int64_t>(o_.taps.size());
    for (int64_t count = least; (count - least) * taps <= kAnotherShape; ++count) {
      if (o_.tap_steps % (count * Weights::kUnit) != 0) continue;
      whole_ = {0, o_.tap_steps / count, count};
      return;
    }
    whole_ = {0, kTileSteps, least - 1};
    rest_ = {whole_.count * kTileSteps, o_.tap_steps % kTileSteps, 1};
  }

  // Calls finish(row, rows, sums) for all rows in order, at most kFinishedRows at once; sums are [rows][32 lanes] of
  // four bytes. That of a pair is done while the next is multiplied, which leaves the vector units nothing to do.
  // `lines` is what the task asks for meanwhile.
  template <class Finish>
  void Run(int64_t rows, SharedLines lines, const Finish& finish) {
    if (rows == 0) return;
    alignas(64) std::byte sums[2][kPairRows * kSumsPitch];
    const int64_t line_rows = o_.line_rows > 0 ? o_.line_rows : rows;
    const int64_t line_tiles = (line_rows + kTileRows - 1) / kTileRows;
    const int64_t tiles = rows / line_rows * line_tiles;
    const int64_t steps = static_cast<int64_t>(o_.taps.size()) * (whole_.count + rest_.count);
    // Tiles of a line have heights that differ by at most one, the taller ones first: their shapes change seldom.
    const int64_t height = line_rows / line_tiles, taller = line_rows % line_tiles;
    const auto tile_at = [&](int64_t index) {
      const int64_t line = index / line_tiles, of_line = index % line_tiles;
      const int64_t begin = of_line * height + std::min(of_line, taller);
      return Tile{o_.x + line * o_.line_pitch + begin * o_.pitch,
                  static_cast<int>(height + (of_line < taller ? 1 : 0))};
    };
    Finishing<Finish> behind(finish);
    int64_t row = 0;
    for (int64_t tile = 0; tile < tiles; tile += 2) {
      const Tile upper = tile_at(tile), lower = tile + 1 < tiles ? tile_at(tile + 1) : Tile{};
      std::byte* const own = sums[tile / 2 % 2];
      behind.Spread(steps);
      Meanwhile<Finish> meanwhile = {lines.Take(upper.rows + lower.rows, steps), behind};
      Pass(whole_, upper, lower, false, meanwhile, own);
      if (rest_.count > 0) Pass(rest_, upper, lower, true, meanwhile, own);
      behind.Begin(row, upper.rows + lower.rows, own);
      row += upper.rows + lower.rows;
    }
    behind.Rest();
  }

 private:
  struct Tile {
    const std::byte* x = nullptr;
    int rows = 0;
  };
  // The multiplications of a tap: the first one's first step, the steps of each, how many.
  struct Chunks {
    int64_t first = 0, steps = 0, count = 0;
  };

  // Rows whose sums are there, some of which are finished at a time.
  template <class Finish>
  class Finishing {
   public:
    explicit Finishing(const Finish& finish) : finish_(finish) {}
    void Begin(int64_t row, int rows, const std::byte* sums) {
      row_ = row;
      left_ = rows;
      sums_ = sums;
    }
    // Over so many calls of Step.
    void Spread(int64_t steps) {
      const int64_t times = (left_ + kFinishedRows - 1) / kFinishedRows;
      every_ = wait_ = times > 0 ? std::max<int64_t>(steps / times, 1) : 0;
    }
    void Step() {
      if (left_ == 0 || --wait_ > 0) return;
      wait_ = every_;
      Some();
    }
    void Rest() {
      while (left_ > 0) Some();
    }

   private:
    void Some() {
      const int rows = std::min(left_, kFinishedRows);
      finish_(row_, rows, sums_);
      row_ += rows;
      left_ -= rows;
      sums_ += rows * kSumsPitch;
    }
    const Finish& finish_;
    int64_t row_ = 0, every_ = 0, wait_ = 0;
    int left_ = 0;
    const std::byte* sums_ = nullptr;
  };
  // What is done between multiplications.
  template <class Finish>
  struct Meanwhile {
    LinesAhead ahead;
    Finishing<Finish>& behind;
    void Step() {
      ahead.Step();
      behind.Step();
    }
    void Rest() { behind.Rest(); }
  };

  // Tiles as ShapeTiles has them; the weights of lanes 0 and 16.
  template <class Work>
  void Pass(const Chunks& chunks, const Tile& upper, const Tile& lower, bool adds, Work& work, std::byte* sums) {
    ShapeTiles<Tiles>(upper.rows, lower.rows, chunks.steps, &state_);
    const bool two = lower.rows > 0;
    std::byte* const lower_sums = sums + upper.rows * kSumsPitch;
    if (adds) {
      Begin(sums, lower_sums, kSumsPitch, two);
    } else if (o_.start != nullptr) {
      Begin(o_.start, o_.start, 0, two);
    } else {
      Tiles::template Zero<0>();
      Tiles::template Zero<1>();
      if (two) Tiles::template Zero<2>();
      if (two) Tiles::template Zero<3>();
    }
    if (two) {
      Steps<true>(chunks, upper.x, lower.x, work);
    } else {
      Steps<false>(chunks, upper.x, nullptr, work);
    }
    // While the last products are on their way, and before stores to the other sums: at a distance of 4 KiB, loads wait
    // for those.
    work.Rest();
    Tiles::template Store<0>(sums, kSumsPitch);
    Tiles::template Store<1>(sums + 64, kSumsPitch);
    if (!two) return;
    Tiles::template Store<2>(lower_sums, kSumsPitch);
    Tiles::template Store<3>(lower_sums + 64, kSumsPitch);
  }

  // Sums to begin with: every row's, or one for all with a stride of 0.
  static void Begin(const void* upper, const void* lower, int64_t stride, bool two) {
    Tiles::template Load<0>(upper, stride);
    Tiles::template Load<1>(static_cast<const std::byte*>(upper) + 64, stride);
    if (!two) return;
    Tiles::template Load<2>(lower, stride);
    Tiles::template Load<3>(static_cast<const std::byte*>(lower) + 64, stride);
  }

  template <bool kTwo, class Work>
  void Steps(const Chunks& chunks, const std::byte* upper, const std::byte* lower, Work& work) {
    int64_t first = chunks.first;
    for (const int64_t tap : o_.taps) {
      int64_t at = tap * o_.element + chunks.first * 4, step = first;
      for (int64_t i = 0; i < chunks.count; ++i, at += chunks.steps * 4, step += chunks.steps) {
        const std::byte* const w = weights_.At(step, chunks.steps);
        Tiles::template Load<6>(upper + at, o_.pitch);
        Tiles::template Load<4>(w, kStepBytes);
        Tiles::template Multiply<0, 6, 4>();
        Tiles::template Load<5>(w + 64, kStepBytes);
        Tiles::template Multiply<1, 6, 5>();
        if constexpr (kTwo) {
          Tiles::template Load<7>(lower + at, o_.pitch);
          Tiles::template Multiply<2, 7, 4>();
          Tiles::template Multiply<3, 7, 5>();
        }
        weights_.Follow();
        work.Step();
      }
      first += o_.tap_steps;
    }
  }

  TileOperands o_;
  Weights weights_;
  TileState& state_;
  Chunks whole_, rest_;
};

}  // namespace
}  // namespace tamis
