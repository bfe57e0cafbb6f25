// How a panel routine walks over its rows, and what it asks for ahead of its use. Included by files of the ISA folders;
// everything here is in their anonymous namespaces.
#pragma once

#include <immintrin.h>

#include <algorithm>

#include "src/kernels/gemm/panel.h"

namespace tamis {
namespace {

// Asks for the rows of the next tile, of `bytes` each, while the present one is computed: eight short streams are more
// than a hardware prefetcher follows.
inline void PrefetchRows(const PanelTask& task, int64_t first_row, int64_t rows, int64_t element, int64_t bytes) {
  constexpr int64_t kLargestTile = 16 << 10;
  if (rows * bytes > kLargestTile) return;
  const char* x = static_cast<const char*>(task.x) + first_row * task.x_pitch * element;
  for (int64_t r = 0; r < std::min(rows, task.rows - first_row); ++r, x += task.x_pitch * element) {
    for (int64_t i = 0; i < bytes; i += 64) _mm_prefetch(x + i, _MM_HINT_T0);
  }
}

// Asks for the bytes that a single pass over a weight comes to `kAheadBytes` further on: hardware prefetchers stop at
// the end of each page. Nothing is read, so it may lie behind the weight.
constexpr int kFewRows = 4;  // up to so many, a dense product waits for its weight
inline void PrefetchWeight(const void* values, int64_t bytes) {
  constexpr int64_t kAheadBytes = 2048;
  for (int64_t i = 0; i < bytes; i += 64) {
    _mm_prefetch(static_cast<const char*>(values) + kAheadBytes + i, _MM_HINT_T0);
  }
}

// Calls tile(row, rows) over all rows of the task, in heights of at most `tallest` that differ by at most one.
template <class Tile>
inline void ForEachTile(int64_t rows, int64_t tallest, const Tile& tile) {
  if (rows == 0) return;  // a part of the work may have none
  const int64_t tiles = (rows + tallest - 1) / tallest;
  const int64_t height = rows / tiles, taller = rows % tiles;
  for (int64_t i = 0, row = 0; i < tiles; ++i) {
    const int64_t some = height + (i < taller ? 1 : 0);
    tile(row, static_cast<int>(some));
    row += some;
  }
}

// Cache lines that a tile asks for on behalf of the next panel, a few at a time between its steps: all at once would
// wait for one another.
//
// No larger than two registers: tiles take it by value, and on the stack it would be written in pieces and read as one,
// which waits until the tile before has written all of its results to the cache.
class LinesAhead {
 public:
  LinesAhead(const char* first, int64_t lines, int64_t steps)
      : next_(first),
        lines_(static_cast<int32_t>(lines)),
        at_once_(static_cast<int32_t>(lines <= steps ? 1 : (lines + steps - 1) / steps)) {}

  void Step() {
    const int32_t some = std::min(lines_, at_once_);
    lines_ -= some;
    for (const char* const until = next_ + int64_t{64} * some; next_ < until; next_ += 64) {
      _mm_prefetch(next_, _MM_HINT_T1);
    }
  }

 private:
  const char* next_;
  int32_t lines_, at_once_;
};
static_assert(sizeof(LinesAhead) == 16);

// Shares the lines of a task out to its tiles, by their rows. Tiles are short where depth is small: they do without
// divisions.
class SharedLines {
 public:
  SharedLines(const std::byte* first, int64_t lines, int64_t rows)
      : next_(reinterpret_cast<const char*>(first)),
        per_row_(lines > 0 && rows > 0 ? (lines << kFraction) / rows + 1 : 0) {}
  explicit SharedLines(const PanelTask& task) : SharedLines(task.ahead, task.ahead_lines, task.rows) {}

  // For a tile of `rows` rows, which takes `steps` steps; called in the order of the tiles.
  LinesAhead Take(int64_t rows, int64_t steps) {
    due_ += rows * per_row_;
    const int64_t lines = due_ >> kFraction;
    due_ -= lines << kFraction;
    const LinesAhead ahead(next_, lines, steps);
    next_ += lines * 64;
    return ahead;
  }

 private:
  static constexpr int kFraction = 20;
  const char* next_;
  int64_t per_row_;  // lines << kFraction
  int64_t due_ = 0;
};

}  // namespace
}  // namespace tamis
