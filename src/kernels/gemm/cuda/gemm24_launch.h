// Launchers of the 2:4 (or dense) product y[rows, outputs] = act(x[rows, depth] . w[outputs, depth]^T + bias +
// residual) on NVIDIA GPUs. Plain C++: included by what nvcc compiles and by what the host compiler does.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <string>
#include <vector>

#include "src/kernels/cuda/conv_geometry.h"
#include "src/kernels/cuda/epilogue_args.h"
#include "tamis/dtype.h"

namespace tamis::cuda {

// A convolution as a product: rows are output pixels, x holds images [batch][in_h][in_w][channels], w is
// [outputs][kernel_h][kernel_w][channels] packed in runs of `channels`.
struct ImageSource : ConvGeometry {
  // Elements between neighbouring pixels, lines and images; 0: no gaps. Pixels may overlap.
  int64_t pixel_pitch = 0, line_pitch = 0, image_pitch = 0;
};

constexpr bool IsCode(DType dtype) {
  return dtype == DType::kUInt8 || dtype == DType::kInt8;
}

// One output of an int8 product: y = code(act(scale * sum + bias + residual)), the sum over codes as they are. `bias`
// makes up for the zero point of x.
struct alignas(8) Int8Channel {
  float scale = 0, bias = 0;
};

// The types of an int8 product, and how numbers become codes: code = round(number * y_inverse) + y_zero, within the
// type; number = residual_scale * (code - residual_zero).
struct Int8Types {
  bool x_unsigned = false;                                    // u8, otherwise s8
  DType y = DType::kUndefined, residual = DType::kUndefined;  // u8, s8, f16 or f32
  float y_inverse = 1, residual_scale = 1;
  int y_zero = 0, residual_zero = 0;

  // Whether a tile is finished in registers (StoreCodes); all else goes through shared memory.
  bool InRegisters(Activation activation) const {
    const bool usual = activation == Activation::kNone || activation == Activation::kRelu ||
                       activation == Activation::kClip || activation == Activation::kGelu;
    return usual && (IsCode(y) || y == DType::kFloat16) && (IsCode(residual) || residual == DType::kUndefined);
  }
};

struct Gemm24Problem {
  int64_t rows = 0;  // tokens or pixels
  int64_t outputs = 0;
  int64_t depth = 0;  // of a convolution: channels
  bool bf16 = false;  // of x, w, residual and y; otherwise f16
  ActivationArgs activation;
  ImageSource image;  // of a convolution; batch is 0 otherwise
  // The weight is dense and packed by PackDenseTiles (src/kernels/gemm/dense_tiles.h); on Hopper only.
  bool dense = false;
  // y is the layer norm of its rows, act() being none; no convolutions; Hopper only.
  bool norm = false;
  float epsilon = 0;
  // x and w are codes, counted in pairs: depth, channels and pitches are half of theirs. The weight is packed by
  // PackCodeTiles, or PackSparseCodeTiles; Hopper only. Outputs are a multiple of 16, or of 8 where neither y nor the
  // residual are codes.
  bool int8 = false;
  Int8Types types = {};
  // x and w are float8e4m3fn, counted in pairs; residual and y are f16 or bf16. The weight is packed by PackDenseTiles,
  // two codes an element, or PackSparseCodeTiles with its rows in order; Hopper only.
  bool float8 = false;

  bool OfImages() const { return image.batch > 0; }
  int64_t Runs() const { return int64_t{image.kernel_h} * image.kernel_w; }
};

// Addresses on the device. x, residual and y are rows without gaps.
struct Gemm24Operands {
  const void* x = nullptr;
  const void* weight = nullptr;    // packed, src/kernels/gemm/sparse_tile_format.h
  const float* bias = nullptr;     // may be null
  const void* residual = nullptr;  // may be null
  void* y = nullptr;
  const void *norm_scale = nullptr, *norm_bias = nullptr;  // with `norm`, of x's type; the bias may be null
  const Int8Channel* channels = nullptr;                   // of products of codes, by output; `bias` is null then
};

// A way to compute the product: an instance of a kernel, and how many blocks share the depth of a tile.
struct Gemm24Tactic {
  int instance = 0;
  int split = 1;       // blocks of a cluster that add up one tile's sums
  bool lines = false;  // of the kernels that keep lines of images in shared memory (gemm24_lines.cuh)
};

// Tactics are ranked by prediction, best first. Allow... is called once on the device before the first launch, which
// then only enqueues. `overlap`: the launch may begin before the stream's previous kernel has ended; it waits for it
// before it touches x, residual or y (programmatic dependent launch).

// Hopper (compute capability 9.0), weights in SparseTileOrder::kWarpgroup; depth and outputs are multiples of 8. Also
// convolutions, whose x the copy engine gathers (im2col mode).
std::vector<Gemm24Tactic> Gemm24WgmmaTactics(const Gemm24Problem& problem, int multiprocessors);
std::string Gemm24WgmmaName(const Gemm24Problem& problem, const Gemm24Tactic& tactic);
cudaError_t AllowGemm24Wgmma(const Gemm24Problem& problem, const Gemm24Tactic& tactic);
cudaError_t Gemm24Wgmma(const Gemm24Problem& problem, const Gemm24Tactic& tactic, const Gemm24Operands& operands,
                        bool overlap, cudaStream_t stream);

// Compute capability 8.0 and later, weights in SparseTileOrder::kWarp, any depth and outputs; no convolutions.
std::vector<Gemm24Tactic> Gemm24MmaTactics(const Gemm24Problem& problem, int multiprocessors);
std::string Gemm24MmaName(const Gemm24Tactic& tactic);
cudaError_t AllowGemm24Mma(const Gemm24Problem& problem, const Gemm24Tactic& tactic);
cudaError_t Gemm24Mma(const Gemm24Problem& problem, const Gemm24Tactic& tactic, const Gemm24Operands& operands,
                      bool overlap, cudaStream_t stream);

}  // namespace tamis::cuda
