#include "src/kernels/pool/pool.h"

#include "src/kernels/operand_check.h"

namespace tamis {

Status SupportsPool(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0 (x)"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  const auto window = MakeWindow(problem, problem.node->Ints("kernel_shape"), 3);
  if (!window.ok()) return window.status();
  if (problem.outputs[0].dims.back() != window->channels) return UserError("x and y differ in channels");
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PreparePool(const Problem& problem, PoolBody body) {
  PoolArgs args;
  TAMIS_ASSIGN_OR_RETURN(args.window, MakeWindow(problem, problem.node->Ints("kernel_shape"), 3));
  args.average = problem.node->op == "ChannelsLastAveragePool";
  args.count_padding = problem.node->Int("count_include_pad", 0) != 0;
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  const Window& w = args.window;
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<PoolArgs>>(
      args, body, w.batch * w.z.out * w.y.out, GrainFor(w.x.out * w.channels * w.z.taps * w.y.taps * w.x.taps / 8),
      problem.threads));
}

double PoolFlops(const Problem& problem) {
  double taps = 2;
  for (const int64_t dim : problem.node->Ints("kernel_shape")) taps *= static_cast<double>(dim);
  return taps * static_cast<double>(Elements(problem.outputs[0]));
}

}  // namespace tamis
