#include "src/kernels/quantized/max_pool_codes.h"

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

Result<MaxPoolCodesArgs> ReadArgs(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtype = problem.input(0).dtype;
  if (dtype != DType::kUInt8 && dtype != DType::kInt8) return UserError("x must be uint8 or int8");
  if (problem.outputs[0].dtype != dtype) return UserError("x and y differ in dtype");
  MaxPoolCodesArgs args;
  TAMIS_ASSIGN_OR_RETURN(args.window, MakeWindow(problem, problem.node->Ints("kernel_shape"), 3));
  args.is_signed = dtype == DType::kInt8;
  if (problem.outputs[0].dims.back() != args.window.channels) return UserError("x and y differ in channels");
  return args;
}

}  // namespace

Status SupportsMaxPoolCodes(const Problem& problem) {
  return ReadArgs(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareMaxPoolCodes(const Problem& problem, RangeBody<MaxPoolCodesArgs> body) {
  TAMIS_ASSIGN_OR_RETURN(const MaxPoolCodesArgs args, ReadArgs(problem));
  const Window& w = args.window;
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<MaxPoolCodesArgs>>(
      args, body, w.batch * w.z.out * w.y.out, GrainFor(w.x.out * w.channels * w.z.taps * w.y.taps * w.x.taps / 32),
      problem.threads));
}

}  // namespace tamis
