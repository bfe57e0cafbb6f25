// Matrix products on tensor cores by mma.sync, and convolutions as products whose left operand is gathered.
#pragma once

#include <cuda_runtime_api.h>

#include "src/kernels/cuda/conv_geometry.h"
#include "src/kernels/cuda/epilogue_args.h"

namespace tamis::cuda {

// Where the rows of the left operand come from.
enum class MmaSource : int {
  kRows,    // x[rows, depth]
  kPixels,  // a convolution; channels a multiple of 8: depth runs over (r, s, channel)
  kRuns,    // a convolution of few channels, no dilation along a row: depth runs over (r, run), where the run of
            // kernel_w * channels consecutive elements of an image row is padded to a multiple of 8
  kPlanes,  // the same of an f32 image with its channels first, x[batch, channels, in_h, in_w], kernel_w at most 8:
            // depth runs over (r, channel, 8 neighbours in a row of the plane)
};

// y[rows, outputs] = act(x . w^T + bias + residual), f16 operands, f32 accumulation. x and w 16-byte aligned, depth a
// multiple of 8; for kRuns and kPlanes depth counts the padding, which is zero in w. The geometry
// is that of a convolution, and not looked at for kRows.
struct MmaArgs : ConvGeometry {
  const void* x = nullptr;         // f16; f32 for kPlanes
  const void* w = nullptr;         // f16 [outputs, depth]
  const float* bias = nullptr;     // may be null
  const void* residual = nullptr;  // may be null; f16, or f32 with residual_f32
  void* y = nullptr;               // f16, or f32 with output_f32
  int rows = 0, outputs = 0, depth = 0;
  bool residual_f32 = false, output_f32 = false;
  ActivationArgs activation;
};

// How the work is cut: tiles of the result, and parts of the depth that a cluster of blocks shares.
struct MmaTile {
  int rows = 0, outputs = 0;
};
inline constexpr MmaTile kMmaTiles[] = {{64, 64}, {128, 64}, {64, 128}, {128, 128}, {128, 128}, {128, 256}};
inline constexpr int kWarpTiles = 4;       // the first ones are by warp products (mma.sync)
inline constexpr int kWarpgroupTiles = 2;  // the others by warpgroup products (wgmma), on compute capability 9.0 only
inline constexpr int kMmaDepthStep = 64;

struct MmaChoice {
  int tile = 0;   // index into kMmaTiles
  int split = 1;  // 1, 2, 4 or 8; above 1 on compute capability 9.0 and by warp products only
};

// Bytes of shared memory that a tile's kernel takes.
inline constexpr int kMmaSharedBytes[] = {65536, 98304, 98304, 98304, 99328, 197632};

// Once before launches of this choice: raises the kernel's limit of shared memory. Warpgroup tiles take x from rows or
// pixels. One .cu file for each source and kind of tile.
template <MmaSource kSource>
cudaError_t PrepareMma(MmaChoice choice);
template <MmaSource kSource>
cudaError_t LaunchMma(MmaChoice choice, const MmaArgs& args, cudaStream_t stream);

// The same for warpgroup tiles of so many outputs.
template <MmaSource kSource>
cudaError_t PrepareWgmma(int outputs);
template <MmaSource kSource>
cudaError_t LaunchWgmma(int outputs, const MmaArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
