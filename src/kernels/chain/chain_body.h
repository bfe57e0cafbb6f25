// The body of ElementwiseChain for the ISA of the including file.
#pragma once

#include "src/kernels/chain/chain.h"
#include "src/kernels/elementwise/binary_body.h"
#include "src/kernels/elementwise/unary_body.h"

namespace tamis {
namespace {

constexpr int kMaxChainValues = static_cast<int>(kMaxChainInputs + kMaxChainSteps);

// A piece of a value: n numbers, or one that stands for all.
struct ChainPiece {
  const float* data = nullptr;
  bool single = false;
};

// All steps over one piece; the last one writes to `y`.
inline void RunSteps(const ChainArgs& args, ChainPiece (&values)[kMaxChainValues], float (*buffers)[kPiece], float* y,
                     int64_t n) {
  for (int i = 0; i < args.count; ++i) {
    const ChainStepArgs& step = args.steps[i];
    const ChainPiece left = values[step.left];
    float* to = i + 1 == args.count ? y : buffers[i];
    bool single = left.single;
    if (IsBinary(step.op)) {
      const ChainPiece right = values[step.right];
      single = left.single && right.single;
      Combine(step.binary, 1, left.data, left.single && !single, right.data, right.single && !single, to,
              single ? 1 : n);
    } else if (step.op == ChainOp::kAffine) {
      const Vec alpha = Set(step.unary.alpha), beta = Set(step.unary.beta);
      Map(left.data, to, single ? 1 : n, [&](Vec x) { return Fma(alpha, x, beta); });
    } else {
      Transform(step.unary, left.data, to, single ? 1 : n);
    }
    if (single && to == y) {
      for (int64_t at = 1; at < n; ++at) y[at] = y[0];
    }
    values[args.inputs + i] = {to, single};
  }
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

// Whole rows side by side make a piece: one by one, what a row costs would be more than its elements'.
inline bool HasShortRows(const ChainArgs& args) {
  if (args.loops.rank < 2 || args.loops.dims[args.loops.rank - 1] >= kShortRow) return false;
  for (int i = 0; i < args.inputs; ++i) {
    const ShortRead read = ReadOf(args.loops, i);
    if (args.bf16[i] && (read == ShortRead::kColumns || read == ShortRead::kGathered)) return false;
  }
  return true;
}

inline void ChainShortRows(const ChainArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                           int64_t end) {
  alignas(64) float read[kMaxChainInputs][kPiece], buffers[kMaxChainSteps][kPiece];
  ChainPiece values[kMaxChainValues];
  const BroadcastLoops& loops = args.loops;
  const int64_t inner = loops.dims[loops.rank - 1], most = kPiece / inner * inner;
  ShortRead kinds[kMaxChainInputs];
  bool gathers = false;
  for (int i = 0; i < args.inputs; ++i) {
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
      for (int i = 0; i < args.inputs; ++i) {
        if (kinds[i] != ShortRead::kGathered) continue;
        const int64_t step = loops.strides[i][loops.rank - 1];
        const float* from = static_cast<const float*>(inputs[i]) + walk.offsets[i] + step * column;
        for (int64_t k = 0; k < count; ++k) read[i][filled + k] = from[step * k];
      }
      filled += count;
      column += count;
      if (column == inner) {
        walk.Next();
        column = 0;
      }
    }
    for (int i = 0; i < args.inputs; ++i) {
      const bool single = kinds[i] == ShortRead::kSingle;
      if (single || kinds[i] == ShortRead::kWhole) {
        values[i] = {ReadPiece(inputs[i], args.bf16[i], single ? 0 : at, single ? 1 : n, read[i]), single};
      } else {
        values[i] = {read[i], false};
      }
    }
    if (args.bf16_output) {
      RunSteps(args, values, buffers, buffers[args.count - 1], n);
      Map(buffers[args.count - 1], static_cast<Bf16*>(outputs[0]) + at, n, [](Vec x) { return x; });
    } else {
      RunSteps(args, values, buffers, static_cast<float*>(outputs[0]) + at, n);
    }
    at += n;
  }
}

inline void Chain(const ChainArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                  std::byte* /*scratch*/) {
  if (HasShortRows(args)) return ChainShortRows(args, inputs, outputs, begin, end);
  alignas(64) float widened[kMaxChainInputs][kPiece], buffers[kMaxChainSteps][kPiece];
  ChainPiece values[kMaxChainValues];
  const BroadcastLoops& loops = args.loops;
  const int64_t inner = loops.dims[loops.rank - 1];
  for (int64_t at = begin; at < end;) {
    int64_t offsets[kMaxOperands];
    RowOffsets(loops, at / inner, offsets);
    int64_t column = at % inner;
    const int64_t stop = MinOf(inner, column + end - at);
    for (; column < stop; column += kPiece) {
      const int64_t n = MinOf(kPiece, stop - column);
      for (int i = 0; i < args.inputs; ++i) {
        const bool single = loops.strides[i][loops.rank - 1] == 0;
        values[i] = {ReadPiece(inputs[i], args.bf16[i], offsets[i] + (single ? 0 : column), single ? 1 : n, widened[i]),
                     single};
      }
      if (args.bf16_output) {
        RunSteps(args, values, buffers, buffers[args.count - 1], n);
        Map(buffers[args.count - 1], static_cast<Bf16*>(outputs[0]) + at, n, [](Vec x) { return x; });
      } else {
        RunSteps(args, values, buffers, static_cast<float*>(outputs[0]) + at, n);
      }
      at += n;
    }
  }
}

}  // namespace
}  // namespace tamis
