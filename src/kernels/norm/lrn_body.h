// The body of LRN for the ISA of the including file.
#pragma once

#include "src/kernels/norm/lrn.h"
#include "src/kernels/vec_functions.h"

namespace tamis {
namespace {

// denominator^-beta; the usual 3/4 by roots.
TAMIS_INLINE Vec ScaleOf(Vec denominator, float beta) {
  if (beta == 0.75f) {
    const Vec root = Sqrt(denominator);
    return Set(1) / (root * Sqrt(root));
  }
  return Exp(Set(-beta) * Log(denominator));
}

inline void Lrn(const LrnArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                std::byte* /*scratch*/) {
  const Vec alpha = Set(args.alpha), bias = Set(args.bias);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item % args.blocks * LrnArgs::kBlock;
    const int64_t base = item / args.blocks * args.channels * args.plane + first;
    const float* x = static_cast<const float*>(inputs[0]) + base;
    float* y = static_cast<float*>(outputs[0]) + base;
    const int64_t n = MinOf(LrnArgs::kBlock, args.plane - first);
    for (int64_t c = 0; c < args.channels; ++c) {
      const int64_t low = MaxOf(0, c - args.before), high = MinOf(args.channels - 1, c + args.after);
      const auto result = [&](int64_t i, auto read) {
        Vec sum = Set(0);
        for (int64_t k = low; k <= high; ++k) {
          const Vec v = read(x + k * args.plane + i);
          sum = Fma(v, v, sum);
        }
        return read(x + c * args.plane + i) * ScaleOf(Fma(alpha, sum, bias), args.beta);
      };
      float* row = y + c * args.plane;
      ForVectors(
          n, [&](int64_t i) { Store(row + i, result(i, [](const float* p) { return Load(p); })); },
          [&](int64_t i, int rest) {
            StorePart(row + i, result(i, [rest](const float* p) { return LoadPart(p, rest); }), rest);
          });
    }
  }
}

}  // namespace
}  // namespace tamis
