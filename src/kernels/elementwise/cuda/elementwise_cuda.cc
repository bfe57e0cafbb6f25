// Elementwise operators of ONNX over f32, f16 and bf16, with broadcasting.
#include <optional>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/elementwise/broadcast.h"
#include "src/kernels/elementwise/cuda/cuda_elementwise_read.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

class Elementwise : public CudaKernel {
 public:
  explicit Elementwise(const ElementwiseArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    ElementwiseArgs args = args_;
    args.a = in[0];
    args.b = IsBinary(args.step.kind) ? in[1] : nullptr;
    args.y = out[0];
    return CudaStatus(LaunchElementwise(args, stream), "elementwise");
  }

 private:
  ElementwiseArgs args_;
};

}  // namespace

Result<int> SupportsElementwise(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const ElementwiseArgs args, ReadElementwise(problem));
  return args.count > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> PrepareElementwise(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const ElementwiseArgs args, ReadElementwise(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<Elementwise>(args));
}

extern const CudaKernelDef cuda_kernel_elementwise_cuda = {.name = "elementwise_cuda",
                                                           .family = "elementwise",
                                                           .ops = {"Add", "Sub", "Mul", "Div", "Min", "Max"},
                                                           .supports = SupportsElementwise,
                                                           .prepare = PrepareElementwise};

}  // namespace tamis::cuda
