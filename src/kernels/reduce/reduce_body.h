// The body of reductions for the ISA of the including file.
#pragma once

#include "src/kernels/reduce/reduce.h"
#include "src/kernels/vec.h"

namespace tamis {
namespace {

// The sum of a contiguous run, in four partial sums of vectors.
template <class In>
TAMIS_INLINE float SumRun(const In* x, int64_t n) {
  Vec sums[4] = {Set(0), Set(0), Set(0), Set(0)};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    for (int j = 0; j < 4; ++j) sums[j] = sums[j] + Load(x + i + j * kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) sums[0] = sums[0] + Load(x + i);
  if (i < n) sums[1] = sums[1] + LoadPart(x + i, static_cast<int>(n - i));
  return SumLanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

// Row sums of kVectors vectors of columns at once.
template <int kVectors, class In, class Out>
TAMIS_INLINE void SumColumns(const In* x, Out* y, int64_t rows, int64_t stride, Vec factor) {
  Vec sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = Set(0);
  for (int64_t r = 0; r < rows; ++r) {
    for (int v = 0; v < kVectors; ++v) sums[v] = sums[v] + Load(x + r * stride + v * kLanes);
  }
  for (int v = 0; v < kVectors; ++v) Store(y + v * kLanes, sums[v] * factor);
}

TAMIS_INLINE void StoreOne(float* p, float x) {
  *p = x;
}
TAMIS_INLINE void StoreOne(Bf16* p, float x) {
  StorePart(p, Set(x), 1);
}

template <class In, class Out>
inline void ReduceItems(const ReduceArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                        int64_t end) {
  const Vec factor = Set(args.factor);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t outer = item / args.chunks, first = item % args.chunks * args.chunk;
    const In* x = static_cast<const In*>(inputs[0]) + outer * args.rows * args.columns + first;
    Out* y = static_cast<Out*>(outputs[0]) + outer * args.columns + first;
    if (args.columns == 1) {
      StoreOne(y, SumRun(x, args.rows) * args.factor);
      continue;
    }
    const int64_t n = MinOf(args.chunk, args.columns - first);
    int64_t c = 0;
    for (; c + 4 * kLanes <= n; c += 4 * kLanes) SumColumns<4>(x + c, y + c, args.rows, args.columns, factor);
    for (; c + kLanes <= n; c += kLanes) SumColumns<1>(x + c, y + c, args.rows, args.columns, factor);
    if (c < n) {
      const int rest = static_cast<int>(n - c);
      Vec sum = Set(0);
      for (int64_t r = 0; r < args.rows; ++r) sum = sum + LoadPart(x + r * args.columns + c, rest);
      StorePart(y + c, sum * factor, rest);
    }
  }
}

inline void Reduce(const ReduceArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                   std::byte* /*scratch*/) {
  if (args.bf16_input) {
    const auto items = args.bf16_output ? ReduceItems<Bf16, Bf16> : ReduceItems<Bf16, float>;
    items(args, inputs, outputs, begin, end);
  } else {
    const auto items = args.bf16_output ? ReduceItems<float, Bf16> : ReduceItems<float, float>;
    items(args, inputs, outputs, begin, end);
  }
}

}  // namespace
}  // namespace tamis
