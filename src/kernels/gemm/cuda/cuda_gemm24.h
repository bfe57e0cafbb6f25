// What the definitions of 2:4 kernels and of dense ones by warpgroups share: Linear and ChannelsLastConv with a 2:4
// weight as problems of gemm24_launch.h.
#pragma once

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/gemm/cuda/gemm24_launch.h"
#include "src/kernels/gemm/sparse_tile_format.h"

namespace tamis::cuda {

struct Gemm24Family {
  std::string_view name;
  SparseTileOrder order;  // of 2:4 weights
  std::vector<Gemm24Tactic> (*tactics)(const Gemm24Problem&, int multiprocessors);
  cudaError_t (*allow)(const Gemm24Problem&, const Gemm24Tactic&);
  cudaError_t (*launch)(const Gemm24Problem&, const Gemm24Tactic&, const Gemm24Operands&, bool overlap, cudaStream_t);
};

// A Linear of f16 whose constant weight follows 2:4 (or, with `dense`, any); otherwise the reason.
Result<Gemm24Problem> ReadGemm24(const Problem& problem, bool dense = false);
// What Linear and ChannelsLastConv have in common: 2:4 unless `dense`, and everything but the bias in f16.
Status CheckGemm24(const Problem& problem, bool dense = false);
// Of alignment; OK for any problem of SparseTileOrder::kWarp.
Status CheckGemm24Wgmma(const Gemm24Problem& gemm, const Device& device);
Status CheckGemm24Mma(const Gemm24Problem& gemm, const Device& device);

extern const Gemm24Family kGemm24Wgmma;
extern const Gemm24Family kGemm24Mma;

// How many tactics are worth timing, the best by prediction.
int CountGemm24(const Gemm24Family& family, const Gemm24Problem& gemm, const Device& device);
// The packed weight of `gemm`, from the problem's second input.
Result<std::shared_ptr<const DeviceBytes>> HoldWeight(const Gemm24Family& family, const Gemm24Problem& gemm,
                                                      const Problem& problem, PrepareContext& context);
Result<std::unique_ptr<CudaKernel>> PrepareGemm24(const Gemm24Family& family, const Gemm24Problem& gemm,
                                                  const Problem& problem, int variant, PrepareContext& context);

}  // namespace tamis::cuda
