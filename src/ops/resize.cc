// Resize, since opset 10: inputs are data and scales; data, roi, scales and sizes from opset 11 on.
#include <algorithm>
#include <array>
#include <cmath>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_resize.h"

namespace tamis {
namespace {

bool IsOld(const InferContext& context) {
  return context.opset() < 11;
}

Result<ResizeOptions> ReadOptions(const InferContext& context) {
  NodeProblems problems;
  ResizeOptions options = ReadResizeOptions(context.node(), IsOld(context), &problems);
  if (!problems.empty()) return context.Error(problems.text());
  return options;
}

// An empty tensor counts as omitted.
bool Given(const InferContext& context, size_t i) {
  if (!context.HasInput(i)) return false;
  const Shape* dims = context.InputShape(i);
  return dims == nullptr || dims->size() != 1 || !((*dims)[0] == Dim(0));
}

Status ReadRegion(const InferContext& context, const std::vector<int64_t>& at, std::vector<ResizePlan>* plan) {
  if (!Given(context, 1)) return context.Error("tf_crop_and_resize needs the input roi");
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kFloats));
  const Tensor* roi = context.InputConstant(1);
  if (roi == nullptr) return {};
  if (roi->NumElements() != static_cast<int64_t>(2 * at.size())) {
    return context.Error(
        fmt::format("the roi has {} numbers, {} axes need {}", roi->NumElements(), at.size(), 2 * at.size()));
  }
  const Tensor values = roi->ToFloat32();
  for (size_t i = 0; i < at.size(); ++i) {
    ResizePlan& axis = (*plan)[static_cast<size_t>(at[i])];
    axis.roi_begin = static_cast<double>(values.Data<float>()[i]);
    axis.roi_end = static_cast<double>(values.Data<float>()[i + at.size()]);
  }
  return {};
}

// One factor for all axes, the least or the greatest that any of them was given.
void KeepAspectRatio(ResizePolicy policy, const Shape& shape, const std::vector<int64_t>& at,
                     std::vector<ResizePlan>* plan) {
  std::optional<double> chosen;
  bool known = true;
  for (int64_t axis : at) {
    const auto i = static_cast<size_t>(axis);
    known &= shape[i].IsConstant() && (*plan)[i].size && (*plan)[i].size->IsConstant();
    const double scale = (*plan)[i].scale;
    if (!chosen) chosen = scale;
    chosen = policy == ResizePolicy::kNotLarger ? std::min(*chosen, scale) : std::max(*chosen, scale);
  }
  for (int64_t axis : at) {
    const auto i = static_cast<size_t>(axis);
    (*plan)[i].size.reset();
    if (!known) continue;
    (*plan)[i].scale = *chosen;
    (*plan)[i].size = Dim(static_cast<int64_t>(*chosen * static_cast<double>(*shape[i].Constant()) + 0.5));
  }
}

Status ReadSizes(const InferContext& context, const ResizeOptions& options, const Shape& shape,
                 const std::vector<int64_t>& at, std::vector<ResizePlan>* plan) {
  TAMIS_ASSIGN_OR_RETURN(const IntList sizes, ReadInts(context, 3, ""));
  if (!sizes.known) {
    for (int64_t axis : at) (*plan)[static_cast<size_t>(axis)].size.reset();
    return {};
  }
  if (sizes.values.size() != at.size()) {
    return context.Error(fmt::format("{} sizes are given for {} axes", sizes.values.size(), at.size()));
  }
  for (size_t i = 0; i < at.size(); ++i) {
    ResizePlan& axis = (*plan)[static_cast<size_t>(at[i])];
    axis.size = sizes.values[i];
    const auto from = shape[static_cast<size_t>(at[i])].Constant();
    const auto to = sizes.values[i].Constant();
    if (to && (*to < 0 || *to > kMaxElements)) return context.Error(fmt::format("a size of {} is not possible", *to));
    if (from && to && *from > 0) axis.scale = static_cast<double>(*to) / static_cast<double>(*from);
  }
  if (options.policy != ResizePolicy::kStretch) KeepAspectRatio(options.policy, shape, at, plan);
  return {};
}

