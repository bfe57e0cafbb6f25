// ConvTranspose: x[N, C, spatial...], weight[C, M/group, spatial...], bias[M]? -> [N, M, spatial'...], 1-D to 3-D.
// It is the window of a convolution read backwards: each input element adds its multiple of the weight to the output.
#include "src/ops/op_case.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_window.h"

namespace tamis {
namespace {

struct Transposed {
  SlidingWindow window;
  std::vector<int64_t> output_padding;
  std::vector<int64_t> output_shape;  // empty unless the attribute is given
};

std::vector<int64_t> ReadSpatial(const Node& node, const std::string& key, size_t rank, int64_t least,
                                 NodeProblems* problems) {
  std::vector<int64_t> values = node.Ints(key);
  if (values.size() == rank + 2) values.erase(values.begin(), values.begin() + 2);  // some exporters add N and C
  constexpr int64_t kMost = int64_t{1} << 40;
  const auto legal = [least](int64_t v) { return v >= least && v <= kMost; };
  if (!values.empty() && (values.size() != rank || !std::all_of(values.begin(), values.end(), legal))) {
    problems->Add("attribute '{}' is {} but must hold {} integers from {}", key, ToString(values), rank, least);
    values.clear();
  }
  return values;
}

Transposed ReadTransposed(const Node& node, const std::vector<int64_t>& kernel, NodeProblems* problems) {
  Transposed result;
  result.window = ReadWindow(node, kernel, WindowAttributes::kOnnx, problems);
  result.output_padding = ReadSpatial(node, "output_padding", kernel.size(), 0, problems);
  if (result.output_padding.empty()) result.output_padding.assign(kernel.size(), 0);
  result.output_shape = ReadSpatial(node, "output_shape", kernel.size(), 1, problems);
  return result;
}

// What the padding is taken from: stride * (in - 1) + output_padding + extent.
Dim FullOutput(const Transposed& t, size_t axis, const Dim& in) {
  return Dim(t.window.strides[axis]) * (in - Dim(1)) + Dim(t.output_padding[axis] + t.window.Extent(axis));
}

Dim OutputDim(const Transposed& t, size_t axis, const Dim& in, NodeProblems* problems) {
  if (!t.output_shape.empty()) return Dim(t.output_shape[axis]);
  if (t.window.auto_pad == AutoPad::kSameUpper || t.window.auto_pad == AutoPad::kSameLower) {
    return in * Dim(t.window.strides[axis]);
  }
  const Dim out = FullOutput(t, axis, in) - Dim(t.window.pads[axis] + t.window.pads[axis + t.window.rank()]);
  if (out.Constant().value_or(1) < 1) {
    problems->Add("spatial axis {}: the pads leave nothing of the {} output elements", axis,
                  FullOutput(t, axis, in).ToString());
  }
  return out;
}

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
  const Dim filters = (*weight)[1] * Dim(group);
  operands.CheckShape(2, {filters}, &problems);
  if (!MayEqual((*x)[1], (*weight)[0]) || !MayEqual(Dim::Mod((*weight)[0], Dim(group)), Dim(0))) {
    problems.Add("the weight {} takes {} channels in {} groups but the input {} has {}", ToString(*weight),
                 (*weight)[0].ToString(), group, ToString(*x), (*x)[1].ToString());
  }
  if ((*weight)[0] == Dim(0)) problems.Add("the weight {} has no input channels", ToString(*weight));
  const auto kernel = KernelOfWeight(operands.node(), *weight, 2, x->size() - 2, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (!kernel) return std::vector<Type>{Unranked(operands.dtype(0))};
  const Transposed transposed = ReadTransposed(operands.node(), *kernel, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape y = {(*x)[0], filters};
  for (size_t i = 0; i < kernel->size(); ++i) y.push_back(OutputDim(transposed, i, (*x)[i + 2], &problems));
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(operands.dtype(0), std::move(y))};
}

// The geometry of the convolution whose input is our output.
WindowGeometry BackwardGeometry(const Transposed& t, std::span<const int64_t> x, std::span<const int64_t> y) {
  SlidingWindow window = t.window;
  const size_t rank = window.rank();
  const bool same = window.auto_pad == AutoPad::kSameUpper || window.auto_pad == AutoPad::kSameLower;
  for (size_t i = 0; i < rank && (same || !t.output_shape.empty()); ++i) {
    const int64_t total = std::max<int64_t>(*FullOutput(t, i, Dim(x[i])).Constant() - y[i], 0);
    window.pads[i] = window.auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
  }
  window.auto_pad = AutoPad::kNotSet;
  return GeometryOf(window, y, x);
}

template <class T>
void Compute(EvalContext& context, const WindowGeometry& geometry) {
  const Tensor& x = *context.input(0);
  const Tensor& weight = *context.input(1);
  const bool has_bias = context.input(2) != nullptr && context.input(2)->Defined();
  const int64_t groups = context.node.Int("group", 1);
  const int64_t channels = weight.dim(0) / groups;
  const int64_t filters = weight.dim(1);
  const int64_t kernel = geometry.KernelSize();
  const int64_t x_size = geometry.OutputSize();
  const int64_t y_size = geometry.InputSize();
  std::vector<double> sum(static_cast<size_t>(y_size));
  for (int64_t plane = 0; plane < x.dim(0) * groups * filters; ++plane) {
    const int64_t filter = plane % filters;
    const int64_t group = plane / filters % groups;
    const T* source = x.Data<T>() + plane / filters * channels * x_size;
    const double start = has_bias ? static_cast<double>(context.input(2)->Data<T>()[group * filters + filter]) : 0.0;
    std::fill(sum.begin(), sum.end(), start);
    ForEachWindow(geometry, [&](int64_t position, std::span<const Tap> taps) {
      for (int64_t c = 0; c < channels; ++c) {
        const auto value = static_cast<double>(source[c * x_size + position]);
        const T* row = weight.Data<T>() + ((group * channels + c) * filters + filter) * kernel;
        for (const Tap& tap : taps) sum[static_cast<size_t>(tap.input)] += value * static_cast<double>(row[tap.kernel]);
      }
    });
    std::transform(sum.begin(), sum.end(), context.outputs[0].Data<T>() + plane * y_size,
                   [](double value) { return static_cast<T>(value); });
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
  const Transposed transposed = ReadTransposed(context.node, {kernel.begin(), kernel.end()}, &problems);
  const WindowGeometry geometry = BackwardGeometry(transposed, x.subspan(2), y.subspan(2));
  DispatchFloat(context.input(0)->dtype(), [&](auto zero) { Compute<decltype(zero)>(context, geometry); });
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0xc0402);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({1, 3, 4, 5}), make.Floats({3, 2, 3, 3}), make.Floats({2})}, {}});
  cases.push_back({{make.Floats({2, 4, 5, 3}), make.Floats({4, 3, 3, 2})},
                   {{"group", int64_t{2}}, {"strides", Dims{2, 3}}, {"pads", Dims{1, 0, 0, 1}}}});
  cases.push_back({{make.Floats({1, 2, 6}), make.Floats({2, 3, 4}), make.Floats({3})},
                   {{"strides", Dims{3}}, {"output_padding", Dims{2}}, {"dilations", Dims{2}}, {"pads", Dims{2, 1}}}});
  cases.push_back({{make.Floats({1, 2, 3, 4}), make.Floats({2, 2, 4, 3})},
                   {{"strides", Dims{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}});
  cases.push_back({{make.Floats({1, 2, 3, 4}), make.Floats({2, 2, 3, 3})},
                   {{"strides", Dims{3, 2}}, {"output_shape", Dims{8, 8}}}});
  cases.push_back({{make.Floats({1, 2, 2, 3, 2}), make.Floats({2, 1, 2, 2, 3}), Tensor()}, {}});
  return cases;
}

}  // namespace

extern const OpDef op_conv_transpose = {
    .name = "ConvTranspose", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = TestCases};

}  // namespace tamis
