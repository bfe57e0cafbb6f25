#include "src/kernels/cuda/device.cuh"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/transpose/cuda/move_elements.h"

namespace tamis::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(256) MoveKernel(const __grid_constant__ MoveArgs args) {
  LetNextStart();
  WaitForPrevious();
  const T* x = static_cast<const T*>(args.x) + args.in_offset;
  T* y = static_cast<T*>(args.y) + args.out_offset;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < args.count; i += step) {
    int64_t rest = i, from = 0, to = 0;
    for (int axis = args.rank - 1; axis > 0; --axis) {
      const int64_t next = rest / args.dims[axis];
      const int64_t index = rest - next * args.dims[axis];
      from += index * args.in_strides[axis];
      to += index * args.out_strides[axis];
      rest = next;
    }
    y[to + rest * args.out_strides[0]] = x[from + rest * args.in_strides[0]];
  }
}

template <class T>
__global__ void __launch_bounds__(256) GatherKernel(const __grid_constant__ GatherArgs args) {
  LetNextStart();
  WaitForPrevious();
  const int64_t run = args.run_bytes / static_cast<int64_t>(sizeof(T));
  const int64_t count = args.outer * args.index_count * run;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    const int64_t row = i / run;
    const int64_t in_run = i - row * run;
    const int64_t outer = row / args.index_count;
    const int64_t at = row - outer * args.index_count;
    int64_t index = args.wide_indices ? static_cast<const int64_t*>(args.indices)[at]
                                      : static_cast<const int32_t*>(args.indices)[at];
    if (index < 0) index += args.dim;
    const bool inside = index >= 0 && index < args.dim;
    static_cast<T*>(args.y)[i] =
        inside ? static_cast<const T*>(args.x)[(outer * args.dim + index) * run + in_run] : T{};
  }
}

LaunchShape ShapeOf(int64_t items) {
  const int64_t blocks = (items + 255) / 256;
  LaunchShape shape;
  shape.block = dim3(256);
  shape.grid = dim3(static_cast<unsigned>(blocks < 65536 ? blocks : 65536));
  return shape;
}

}  // namespace

cudaError_t LaunchMove(const MoveArgs& args, cudaStream_t stream) {
  const LaunchShape shape = ShapeOf(args.count);
  switch (args.element_bytes) {
    case 1:
      return LaunchKernel(MoveKernel<uint8_t>, shape, stream, args);
    case 2:
      return LaunchKernel(MoveKernel<uint16_t>, shape, stream, args);
    case 4:
      return LaunchKernel(MoveKernel<uint32_t>, shape, stream, args);
    case 8:
      return LaunchKernel(MoveKernel<uint64_t>, shape, stream, args);
    default:
      return cudaErrorInvalidValue;
  }
}

cudaError_t LaunchGather(const GatherArgs& args, cudaStream_t stream) {
  const int64_t bytes = args.outer * args.index_count * args.run_bytes;
  if (args.run_bytes % 16 == 0) return LaunchKernel(GatherKernel<uint4>, ShapeOf(bytes / 16), stream, args);
  if (args.run_bytes % 4 == 0) return LaunchKernel(GatherKernel<uint32_t>, ShapeOf(bytes / 4), stream, args);
  return LaunchKernel(GatherKernel<uint8_t>, ShapeOf(bytes), stream, args);
}

}  // namespace tamis::cuda
