// The body of Rotary for the ISA of the including file.
#pragma once

#include "src/kernels/rotary/rotary.h"
#include "src/kernels/vec.h"

namespace tamis {
namespace {

TAMIS_INLINE Vec Subtracted(Vec a, Vec c, Vec b, Vec s) {
  return a * c - b * s;
}

// Pairs [0, n) whose elements are apart: a turned towards b. The results may lie where a and b do.
template <class In, class Out>
TAMIS_INLINE void TurnApart(const In* a, const In* b, const float* cos_a, const float* sin_a, const float* cos_b,
                            const float* sin_b, Out* to_a, Out* to_b, int64_t n) {
  ForVectors(
      n,
      [&](int64_t i) {
        const Vec x = Load(a + i), y = Load(b + i);
        Store(to_a + i, Subtracted(x, Load(cos_a + i), y, Load(sin_a + i)));
        Store(to_b + i, Fma(y, Load(cos_b + i), x * Load(sin_b + i)));
      },
      [&](int64_t i, int rest) {
        const Vec x = LoadPart(a + i, rest), y = LoadPart(b + i, rest);
        StorePart(to_a + i, Subtracted(x, LoadPart(cos_a + i, rest), y, LoadPart(sin_a + i, rest)), rest);
        StorePart(to_b + i, Fma(y, LoadPart(cos_b + i, rest), x * LoadPart(sin_b + i, rest)), rest);
      });
}

// The even and the odd elements of [0, 2 n).
template <class T>
TAMIS_INLINE void Part(const T* from, int64_t n, float* even, float* odd) {
  for (int64_t i = 0; i < n; ++i) {
    even[i] = ToFloat(from[2 * i]);
    odd[i] = ToFloat(from[2 * i + 1]);
  }
}

// Pairs of neighbours, some at a time taken apart and joined again.
template <class In, class Out>
TAMIS_INLINE void TurnNeighbours(const RotaryArgs& args, const In* x, const float* cosine, const float* sine, Out* y) {
  constexpr int64_t kPiece = 64;
  alignas(64) float even[kPiece], odd[kPiece], joined[2 * kPiece];
  alignas(64) float cosines[2][kPiece], sines[2][kPiece];
  for (int64_t at = 0; at < args.half; at += kPiece) {
    const int64_t n = MinOf(kPiece, args.half - at);
    Part(x + 2 * at, n, even, odd);
    if (args.own_angles) {
      Part(cosine + 2 * at, n, cosines[0], cosines[1]);
      Part(sine + 2 * at, n, sines[0], sines[1]);
      TurnApart(even, odd, cosines[0], sines[0], cosines[1], sines[1], even, odd, n);
    } else {
      TurnApart(even, odd, cosine + at, sine + at, cosine + at, sine + at, even, odd, n);
    }
    for (int64_t i = 0; i < n; ++i) {
      joined[2 * i] = even[i];
      joined[2 * i + 1] = odd[i];
    }
    Map(joined, y + 2 * at, 2 * n, [](Vec v) { return v; });
  }
}

template <class In, class Out>
void RotateRows(const RotaryArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end) {
  const auto* x = static_cast<const In*>(inputs[0]) + begin * args.size;
  const auto *cosines = static_cast<const float*>(inputs[1]), *sines = static_cast<const float*>(inputs[2]);
  Out* y = static_cast<Out*>(outputs[0]) + begin * args.size;
  const int64_t half = args.half, other = args.own_angles ? half : 0;
  for (int64_t row = begin; row < end; ++row, x += args.size, y += args.size) {
    const int64_t table = row / args.batch_rows * args.batch_step + row / args.divisor % args.positions * args.width;
    const float *c = cosines + table, *s = sines + table;
    if (args.interleaved) {
      TurnNeighbours(args, x, c, s, y);
    } else {
      TurnApart(x, x + half, c, s, c + other, s + other, y, y + half, half);
    }
    if (static_cast<const void*>(x) != static_cast<const void*>(y)) {
      Map(x + 2 * half, y + 2 * half, args.size - 2 * half, [](Vec v) { return v; });
    }
  }
}

inline void Rotary(const RotaryArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                   std::byte* /*scratch*/) {
  if (args.bf16_input) {
    return args.bf16_output ? RotateRows<Bf16, Bf16>(args, inputs, outputs, begin, end)
                            : RotateRows<Bf16, float>(args, inputs, outputs, begin, end);
  }
  return args.bf16_output ? RotateRows<float, Bf16>(args, inputs, outputs, begin, end)
                          : RotateRows<float, float>(args, inputs, outputs, begin, end);
}

}  // namespace
}  // namespace tamis
