// Upsample, superseded by Resize in opset 10: the scales are an attribute before opset 9 and input 1 since.
#include <array>
#include <numeric>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_resize.h"

namespace tamis {
namespace {

Result<ResizeOptions> ReadOptions(const InferContext& context) {
  NodeProblems problems;
  ResizeOptions options = ReadResizeOptions(context.node(), true, &problems);
  if (options.mode == ResizeMode::kCubic) problems.Add("attribute 'mode' is 'cubic' but must be nearest or linear");
  if (!problems.empty()) return context.Error(problems.text());
  return options;
}

Result<std::vector<ResizePlan>> ReadPlan(const InferContext& context, const Shape& shape) {
  std::vector<ResizePlan> plan;
  for (const Dim& dim : shape) plan.push_back({dim});
  std::vector<int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (context.HasInput(1)) {
    const Tensor* scales = context.InputConstant(1);
    for (ResizePlan& axis : plan) axis.size.reset();
    if (scales != nullptr) TAMIS_RETURN_IF_ERROR(ScaleAxes(context, shape, *scales, axes, &plan));
    return plan;
  }
  const std::vector<float> scales = context.node().Floats("scales");
  if (scales.empty()) return context.Error("the scales are missing");
  const auto count = static_cast<int64_t>(scales.size());
  TAMIS_RETURN_IF_ERROR(
      ScaleAxes(context, shape, Tensor::Of<float>(DType::kFloat32, {count}, std::span(scales)), axes, &plan));
  return plan;
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 2));
  TAMIS_RETURN_IF_ERROR(ReadOptions(context).status());
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers | kBools));
  if (context.HasInput(1)) TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kFloats));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(const auto plan, ReadPlan(context, *shape));
  return SetResized(context, *shape, plan);
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  TAMIS_ASSIGN_OR_RETURN(const ResizeOptions options, ReadOptions(*bound->infer));
  const Dims& dims = context.input(0)->dims();
  TAMIS_ASSIGN_OR_RETURN(const auto plan, ReadPlan(*bound->infer, ToShape(dims)));
  ComputeResize(context, options, ConcreteAxes(plan, dims, context.outputs[0].dims()));
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor scales = Tensor::Of<float>(DType::kFloat32, {4}, std::array<float, 4>{1, 1, 2, 1.5f});
  return {{{SampleFloats(1, {1, 2, 4, 5}), scales}, {}},
          {{SampleFloats(2, {1, 2, 4, 5}), scales}, {{"mode", std::string("linear")}}}};
}

}  // namespace

extern const OpDef op_upsample = {
    .name = "Upsample", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
