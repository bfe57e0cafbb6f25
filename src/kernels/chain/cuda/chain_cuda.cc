// ElementwiseChain of domain "tamis" (src/ops/op_tamis.h): all its steps in one pass, interpreted. Where NVRTC is
// installed chain_nvrtc takes less than half as long.
#include "src/kernels/chain/cuda/cuda_chain.h"
#include "src/kernels/cuda/cuda_kernel.h"

namespace tamis::cuda {
namespace {

class Chain : public CudaKernel {
 public:
  explicit Chain(const ChainElementsArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    ChainElementsArgs args = args_;
    for (size_t i = 0; i < in.size(); ++i) args.x[i] = in[i];
    args.y = out[0];
    return CudaStatus(LaunchChainElements(args, stream), "chain_cuda");
  }

 private:
  ChainElementsArgs args_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const ChainElementsArgs args, ReadCudaChain(problem));
  return args.elements > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const ChainElementsArgs args, ReadCudaChain(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<Chain>(args));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_chain_cuda = {
    .name = "chain_cuda", .family = "chain", .ops = {"ElementwiseChain"}, .supports = Supports, .prepare = Prepare};

}  // namespace tamis::cuda
