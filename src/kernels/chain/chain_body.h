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

inline void ChainShortRows(const ChainArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                           int64_t end) {
  alignas(64) float buffers[kMaxChainSteps][kPiece];
  ChainPiece values[kMaxChainValues];
  ForShortRows(args.loops, args.inputs, args.bf16, inputs, begin, end,
               [&](int64_t at, int64_t n, const ShortPiece* pieces) {
                 for (int i = 0; i < args.inputs; ++i) values[i] = {pieces[i].data, pieces[i].single};
                 if (args.bf16_output) {
                   RunSteps(args, values, buffers, buffers[args.count - 1], n);
                   Map(buffers[args.count - 1], static_cast<Bf16*>(outputs[0]) + at, n, [](Vec x) { return x; });
                 } else {
                   RunSteps(args, values, buffers, static_cast<float*>(outputs[0]) + at, n);
                 }
               });
}

inline void Chain(const ChainArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                  std::byte* /*scratch*/) {
  if (HasShortRows(args.loops, args.inputs, args.bf16)) return ChainShortRows(args, inputs, outputs, begin, end);
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
