// ChainedConv (src/cuda/fuse_for_cuda.h) as what it was made of. Variant i runs the i-th variant of each convolution's
// kernels, in their order of preference: all pairs would be hundreds.
#include "src/kernels/conv/cuda/cuda_chained_conv.h"
#include "src/kernels/cuda/find_kernels.h"

namespace tamis::cuda {
namespace {

class ChainedConvPair : public CudaKernel {
 public:
  ChainedConvPair(std::unique_ptr<ChainedParts> parts, std::unique_ptr<CudaKernel> first,
                  std::unique_ptr<CudaKernel> second)
      : parts_(std::move(parts)), first_(std::move(first)), second_(std::move(second)) {}

  // The second's inputs 1 and 2 are those from kSecondWeight on; neither kernel packs what the other needs.
  uint64_t PackedInputs() const override {
    return first_->PackedInputs() | (second_->PackedInputs() >> 1 & 3) << kSecondWeight;
  }
  size_t WorkspaceBytes() const override { return std::max(first_->WorkspaceBytes(), second_->WorkspaceBytes()); }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    TAMIS_RETURN_IF_ERROR(first_->Enqueue(in.first(kSecondWeight), out.first(1), workspace, stream));
    const void* bias = in.size() > kSecondBias ? in[kSecondBias] : nullptr;
    const void* const operands[] = {out[0], in[kSecondWeight], bias};
    return second_->Enqueue(operands, out.subspan(1), workspace, stream);
  }

 private:
  std::unique_ptr<ChainedParts> parts_;  // what the kernels were prepared from
  std::unique_ptr<CudaKernel> first_, second_;
};

struct Found {
  std::vector<FoundKernel> first, second;
  size_t count() const { return first.empty() || second.empty() ? 0 : std::max(first.size(), second.size()); }
};

Found FindPairs(const ChainedParts& parts, PrepareContext& context) {
  return {FindKernels(parts.first, context), FindKernels(parts.second, context)};
}

Result<int> Supports(const Problem& whole, PrepareContext& context) {
  const ChainedParts parts(whole);
  const size_t count = FindPairs(parts, context).count();
  if (count == 0) return UserError("no kernel computes one of the convolutions");
  return static_cast<int>(count);
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& whole, int variant, PrepareContext& context) {
  auto parts = std::make_unique<ChainedParts>(whole);
  const Found found = FindPairs(*parts, context);
  // The one with fewer variants repeats its best.
  const auto at = [&](const std::vector<FoundKernel>& kernels) {
    return kernels[static_cast<size_t>(variant) < kernels.size() ? static_cast<size_t>(variant) : 0];
  };
  const FoundKernel first = at(found.first), second = at(found.second);
  TAMIS_ASSIGN_OR_RETURN(auto expand, first.def->prepare(parts->first, first.variant, context));
  TAMIS_ASSIGN_OR_RETURN(auto reduce, second.def->prepare(parts->second, second.variant, context));
  return std::unique_ptr<CudaKernel>(
      std::make_unique<ChainedConvPair>(std::move(parts), std::move(expand), std::move(reduce)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_chained_conv_pair = {.name = "chained_conv_pair",
                                                            .family = "conv",
                                                            .ops = {"ChainedConv"},
                                                            .preference = 20,
                                                            .supports = Supports,
                                                            .prepare = Prepare};

}  // namespace tamis::cuda
