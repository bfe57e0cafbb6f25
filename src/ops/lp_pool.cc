// LpPool: the p-norm under a sliding window; padding counts as 0.
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_pool.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  return LpPoolRule(operands, false);
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  NodeProblems problems;
  const SlidingWindow window =
      ReadWindow(context.node, context.node.Ints("kernel_shape"), WindowAttributes::kOnnx, &problems);
  const auto x = ReadDoubles(*context.input(0));
  const std::span<const int64_t> in = context.input(0)->dims(), out = context.outputs[0].dims();
  const WindowGeometry geometry = GeometryOf(window, in.subspan(2), out.subspan(2));
  const auto p = static_cast<double>(context.node.Int("p", 2));
  std::vector<double> y(static_cast<size_t>(context.outputs[0].NumElements()));
  for (int64_t plane = 0; plane < in[0] * in[1]; ++plane) {
    ForEachWindow(geometry, [&](int64_t position, std::span<const Tap> taps) {
      double sum = 0;
      for (const Tap& tap : taps) {
        sum += std::pow(std::abs(x[static_cast<size_t>(plane * geometry.InputSize() + tap.input)]), p);
      }
      y[static_cast<size_t>(plane * geometry.OutputSize() + position)] = std::pow(sum, 1 / p);
    });
  }
  WriteDoubles(context.outputs[0], y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x3a7003);
  return {{{make.Floats({2, 3, 9, 8})},
           {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}}},
          {{make.Floats({1, 3, 11})}, {{"kernel_shape", Dims{4}}, {"p", int64_t{3}}, {"dilations", Dims{2}}}},
          {{make.Floats({1, 2, 5, 4, 6})}, {{"kernel_shape", Dims{2, 2, 3}}, {"auto_pad", std::string("SAME_LOWER")}}}};
}

}  // namespace

extern const OpDef op_lp_pool = {
    .name = "LpPool", .domain = "", .since_opset = 2, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
