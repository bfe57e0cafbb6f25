// Short rows of broadcasting operators, several of them as one piece: one by one, what a row costs would be more than
// its elements'. For the ISA of the including file.
#pragma once

#include "src/kernels/elementwise/elementwise.h"
#include "src/kernels/vec_functions.h"
#include "src/kernels/vec_half.h"

namespace tamis {
namespace {

constexpr int64_t kPiece = 512;  // elements widened at a time

// n elements of an operand from `offset` as f32: in place, or widened into `buffer`.
TAMIS_INLINE const float* ReadPiece(const void* operand, bool bf16, int64_t offset, int64_t n, float* buffer) {
  if (!bf16) return static_cast<const float*>(operand) + offset;
  Map(static_cast<const Bf16*>(operand) + offset, buffer, n, [](Vec x) { return x; });
  return buffer;
}

// Where the operands are at a row of the innermost loop, from row to row.
struct RowWalk {
  const BroadcastLoops& loops;
  int64_t index[kMaxLoops] = {};
  int64_t offsets[kMaxOperands] = {};

  RowWalk(const BroadcastLoops& loops, int64_t row) : loops(loops) {
    RowOffsets(loops, row, offsets);
    for (int axis = loops.rank - 2; axis >= 0; --axis) {
      index[axis] = row % loops.dims[axis];
      row /= loops.dims[axis];
    }
  }
  void Next() {
    for (int axis = loops.rank - 2; axis >= 0; --axis) {
      const bool over = ++index[axis] == loops.dims[axis];
      for (size_t i = 0; i < kMaxOperands; ++i) {
        offsets[i] += loops.strides[i][axis] * (over ? 1 - loops.dims[axis] : 1);
      }
      if (!over) return;
      index[axis] = 0;
    }
  }
};

// How an operand is read where rows are short.
enum class ShortRead : uint8_t {
  kSingle,    // one number
  kWhole,     // as the result
  kColumns,   // the same row again and again
  kGathered,  // row by row
};

inline ShortRead ReadOf(const BroadcastLoops& loops, int operand) {
  bool whole = true, moves = false;
  int64_t running = 1;
  for (int axis = loops.rank - 1; axis >= 0; --axis) {
    const int64_t stride = loops.strides[operand][axis];
    whole = whole && stride == running;
    moves = moves || (stride != 0 && axis != loops.rank - 1);
    running *= loops.dims[axis];
  }
  if (whole) return ShortRead::kWhole;
  if (moves) return ShortRead::kGathered;
  return loops.strides[operand][loops.rank - 1] == 0 ? ShortRead::kSingle : ShortRead::kColumns;
}

constexpr int64_t kShortRow = 128;

inline bool HasShortRows(const BroadcastLoops& loops, int operands, const bool* bf16) {
  if (loops.rank < 2 || loops.dims[loops.rank - 1] >= kShortRow) return false;
  for (int i = 0; i < operands; ++i) {
    const ShortRead read = ReadOf(loops, i);
    if (bf16[i] && (read == ShortRead::kColumns || read == ShortRead::kGathered)) return false;
  }
  return true;
}

// An operand's part of a piece: its numbers, or one that stands for all.
struct ShortPiece {
  const float* data = nullptr;
  bool single = false;
};

// Calls f(at, n, pieces) for pieces of the result's elements [begin, end), with each operand's part.
template <class F>
inline void ForShortRows(const BroadcastLoops& loops, int operands, const bool* bf16, const void* const* inputs,
                         int64_t begin, int64_t end, F f) {
  alignas(64) float read[kMaxOperands][kPiece + kLanes];
  const int64_t inner = loops.dims[loops.rank - 1], most = kPiece / inner * inner;
  ShortRead kinds[kMaxOperands];
  ShortPiece pieces[kMaxOperands];
  bool gathers = false;
  for (int i = 0; i < operands; ++i) {
    kinds[i] = ReadOf(loops, i);
    gathers = gathers || kinds[i] == ShortRead::kGathered;
    if (kinds[i] != ShortRead::kColumns) continue;
    // A piece is a number of rows long, so that all begin at the same column.
    const auto* row = static_cast<const float*>(inputs[i]);
    for (int64_t k = 0, column = begin % inner; k < most; ++k, column = column + 1 == inner ? 0 : column + 1) {
      read[i][k] = row[column];
    }
  }
  RowWalk walk(loops, begin / inner);
  int64_t column = begin % inner;
  for (int64_t at = begin; at < end;) {
    const int64_t n = MinOf(most, end - at);
    for (int64_t filled = 0; gathers && filled < n;) {
      const int64_t count = MinOf(inner - column, n - filled);
      for (int i = 0; i < operands; ++i) {
        if (kinds[i] != ShortRead::kGathered) continue;
        const int64_t step = loops.strides[i][loops.rank - 1];
        const float* from = static_cast<const float*>(inputs[i]) + walk.offsets[i] + step * column;
        if (step == 0) {  // what the last vector writes behind the row is overwritten or not read
          const Vec same = Set(*from);
          for (int64_t k = 0; k < count; k += kLanes) Store(read[i] + filled + k, same);
        } else {
          Map(from, read[i] + filled, count, [](Vec v) { return v; });
        }
      }
      filled += count;
      column += count;
      if (column == inner) {
        walk.Next();
        column = 0;
      }
    }
    for (int i = 0; i < operands; ++i) {
      const bool single = kinds[i] == ShortRead::kSingle;
      if (single || kinds[i] == ShortRead::kWhole) {
        pieces[i] = {ReadPiece(inputs[i], bf16[i], single ? 0 : at, single ? 1 : n, read[i]), single};
      } else {
        pieces[i] = {read[i], false};
      }
    }
    f(at, n, pieces);
    at += n;
  }
}

}  // namespace
}  // namespace tamis
