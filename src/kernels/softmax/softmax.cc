#include "src/kernels/softmax/softmax.h"

#include "src/kernels/operand_check.h"

namespace tamis {

Status SupportsSoftmax(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  const Dims& dims = problem.input(0).dims;
  if (!problem.node->Has("axis")) {
    // The default is 1 before opset 13 and -1 since; a kernel doesn't see the opset.
    if (dims.size() != 2) return UserError("without attribute axis only rank 2 is supported");
    return {};
  }
  const int64_t axis = NormalizeAxis(problem.node->Int("axis", -1), dims.size());
  if (axis < 0 || static_cast<size_t>(axis) + 1 != dims.size()) {
    return UserError("the axis is not the last one of {}", ToString(dims));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PrepareSoftmax(const Problem& problem, SoftmaxBody body) {
  const Dims& dims = problem.input(0).dims;
  const SoftmaxArgs args{dims.back(), IsBf16(problem.input(0)), IsBf16(problem.outputs[0])};
  const int64_t rows = args.columns == 0 ? 0 : Product(dims, 0, dims.size() - 1);
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<SoftmaxArgs>>(args, body, rows, GrainFor(args.columns, 8192), problem.threads,
                                                 static_cast<size_t>(args.columns) * sizeof(float)));
}

double SoftmaxFlops(const Problem& problem) {
  return 20.0 * static_cast<double>(Elements(problem.input(0)));
}

}  // namespace tamis
