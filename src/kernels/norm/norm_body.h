// The bodies of row normalisations for the ISA of the including file.
#pragma once

#include "src/kernels/norm/norm.h"
#include "src/kernels/quantized/code_blocks.h"
#include "src/kernels/vec.h"

namespace tamis {
namespace {

// Sums in several chains, so that an addition need not wait for the one before.
template <class T>
TAMIS_INLINE float SumOf(const T* x, int64_t n) {
  constexpr int64_t kChains = 4;
  Vec sums[kChains] = {Set(0), Set(0), Set(0), Set(0)};
  int64_t i = 0;
  for (; i + kChains * kLanes <= n; i += kChains * kLanes) {
    for (int64_t c = 0; c < kChains; ++c) sums[c] = sums[c] + Load(x + i + c * kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) sums[0] = sums[0] + Load(x + i);
  if (i < n) sums[1] = sums[1] + LoadPart(x + i, static_cast<int>(n - i));
  return SumLanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <class T>
TAMIS_INLINE float SumOfSquares(const T* x, int64_t n, float mean) {
  constexpr int64_t kChains = 4;
  const Vec center = Set(mean);
  Vec sums[kChains] = {Set(0), Set(0), Set(0), Set(0)};
  int64_t i = 0;
  for (; i + kChains * kLanes <= n; i += kChains * kLanes) {
    for (int64_t c = 0; c < kChains; ++c) {
      const Vec a = Load(x + i + c * kLanes) - center;
      sums[c] = Fma(a, a, sums[c]);
    }
  }
  for (; i + kLanes <= n; i += kLanes) {
    const Vec a = Load(x + i) - center;
    sums[0] = Fma(a, a, sums[0]);
  }
  float rest = 0;
  for (; i < n; ++i) {
    const float a = ToFloat(x[i]) - mean;
    rest += a * a;
  }
  return SumLanes((sums[0] + sums[1]) + (sums[2] + sums[3])) + rest;
}

TAMIS_INLINE float SquareRoot(float x) {
  return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
}

// Of a row x: what is subtracted from it, and what it is multiplied by then.
struct Moments {
  float mean, factor;
};
template <class In>
TAMIS_INLINE Moments MomentsOf(const NormArgs& args, const In* x) {
  const auto count = static_cast<float>(args.columns);
  const float mean = args.kind == NormKind::kLayer ? SumOf(x, args.columns) / count : 0.0f;
  const float squares = SumOfSquares(x, args.columns, mean);
  if (args.kind != NormKind::kL2) return {mean, 1.0f / SquareRoot(squares / count + args.epsilon)};
  const float norm = SquareRoot(squares);
  return {mean, 1.0f / (norm < args.epsilon ? args.epsilon : norm)};
}

// y = last((x - mean) * factor * scale + bias) of n columns; scale and bias may be null.
template <class In, class Out, class Affine, class Last>
TAMIS_INLINE void NormColumns(const In* x, int64_t n, Moments moments, const Affine* scale, const Affine* bias, Out* y,
                              Last last) {
  const Vec center = Set(moments.mean), inverse = Set(moments.factor);
  ForVectors(
      n,
      [&](int64_t i) {
        Vec v = (Load(x + i) - center) * inverse;
        if (scale != nullptr) v = v * Load(scale + i);
        if (bias != nullptr) v = v + Load(bias + i);
        Store(y + i, last(v));
      },
      [&](int64_t i, int rest) {
        Vec v = (LoadPart(x + i, rest) - center) * inverse;
        if (scale != nullptr) v = v * LoadPart(scale + i, rest);
        if (bias != nullptr) v = v + LoadPart(bias + i, rest);
        StorePart(y + i, last(v), rest);
      });
}

template <class Affine>
TAMIS_INLINE const Affine* ScaleOf(const NormArgs& args, const void* const* inputs) {
  return args.kind == NormKind::kL2 ? nullptr : static_cast<const Affine*>(inputs[1]);
}
template <class Affine>
TAMIS_INLINE const Affine* BiasOf(const NormArgs& args, const void* const* inputs) {
  return args.kind == NormKind::kLayer && args.bias ? static_cast<const Affine*>(inputs[2]) : nullptr;
}

template <class In, class Out, class Affine>
void NormRows(const NormArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end) {
  const int64_t n = args.columns;
  for (int64_t row = begin; row < end; ++row) {
    const In* x = static_cast<const In*>(inputs[0]) + row * n;
    NormColumns(x, n, MomentsOf(args, x), ScaleOf<Affine>(args, inputs), BiasOf<Affine>(args, inputs),
                static_cast<Out*>(outputs[0]) + row * n, [](Vec v) { return v; });
  }
}

// A block of numbers at a time, which stays in the L1 cache on its way to codes.
inline void CodeRows(const NormArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                     int64_t end) {
  alignas(64) float values[kCodeBlock];
  const float *scale = ScaleOf<float>(args, inputs), *bias = BiasOf<float>(args, inputs);
  const Vec code_factor = Set(args.code_factor);
  for (int64_t row = begin; row < end; ++row) {
    const float* x = static_cast<const float*>(inputs[0]) + row * args.columns;
    const Moments moments = MomentsOf(args, x);
    for (int64_t first = 0; first < args.columns; first += kCodeBlock) {
      const int64_t count = MinOf(args.columns - first, kCodeBlock);
      NormColumns(x + first, count, moments, scale + first, bias == nullptr ? nullptr : bias + first, values,
                  [&](Vec v) { return v * code_factor; });
      NarrowCodes(args.y_type, values, count, args.code_zero, outputs[0], row * args.columns + first);
    }
  }
}

template <class Affine>
void NormAs(const NormArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end) {
  if (args.bf16_input) {
    const auto rows = args.bf16_output ? NormRows<Bf16, Bf16, Affine> : NormRows<Bf16, float, Affine>;
    rows(args, inputs, outputs, begin, end);
  } else {
    const auto rows = args.bf16_output ? NormRows<float, Bf16, Affine> : NormRows<float, float, Affine>;
    rows(args, inputs, outputs, begin, end);
  }
}

inline void Norm(const NormArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                 std::byte* /*scratch*/) {
  if (args.y_type != CodeType::kFloat32) return CodeRows(args, inputs, outputs, begin, end);
  (args.bf16_affine ? NormAs<Bf16> : NormAs<float>)(args, inputs, outputs, begin, end);
}

}  // namespace
}  // namespace tamis
