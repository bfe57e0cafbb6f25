// Small pieces that reference evaluations share: dispatch on the element type and sums in double.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "tamis/tensor.h"

namespace tamis {

// Calls f with a zero of the element type. References see f32 or f64 only: half operands arrive widened.
template <class F>
void DispatchFloat(DType dtype, F&& f) {
  if (dtype == DType::kFloat64) {
    f(double{});
  } else {
    f(float{});
  }
}

// sum_i a[i] * b[i] in double. Eight partial sums let the compiler use vectors without reordering a given sum.
template <class A, class B>
double Dot(const A* a, const B* b, int64_t count) {
  constexpr int64_t kLanes = 8;
  double partial[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      partial[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
  double sum = 0;
  for (; i < count; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  for (double value : partial) sum += value;
  return sum;
}

// sum[j] = sum_p row[p] * matrix[p, j] for a row-major matrix[k, n].
template <class Acc, class T>
void MultiplyRow(const Acc* row, const T* matrix, int64_t k, int64_t n, Acc* sum) {
  std::fill(sum, sum + n, Acc{});
  for (int64_t p = 0; p < k; ++p) {
    for (int64_t j = 0; j < n; ++j) sum[j] += row[p] * static_cast<Acc>(matrix[p * n + j]);
  }
}

}  // namespace tamis
