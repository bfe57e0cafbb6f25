// ElementwiseChain of domain "tamis" (src/ops/op_tamis.h) by a kernel of its own, compiled when it is prepared: steps
// are arithmetic in registers and sizes are constants, so that memory is what takes the time.
#include <map>
#include <mutex>

#include "src/kernels/chain/cuda/cuda_chain.h"
#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/nvrtc.h"

namespace tamis::cuda {
namespace {

// Networks repeat their chains, and compiling one takes tens of milliseconds.
Result<std::shared_ptr<const LoadedKernel>> KernelFor(const std::string& source, const Device& device) {
  static std::mutex mutex;
  static auto* const kLoaded = new std::map<std::pair<int, std::string>, std::weak_ptr<const LoadedKernel>>;
  std::lock_guard lock(mutex);
  std::weak_ptr<const LoadedKernel>& entry = (*kLoaded)[{device.ordinal, source}];
  if (auto loaded = entry.lock()) return loaded;
  TAMIS_ASSIGN_OR_RETURN(const Nvrtc* nvrtc, Nvrtc::Get());
  TAMIS_ASSIGN_OR_RETURN(const std::vector<char> code, nvrtc->Compile(source, device.compute));
  TAMIS_ASSIGN_OR_RETURN(auto loaded, LoadedKernel::Load(code, "chain"));
  entry = loaded;
  return loaded;
}

class GeneratedChain : public CudaKernel {
 public:
  GeneratedChain(std::shared_ptr<const LoadedKernel> kernel, unsigned blocks, unsigned threads)
      : kernel_(std::move(kernel)), blocks_(blocks), threads_(threads) {}

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    std::vector<const void*> addresses(in.begin(), in.end());
    addresses.push_back(out[0]);
    std::vector<void*> arguments;
    for (const void*& address : addresses) arguments.push_back(&address);
    return kernel_->Launch(blocks_, threads_, arguments.data(), stream);
  }

 private:
  std::shared_ptr<const LoadedKernel> kernel_;
  unsigned blocks_, threads_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_RETURN_IF_ERROR(ReadCudaChain(problem).status());
  TAMIS_RETURN_IF_ERROR(Nvrtc::Get().status());
  return 1;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const ChainElementsArgs args, ReadCudaChain(problem));
  const ChainSource source = WriteChainSource(args, context.device().compute == 90);
  TAMIS_ASSIGN_OR_RETURN(auto kernel, KernelFor(source.text, context.device()));
  return std::unique_ptr<CudaKernel>(
      std::make_unique<GeneratedChain>(std::move(kernel), source.blocks, source.threads));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_chain_nvrtc = {.name = "chain_nvrtc",
                                                      .family = "chain",
                                                      .ops = {"ElementwiseChain"},
                                                      .preference = 90,
                                                      .supports = Supports,
                                                      .prepare = Prepare};

}  // namespace tamis::cuda