Result<std::vector<ResizePlan>> ReadPlan(const InferContext& context, const ResizeOptions& options,
                                         const Shape& shape) {
  std::vector<int64_t> axes = context.node().Ints("axes");
  if (!context.node().Has("axes")) {
    for (size_t axis = 0; axis < shape.size(); ++axis) axes.push_back(static_cast<int64_t>(axis));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto at, ResolvedAxes(context, axes, static_cast<int64_t>(shape.size())));
  std::vector<ResizePlan> plan;
  for (const Dim& dim : shape) plan.push_back({dim});
  if (options.coordinates == ResizeCoordinates::kCropAndResize) {
    TAMIS_RETURN_IF_ERROR(ReadRegion(context, at, &plan));
  }
  const size_t scales_input = IsOld(context) ? 1 : 2;
  if (Given(context, scales_input)) {
    TAMIS_RETURN_IF_ERROR(CheckDType(context, scales_input, kFloats));
    if (const Tensor* scales = context.InputConstant(scales_input)) {
      TAMIS_RETURN_IF_ERROR(ScaleAxes(context, shape, *scales, at, &plan));
    } else {
      for (int64_t axis : at) plan[static_cast<size_t>(axis)].size.reset();
    }
    return plan;
  }
  if (IsOld(context) || !Given(context, 3)) return context.Error("neither scales nor sizes are given");
  TAMIS_RETURN_IF_ERROR(ReadSizes(context, options, shape, at, &plan));
  return plan;
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, IsOld(context) ? 2 : 4));
  TAMIS_ASSIGN_OR_RETURN(const ResizeOptions options, ReadOptions(context));
  const bool copies = options.mode == ResizeMode::kNearest && options.coordinates != ResizeCoordinates::kCropAndResize;
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, copies ? kNumbers | kBools : kNumbers));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(const auto plan, ReadPlan(context, options, *shape));
  return SetResized(context, *shape, plan);
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  TAMIS_ASSIGN_OR_RETURN(const ResizeOptions options, ReadOptions(*bound->infer));
  const Dims& dims = context.input(0)->dims();
  TAMIS_ASSIGN_OR_RETURN(const auto plan, ReadPlan(*bound->infer, options, ToShape(dims)));
  ComputeResize(context, options, ConcreteAxes(plan, dims, context.outputs[0].dims()));
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor data = SampleFloats(1, {1, 2, 4, 5});
  const Tensor scales = Tensor::Of<float>(DType::kFloat32, {4}, std::array<float, 4>{1, 1, 2, 0.6f});
  const Tensor sizes = Tensor::Int64s(std::array<int64_t, 4>{1, 2, 3, 8});
  const Tensor two = Tensor::Int64s(std::array<int64_t, 2>{3, 3});
  const Tensor roi = Tensor::Of<float>(DType::kFloat32, {4}, std::array<float, 4>{0.25f, 0.1f, 0.75f, 1.5f});
  const std::string linear = "linear", cubic = "cubic", crop = "tf_crop_and_resize", smaller = "not_larger";
  return {{{data, Tensor(), scales}, {}},
          {{data, Tensor(), Tensor(), sizes}, {{"mode", linear}}},
          {{data, Tensor(), scales}, {{"mode", cubic}, {"exclude_outside", int64_t{1}}}},
          {{data, Tensor(), Tensor(), two},
           {{"mode", linear}, {"antialias", int64_t{1}}, {"axes", std::vector<int64_t>{3, 2}}}},
          {{data, Tensor(), Tensor(), two},
           {{"mode", cubic}, {"keep_aspect_ratio_policy", smaller}, {"axes", std::vector<int64_t>{2, 3}}}},
          {{data, roi, Tensor(), two},
           {{"mode", linear},
            {"coordinate_transformation_mode", crop},
            {"extrapolation_value", 9.0f},
            {"axes", std::vector<int64_t>{2, 3}}}}};
}

}  // namespace

extern const OpDef op_resize = {
    .name = "Resize", .domain = "", .since_opset = 10, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
