// A convolution and the max pool behind it (src/cuda/fuse_for_cuda.h) as what they were: any kernel of the convolution,
// then the pool. Variants are those of the convolution's kernels.
#include "src/kernels/conv/cuda/cuda_conv_pool.h"
#include "src/kernels/cuda/find_kernels.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

class ConvPoolPair : public CudaKernel {
 public:
  ConvPoolPair(std::unique_ptr<ConvPoolParts> parts, std::unique_ptr<CudaKernel> conv, std::unique_ptr<CudaKernel> pool)
      : parts_(std::move(parts)), conv_(std::move(conv)), pool_(std::move(pool)) {}

  uint64_t PackedInputs() const override { return conv_->PackedInputs(); }
  size_t WorkspaceBytes() const override {
    const Operand& between = parts_->pool.inputs[0];
    return PlaceOfHandedOn(*conv_) + ByteSize(between.dtype, static_cast<size_t>(Elements(between)));
  }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    void* between = static_cast<std::byte*>(workspace) + PlaceOfHandedOn(*conv_);
    TAMIS_RETURN_IF_ERROR(conv_->Enqueue(in, {&between, 1}, workspace, stream));
    const void* pooled = between;
    return pool_->Enqueue({&pooled, 1}, out, nullptr, stream);
  }

 private:
  std::unique_ptr<ConvPoolParts> parts_;  // what the kernels were prepared from
  std::unique_ptr<CudaKernel> conv_, pool_;
};

// Of a kernel of the pool that needs no workspace; there is one for every type that the convolution gives.
Result<std::unique_ptr<CudaKernel>> PreparePool(const Problem& pool, PrepareContext& context) {
  const auto found = FindKernels(pool, context);
  if (found.empty()) return UserError("no kernel computes the pool");
  TAMIS_ASSIGN_OR_RETURN(auto kernel, found[0].def->prepare(pool, found[0].variant, context));
  TAMIS_ASSERT(kernel->WorkspaceBytes() == 0);
  return kernel;
}

Result<int> Supports(const Problem& whole, PrepareContext& context) {
  const ConvPoolParts parts(whole);
  if (FindKernels(parts.pool, context).empty()) return UserError("no kernel computes the pool");
  const auto found = FindKernels(parts.conv, context);
  if (found.empty()) return UserError("no kernel computes the convolution");
  return static_cast<int>(found.size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& whole, int variant, PrepareContext& context) {
  auto parts = std::make_unique<ConvPoolParts>(whole);
  TAMIS_ASSIGN_OR_RETURN(auto pool, PreparePool(parts->pool, context));
  const FoundKernel found = FindKernels(parts->conv, context)[static_cast<size_t>(variant)];
  TAMIS_ASSIGN_OR_RETURN(auto conv, found.def->prepare(parts->conv, found.variant, context));
  return std::unique_ptr<CudaKernel>(
      std::make_unique<ConvPoolPair>(std::move(parts), std::move(conv), std::move(pool)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_conv_pool_pair = {
    .name = "conv_pool_pair",
    .family = "conv",
    .ops = {"ChannelsFirstConvPool", "QuantizedChannelsFirstConvPool"},
    .preference = 20,
    .supports = Supports,
    .prepare = Prepare};

}  // namespace tamis::cuda
