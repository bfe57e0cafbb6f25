#include "src/kernels/pool/pool.h"

#include "src/kernels/operand_check.h"

namespace tamis {

namespace {

Result<Window> WindowOf(const Problem& problem) {
  const Node& node = *problem.node;
  if (node.domain == kTamisDomain) return MakeWindow(problem, node.Ints("kernel_shape"), 3);
  TAMIS_ASSIGN_OR_RETURN(const WindowGeometry geometry, OnnxPoolGeometry(problem));
  Window window;
  window.batch = problem.input(0).dims[0] * problem.input(0).dims[1];
  window.channels = 1;
  WindowAxis* const axes[3] = {&window.z, &window.y, &window.x};
  for (size_t i = 0; i < 3; ++i) {
    const SlidingAxis& axis = geometry.axes[i];
    *axes[i] = {axis.in, axis.out, axis.kernel, axis.stride, axis.dilation, axis.pad_begin, axis.pad_end};
  }
  return window;
}

}  // namespace

Result<WindowGeometry> OnnxPoolGeometry(const Problem& problem) {
  const Node& node = *problem.node;
  const Dims &in = problem.input(0).dims, &out = problem.outputs[0].dims;
  if (in.size() < 3 || in.size() > 5 || out.size() != in.size()) {
    return UserError("{} does not have one to three spatial axes", ToString(in));
  }
  NodeProblems problems;
  const SlidingWindow window = ReadWindow(node, node.Ints("kernel_shape"), WindowAttributes::kOnnx, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (window.rank() != in.size() - 2) return UserError("attribute kernel_shape does not fit {}", ToString(in));
  return GeometryOf(window, std::span<const int64_t>(in).subspan(2), std::span<const int64_t>(out).subspan(2));
}

Status SupportsPool(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const bool channels_last = problem.node->domain == kTamisDomain;
  if (channels_last) {
    TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0 (x)"));
    TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  } else {
    TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
    if (problem.input(0).dtype != DType::kFloat32) return UserError("input 0 (x) isn't float32");
  }
  const auto window = WindowOf(problem);
  if (!window.ok()) return window.status();
  if (channels_last && problem.outputs[0].dims.back() != window->channels) {
    return UserError("x and y differ in channels");
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PreparePool(const Problem& problem, PoolBody body) {
  PoolArgs args;
  TAMIS_ASSIGN_OR_RETURN(args.window, WindowOf(problem));
  args.average = problem.node->op.ends_with("AveragePool");
  args.count_padding = problem.node->Int("count_include_pad", 0) != 0;
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  const Window& w = args.window;
  const int64_t row = w.x.in * w.channels;
  const int64_t operations = (row * w.z.taps * w.y.taps + w.x.out * w.channels * w.x.taps) / 8;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<PoolArgs>>(args, body, w.batch * w.z.out * w.y.out, GrainFor(operations),
                                              problem.threads, static_cast<size_t>(row) * sizeof(float)));
}

double PoolFlops(const Problem& problem) {
  double taps = 2;
  for (const int64_t dim : problem.node->Ints("kernel_shape")) taps *= static_cast<double>(dim);
  return taps * static_cast<double>(Elements(problem.outputs[0]));
}

}  // namespace tamis
