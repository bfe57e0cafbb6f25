// What the CUDA kernels of int8 products read from a Problem.
#pragma once

#include "src/kernels/conv/cuda/cuda_conv.h"
#include "src/kernels/gemm/cuda/gemm24_launch.h"

namespace tamis::cuda {

// QuantizedConv, or QuantizedLinear as a convolution of single pixels. QuantizedChannelsFirstConv
// (src/cuda/fuse_for_cuda.h) has x in f32, [batch, channels, in_h, in_w], and quantises it as it reads.
struct CudaInt8 {
  CudaConv conv;  // its geometry
  ActivationArgs activation;
  Int8Types types;
  int x_zero = 0;
  bool quantizes = false;  // x is f32; `x_scale` and `types.x_unsigned` say how it is coded
  float x_scale = 1;

  int64_t Depth() const { return int64_t{conv.kernel_h} * conv.kernel_w * (conv.channels / conv.group); }
};

// With constant weight, scale and bias; y and the residual of u8, s8, f16 or f32. Otherwise the reason.
Result<CudaInt8> ReadCudaInt8(const Problem& problem);
// Bits of the inputs that a kernel of these holds: weight, scale, bias.
inline constexpr uint64_t kInt8PackedInputs = 0b1110;

// Int8Channel of every output. `makes_up`: their bias makes up for the zero point of x.
Result<std::shared_ptr<const DeviceBytes>> HoldChannels(const Problem& problem, const CudaInt8& int8, bool makes_up,
                                                        PrepareContext& context);

// The table that the node's codes are exchanged by; null if it has none.
Result<std::shared_ptr<const DeviceBytes>> HoldTable(const Problem& problem, PrepareContext& context);
// Exchanges the codes of y by `table`, if it isn't null.
Status ExchangeCodes(const DeviceBytes* table, void* y, int64_t count, cudaStream_t stream);

// As a product by warpgroups; the image is left out, and so is whether its padding would be right.
Gemm24Problem Int8Gemm(const CudaInt8& int8);
// What those kernels ask of outputs, activation and types.
Status CheckInt8Wgmma(const CudaInt8& int8, const Device& device);

}  // namespace tamis::cuda
