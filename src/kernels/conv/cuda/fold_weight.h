// The weights of convolutions over folded images (fold_image.h).
#pragma once

#include <algorithm>
#include <vector>

#include "src/kernels/conv/cuda/fold_image.h"
#include "src/kernels/problem.h"

namespace tamis::cuda {

inline int CeilDiv(int a, int b) {
  return (a + b - 1) / b;
}

// [outputs, kernel_h, kernel_w, channels] as [outputs][runs, the folded rows][run]; what no element fills is 0.
template <class T>
std::vector<T> FoldWeight(const Problem& problem, const FoldImageArgs& fold, int64_t runs, int64_t run) {
  const Dims& dims = problem.input(1).dims;
  const int64_t outputs = dims[0], height = dims[1], width = dims[2], channels = dims[3];
  std::vector<T> result(static_cast<size_t>(outputs * runs * run));
  const auto* from = problem.input(1).constant->Data<T>();
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t r = 0; r < height; ++r) {
      for (int64_t s = 0; s < width; ++s) {
        const int64_t part = r % fold.fold_h * fold.fold_w + s % fold.fold_w;
        const int64_t to = (o * runs + r / fold.fold_h) * run + s / fold.fold_w * fold.pitch + part * channels;
        std::copy_n(from + ((o * height + r) * width + s) * channels, channels, result.data() + to);
      }
    }
  }
  return result;
}

}  // namespace tamis::cuda
