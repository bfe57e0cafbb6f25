// Reductions over neighbouring axes.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "tamis/dtype.h"

namespace tamis::cuda {

enum class ReduceKind : int { kSum, kMean, kMax, kMin, kSumSquare, kL2 };

// y[outer, columns] from x[outer, rows, columns], both of `dtype` (f32, f16 or bf16), sums in f32.
struct ReduceRowsArgs {
  const void* x = nullptr;
  void* y = nullptr;
  int64_t outer = 0, rows = 0, columns = 1;
  ReduceKind kind = ReduceKind::kSum;
  DType dtype = DType::kFloat32;
};

cudaError_t LaunchReduceRows(const ReduceRowsArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
