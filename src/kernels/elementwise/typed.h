// Loops over element types that have no vectors of their own: integers of every width and f64. For kernels of plain
// x86-64 only: a template in files of another ISA must not be shared.
#pragma once

#include <cstdint>

#include "src/kernels/elementwise/broadcast_runs.h"
#include "tamis/dtype.h"

namespace tamis {

// Calls f with a value of the integer dtype's C++ type; false if it is none of 8 to 64 bits.
template <class F>
bool WithInteger(DType dtype, F f) {
  switch (dtype) {
    case DType::kInt64:
      f(int64_t{});
      return true;
    case DType::kInt32:
      f(int32_t{});
      return true;
    case DType::kInt16:
      f(int16_t{});
      return true;
    case DType::kInt8:
      f(int8_t{});
      return true;
    case DType::kUInt64:
      f(uint64_t{});
      return true;
    case DType::kUInt32:
      f(uint32_t{});
      return true;
    case DType::kUInt16:
      f(uint16_t{});
      return true;
    case DType::kUInt8:
      f(uint8_t{});
      return true;
    default:
      return false;
  }
}

// The same, and f32 and f64.
template <class F>
bool WithNumber(DType dtype, F f) {
  if (dtype == DType::kFloat32) return f(float{}), true;
  if (dtype == DType::kFloat64) return f(double{}), true;
  return WithInteger(dtype, f);
}

inline bool IsWideInteger(DType dtype) {
  return WithInteger(dtype, [](auto) {});
}

// result = f(a, b) for elements [begin, end) of a broadcast pair.
template <class T, class R, class F>
void CombineRuns(const BroadcastLoops& loops, const void* const* inputs, void* const* outputs, int64_t begin,
                 int64_t end, F f) {
  const int last = loops.rank - 1;
  const bool a_moves = loops.strides[0][last] != 0, b_moves = loops.strides[1][last] != 0;
  ForEachRun(loops, begin, end, [&](const auto& offsets, int64_t at, int64_t count) {
    const T* a = static_cast<const T*>(inputs[0]) + offsets[0];
    const T* b = static_cast<const T*>(inputs[1]) + offsets[1];
    R* y = static_cast<R*>(outputs[0]) + at;
    if (a_moves && b_moves) {
      for (int64_t i = 0; i < count; ++i) y[i] = static_cast<R>(f(a[i], b[i]));
    } else if (a_moves) {
      const T q = *b;
      for (int64_t i = 0; i < count; ++i) y[i] = static_cast<R>(f(a[i], q));
    } else if (b_moves) {
      const T p = *a;
      for (int64_t i = 0; i < count; ++i) y[i] = static_cast<R>(f(p, b[i]));
    } else {
      std::fill_n(y, count, static_cast<R>(f(*a, *b)));
    }
  });
}

}  // namespace tamis
