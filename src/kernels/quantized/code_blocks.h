// Codes to numbers and back, a block at a time, for the ISA of the including file. Blocks stay in the L1 cache, so that
// each operand type and each result type has one loop, and whatever lies between works on f32.
#pragma once

#include "src/kernels/quantized/code_type.h"
#include "src/kernels/vec_activation.h"

namespace tamis {
namespace {

constexpr int64_t kCodeBlock = 512;

// out = scale * x + shift
template <class T>
TAMIS_INLINE void WidenBlock(const T* x, int64_t count, float scale, float shift, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = scale * static_cast<float>(x[i]) + shift;
}
TAMIS_INLINE void WidenCodes(CodeType type, const void* x, int64_t at, int64_t count, float scale, float shift,
                             float* out) {
  if (type == CodeType::kUInt8) return WidenBlock(static_cast<const uint8_t*>(x) + at, count, scale, shift, out);
  if (type == CodeType::kInt8) return WidenBlock(static_cast<const int8_t*>(x) + at, count, scale, shift, out);
  WidenBlock(static_cast<const float*>(x) + at, count, scale, shift, out);
}

// y = saturate(round to even(v) + zero). Numbers of this size rounded by the addition of 1.5 * 2^23 come out even.
template <class T>
TAMIS_INLINE void NarrowBlock(const float* v, int64_t count, float zero, T* y) {
  constexpr float kMagic = 12582912.0f;
  const float low = (T(-1) < T(0) ? -128.0f : 0.0f) - zero, high = (T(-1) < T(0) ? 127.0f : 255.0f) - zero;
  for (int64_t i = 0; i < count; ++i) {
    const float raised = v[i] > low ? v[i] : low;  // a NaN becomes the lowest code
    const float bounded = raised < high ? raised : high;
    y[i] = static_cast<T>(static_cast<int32_t>((bounded + kMagic) - kMagic + zero));
  }
}
// y = v for f32
TAMIS_INLINE void NarrowCodes(CodeType type, const float* v, int64_t count, float zero, void* y, int64_t at) {
  if (type == CodeType::kUInt8) return NarrowBlock(v, count, zero, static_cast<uint8_t*>(y) + at);
  if (type == CodeType::kInt8) return NarrowBlock(v, count, zero, static_cast<int8_t*>(y) + at);
  for (int64_t i = 0; i < count; ++i) static_cast<float*>(y)[at + i] = v[i];
}

// v = factor * activation(v), in place. `v` has room for whole vectors.
TAMIS_INLINE void ActivateBlock(const Epilogue& epilogue, float factor, float* v, int64_t count) {
  if (epilogue.activation == Activation::kNone && factor == 1.0f) return;
  const ActivationParameters parameters = ParametersOf(epilogue);
  const Vec scale = Set(factor);
  for (int64_t i = 0; i < count; i += kLanes) {
    Store(v + i, Activate(epilogue.activation, parameters, Load(v + i)) * scale);
  }
}

}  // namespace
}  // namespace tamis
