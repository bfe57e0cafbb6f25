// Conv: x[N, C, spatial...], weight[M, C/group, spatial...], bias[M]? -> [N, M, spatial'...], 1-D to 3-D.
#include "src/ops/op_case.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_window.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 3, &problems);
  for (size_t i = 0; i < 3; ++i) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({0, 1, 2}, &problems);
  operands.CheckRankAtLeast(0, 3, &problems);
  operands.CheckRankAtLeast(1, 3, &problems);
  const int64_t group = operands.node().Int("group", 1);
  if (group < 1) problems.Add("attribute 'group' is {} but must be at least 1", group);
  TAMIS_RETURN_IF_ERROR(problems.status());

  const Shape* x = operands.shape(0);
  const Shape* weight = operands.shape(1);
  if (x == nullptr || weight == nullptr) return std::vector<Type>{Unranked(operands.dtype(0))};
  operands.CheckRank(1, x->size(), &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  operands.CheckShape(2, {(*weight)[0]}, &problems);
  if (!MayEqual((*x)[1], (*weight)[1] * Dim(group))) {
    problems.Add("the input {} has {} channels but the weight {} with group {} takes {}", ToString(*x),
                 (*x)[1].ToString(), ToString(*weight), group, ((*weight)[1] * Dim(group)).ToString());
  }
  if (!MayEqual(Dim::Mod((*weight)[0], Dim(group)), Dim(0))) {
    problems.Add("the weight {} has {} output channels, which {} groups don't divide", ToString(*weight),
                 (*weight)[0].ToString(), group);
  }
  const auto kernel = KernelOfWeight(operands.node(), *weight, 2, x->size() - 2, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (!kernel) return std::vector<Type>{Unranked(operands.dtype(0))};
  const SlidingWindow window = ReadWindow(operands.node(), *kernel, WindowAttributes::kOnnx, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape y = {(*x)[0], (*weight)[0]};
  for (size_t i = 0; i < window.rank(); ++i) y.push_back(WindowOutput(window, i, (*x)[i + 2], &problems));
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(operands.dtype(0), std::move(y))};
}

template <class T>
void Compute(EvalContext& context, const WindowGeometry& geometry) {
  const Tensor& x = *context.input(0);
  const Tensor& weight = *context.input(1);
  const bool has_bias = context.input(2) != nullptr && context.input(2)->Defined();
  const T* bias = has_bias ? context.input(2)->Data<T>() : nullptr;
  T* y = context.outputs[0].Data<T>();
  const int64_t groups = context.node.Int("group", 1);
  const int64_t channels = weight.dim(1);
  const int64_t filters = weight.dim(0) / groups;
  const int64_t kernel = geometry.KernelSize();
  const int64_t in_size = geometry.InputSize();
  const int64_t out_size = geometry.OutputSize();
  std::vector<double> patch(static_cast<size_t>(channels * kernel));
  for (int64_t image = 0; image < x.dim(0) * groups; ++image) {  // pairs of batch item and group
    const T* source = x.Data<T>() + image * channels * in_size;
    const int64_t first_filter = image % groups * filters;
    ForEachWindow(geometry, [&](int64_t position, std::span<const Tap> taps) {
      std::fill(patch.begin(), patch.end(), 0.0);
      for (int64_t c = 0; c < channels; ++c) {
        for (const Tap& tap : taps)
          patch[static_cast<size_t>(c * kernel + tap.kernel)] = source[c * in_size + tap.input];
      }
      for (int64_t f = 0; f < filters; ++f) {
        const T* row = weight.Data<T>() + (first_filter + f) * channels * kernel;
        const double start = bias == nullptr ? 0.0 : static_cast<double>(bias[first_filter + f]);
        y[(image * filters + f) * out_size + position] =
            static_cast<T>(start + Dot(patch.data(), row, channels * kernel));
      }
    });
  }
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  if (context.outputs[0].NumElements() == 0) return {};
  const std::span<const int64_t> x = context.input(0)->dims();
  const std::span<const int64_t> weight = context.input(1)->dims();
  const std::span<const int64_t> y = context.outputs[0].dims();
  NodeProblems problems;
  const auto kernel = weight.subspan(2);
  const SlidingWindow window =
      ReadWindow(context.node, {kernel.begin(), kernel.end()}, WindowAttributes::kOnnx, &problems);
  const WindowGeometry geometry = GeometryOf(window, x.subspan(2), y.subspan(2));
  DispatchFloat(context.input(0)->dtype(), [&](auto zero) { Compute<decltype(zero)>(context, geometry); });
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0xc0401);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({1, 3, 7, 9}), make.Floats({5, 3, 3, 3}), make.Floats({5})}, {}});
  cases.push_back({{make.Floats({2, 4, 11, 8}), make.Floats({6, 2, 3, 2})},
                   {{"group", int64_t{2}}, {"strides", Dims{2, 1}}, {"pads", Dims{0, 1, 2, 0}}}});
  cases.push_back({{make.Floats({1, 6, 10, 10}), make.Floats({6, 1, 3, 3}), make.Floats({6})},
                   {{"group", int64_t{6}}, {"dilations", Dims{2, 3}}, {"pads", Dims{1, 1, 1, 1}}}});
  cases.push_back({{make.Floats({2, 3, 13}), make.Floats({4, 3, 5}), make.Floats({4})},
                   {{"strides", Dims{3}}, {"auto_pad", std::string("SAME_UPPER")}}});
  cases.push_back({{make.Floats({1, 2, 6, 7}), make.Floats({3, 2, 4, 2})},
                   {{"strides", Dims{2, 2}}, {"auto_pad", std::string("SAME_LOWER")}}});
  cases.push_back({{make.Floats({1, 2, 5, 4, 6}), make.Floats({3, 2, 2, 3, 3}), make.Floats({3})},
                   {{"pads", Dims{1, 0, 1, 0, 1, 2}}, {"strides", Dims{1, 2, 2}}}});
  cases.push_back({{make.Floats({1, 8, 5, 5}), make.Floats({16, 8, 1, 1}), Tensor()}, {}});
  return cases;
}

}  // namespace

extern const OpDef op_conv = {.name = "Conv",
                              .domain = "",
                              .since_opset = 1,
                              .infer = Infer,
                              .eval = Eval,
                              .sparse = {.weight_input = 1},
                              .test_cases = TestCases};

}  // namespace tamis
