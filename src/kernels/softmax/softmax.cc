#include "src/kernels/softmax/softmax.h"

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

int64_t AxisOf(const Problem& problem) {
  return NormalizeAxis(problem.node->Int("axis", -1), problem.input(0).dims.size());
}

}  // namespace

Status SupportsSoftmax(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  const Dims& dims = problem.input(0).dims;
  // The default is 1 before opset 13 and -1 since; a kernel doesn't see the opset.
  if (!problem.node->Has("axis") && dims.size() != 2) {
    return UserError("without attribute axis only rank 2 is supported");
  }
  if (AxisOf(problem) < 0) return UserError("the axis does not lie within {}", ToString(dims));
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PrepareSoftmax(const Problem& problem, SoftmaxBody body, int64_t lanes) {
  const Dims& dims = problem.input(0).dims;
  const auto axis = static_cast<size_t>(AxisOf(problem));
  SoftmaxArgs args;
  args.columns = dims[axis];
  args.step = Product(dims, axis + 1, dims.size());
  args.log = problem.node->op == "LogSoftmax";
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  int64_t rows = args.columns == 0 ? 0 : Product(dims, 0, axis);
  const bool narrow = IsNarrow(args, lanes);
  if (args.step > 1 && !narrow) rows *= (args.step + lanes - 1) / lanes;
  const int64_t beside = narrow ? args.step : args.step > 1 ? lanes : 1;
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<SoftmaxArgs>>(
      args, body, rows, GrainFor(args.columns * beside, 8192), problem.threads,
      static_cast<size_t>(args.columns * (narrow ? args.step : 1)) * sizeof(float)));
}

double SoftmaxFlops(const Problem& problem) {
  return 20.0 * static_cast<double>(Elements(problem.input(0)));
}

}  // namespace tamis
