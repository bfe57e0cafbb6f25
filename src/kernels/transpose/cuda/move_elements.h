// Moves elements between two strided layouts (Transpose, Slice, Split, Concat, Expand), and picks rows (Gather).
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace tamis::cuda {

struct MoveArgs {
  const void* x = nullptr;
  void* y = nullptr;
  int element_bytes = 0;  // 1, 2, 4 or 8
  int rank = 1;
  int64_t count = 0;  // product of dims
  int64_t dims[8] = {};
  int64_t in_strides[8] = {}, out_strides[8] = {};  // elements
  int64_t in_offset = 0, out_offset = 0;
};

cudaError_t LaunchMove(const MoveArgs& args, cudaStream_t stream);

// y[outer, index, run] = x[outer, indices[index], run]; an index outside of [-dim, dim) gives zeros.
struct GatherArgs {
  const void *x = nullptr, *indices = nullptr;
  void* y = nullptr;
  bool wide_indices = true;  // int64, else int32
  int64_t outer = 1, dim = 1, index_count = 1;
  int64_t run_bytes = 1;
};

cudaError_t LaunchGather(const GatherArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
