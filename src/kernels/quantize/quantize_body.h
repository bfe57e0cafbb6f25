// The bodies of quantising operators for the ISA of the including file.
#pragma once

#include "src/kernels/quantize/quantize.h"
#include "src/kernels/vec_functions.h"

namespace tamis {
namespace {

constexpr int64_t kQuantizePiece = 512;  // elements that are converted at a time

// round(x / scale) + zero, a NaN as 0, within the bounds. Small floats round for themselves.
TAMIS_INLINE Vec Quantized(bool integer, Vec x, Vec scale, Vec zero, Vec low, Vec high) {
  Vec v = x / scale;
  if (!integer) return v + zero;
  v = IfLess(v, Set(__builtin_inff()), v, IfLess(Set(0), v, v, Set(0)));
  return Clamp(RoundAny(v) + zero, low, high);
}

template <class T>
TAMIS_INLINE void ToIntegers(const float* values, int64_t n, T* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(static_cast<int32_t>(values[i]));
}
template <class T>
TAMIS_INLINE void FromIntegers(const T* x, int64_t n, float* values) {
  for (int64_t i = 0; i < n; ++i) values[i] = static_cast<float>(x[i]);
}

inline void WriteCodes(const QuantizeArgs& args, const float* values, int64_t n, void* y, int64_t at) {
  switch (args.quantized) {
    case DType::kUInt8:
      return ToIntegers(values, n, static_cast<uint8_t*>(y) + at);
    case DType::kInt8:
      return ToIntegers(values, n, static_cast<int8_t*>(y) + at);
    case DType::kUInt16:
      return ToIntegers(values, n, static_cast<uint16_t*>(y) + at);
    case DType::kInt16:
      return ToIntegers(values, n, static_cast<int16_t*>(y) + at);
    default:
      return EncodeCodes(args, values, n, y, at);
  }
}

inline void ReadCodes(const QuantizeArgs& args, const void* x, int64_t at, int64_t n, float* values) {
  switch (args.quantized) {
    case DType::kUInt8:
      return FromIntegers(static_cast<const uint8_t*>(x) + at, n, values);
    case DType::kInt8:
      return FromIntegers(static_cast<const int8_t*>(x) + at, n, values);
    case DType::kUInt16:
      return FromIntegers(static_cast<const uint16_t*>(x) + at, n, values);
    case DType::kInt16:
      return FromIntegers(static_cast<const int16_t*>(x) + at, n, values);
    case DType::kInt32:
      return FromIntegers(static_cast<const int32_t*>(x) + at, n, values);
    default:
      return DecodeCodes(args, x, at, n, values);
  }
}

// Calls f(at, n, scale, row) for pieces of the items' runs: elements [at, at + n), the first of their scales, and
// whether each has its own.
template <class F>
TAMIS_INLINE void ForScaledPieces(const QuantizeArgs& args, int64_t begin, int64_t end, F f) {
  constexpr int64_t kUnit = 64;
  const bool single = args.runs.runs == 1;
  for (int64_t item = begin; item < end;) {
    ScaleRun run = RunAt(args.runs, single ? 0 : item);
    int64_t skipped = 0;
    if (single) {
      skipped = item * kUnit;
      run.count = MinOf(run.count, end * kUnit) - skipped;
      item = end;
    } else {
      ++item;
    }
    for (int64_t done = 0; done < run.count; done += kQuantizePiece) {
      const int64_t n = MinOf(kQuantizePiece, run.count - done);
      const int64_t scale = args.runs.row ? run.scale + skipped + done : run.scale;
      f(run.begin + skipped + done, n, scale, args.runs.row);
    }
  }
}

// Zero points of a piece as f32.
TAMIS_INLINE void ReadZeros(const QuantizeArgs& args, const void* zeros, int64_t scale, bool row, int64_t n,
                            float* values) {
  if (args.zero) {
    ReadCodes(args, zeros, scale, row ? n : 1, values);
  } else {
    for (int64_t i = 0; i < (row ? n : 1); ++i) values[i] = 0;
  }
}

inline void QuantizeRuns(const QuantizeArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                         int64_t end, std::byte* /*scratch*/) {
  alignas(64) float values[kQuantizePiece], zeros[kQuantizePiece];
  const auto* all_scales = static_cast<const float*>(inputs[1]);
  const Vec low = Set(args.low), high = Set(args.high);
  const bool integer = args.integer;
  ForScaledPieces(args, begin, end, [&](int64_t at, int64_t n, int64_t scale, bool row) {
    const float *x = static_cast<const float*>(inputs[0]) + at, *scales = all_scales + scale;
    ReadZeros(args, args.zero ? inputs[2] : nullptr, scale, row, n, zeros);
    if (row) {
      ForVectors(
          n,
          [&](int64_t i) {
            Store(values + i, Quantized(integer, Load(x + i), Load(scales + i), Load(zeros + i), low, high));
          },
          [&](int64_t i, int rest) {
            StorePart(values + i,
                      Quantized(integer, LoadPart(x + i, rest), LoadPart(scales + i, rest), LoadPart(zeros + i, rest),
                                low, high),
                      rest);
          });
    } else {
      const Vec one = Set(scales[0]), zero = Set(zeros[0]);
      Map(x, values, n, [&](Vec v) { return Quantized(integer, v, one, zero, low, high); });
    }
    WriteCodes(args, values, n, outputs[0], at);
  });
}

inline void DequantizeRuns(const QuantizeArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                           int64_t end, std::byte* /*scratch*/) {
  alignas(64) float values[kQuantizePiece], zeros[kQuantizePiece];
  const auto* all_scales = static_cast<const float*>(inputs[1]);
  ForScaledPieces(args, begin, end, [&](int64_t at, int64_t n, int64_t scale, bool row) {
    float* y = static_cast<float*>(outputs[0]) + at;
    const float* scales = all_scales + scale;
    ReadCodes(args, inputs[0], at, n, values);
    ReadZeros(args, args.zero ? inputs[2] : nullptr, scale, row, n, zeros);
    if (row) {
      ForVectors(
          n, [&](int64_t i) { Store(y + i, (Load(values + i) - Load(zeros + i)) * Load(scales + i)); },
          [&](int64_t i, int rest) {
            StorePart(y + i, (LoadPart(values + i, rest) - LoadPart(zeros + i, rest)) * LoadPart(scales + i, rest),
                      rest);
          });
    } else {
      const Vec one = Set(scales[0]), zero = Set(zeros[0]);
      Map(values, y, n, [&](Vec v) { return (v - zero) * one; });
    }
  });
}

inline void BoundsOf(const float* x, int64_t n, float* bounds) {
  Vec low = Set(0), high = Set(0);
  ForVectors(
      n,
      [&](int64_t i) {
        const Vec v = Load(x + i);
        low = Min(v, low);  // a NaN is passed over
        high = Max(v, high);
      },
      [&](int64_t i, int rest) {
        const Vec v = LoadPart(x + i, rest);
        low = Min(v, low);
        high = Max(v, high);
      });
  bounds[0] = -MaxLane(Set(0) - low);
  bounds[1] = MaxLane(high);
}

inline void QuantizeWithScale(const float* x, int64_t n, float scale, float zero, uint8_t* y) {
  alignas(64) float values[kQuantizePiece];
  for (int64_t at = 0; at < n; at += kQuantizePiece) {
    const int64_t count = MinOf(kQuantizePiece, n - at);
    const Vec one = Set(scale), shift = Set(zero), low = Set(0), high = Set(255);
    Map(x + at, values, count, [&](Vec v) { return Quantized(true, v, one, shift, low, high); });
    ToIntegers(values, count, y + at);
  }
}

constexpr QuantizeBodies kQuantizeBodies = {QuantizeRuns, DequantizeRuns, BoundsOf, QuantizeWithScale};

}  // namespace
}  // namespace tamis
