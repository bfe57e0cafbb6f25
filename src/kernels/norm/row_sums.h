// Sums over rows for kernels of plain x86-64: a template in files of another ISA must not be shared.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tamis {

// Sums of kWays interleaved elements, so that they do not wait for one another.
template <class F>
double SumOfRow(const float* x, int64_t size, F f) {
  constexpr int64_t kWays = 16;
  double total = 0;
  for (int64_t begin = 0; begin < size; begin += 4096) {
    const int64_t end = std::min(size, begin + 4096);
    float sums[kWays] = {};
    int64_t i = begin;
    for (; i + kWays <= end; i += kWays) {
      for (int64_t j = 0; j < kWays; ++j) sums[j] += f(x[i + j]);
    }
    for (; i < end; ++i) sums[0] += f(x[i]);
    for (const float sum : sums) total += static_cast<double>(sum);
  }
  return total;
}

}  // namespace tamis
