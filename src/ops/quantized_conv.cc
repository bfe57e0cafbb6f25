// QuantizedConv (src/ops/op_quantized.h).
#include "src/ops/op_case.h"
#include "src/ops/op_quantized.h"
#include "src/ops/op_window.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 5, &problems);
  operands.CheckDType(0, {DType::kUInt8, DType::kInt8}, &problems);
  operands.CheckRankAtLeast(0, 3, &problems);
  const int64_t group = operands.node().Int("group", 0);
  if (group < 1) problems.Add("attribute 'group' must be given and at least 1");
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  const Shape* weight = operands.shape(1);
  const DType dtype = QuantizedOutputDType(operands.node());
  if (x == nullptr || weight == nullptr) return std::vector<Type>{Unranked(dtype)};
  operands.CheckRank(1, x->size(), &problems);
  CheckQuantized(operands, (*weight)[0], &problems);
  if (!MayEqual(x->back(), weight->back() * Dim(group)) || !MayEqual(Dim::Mod((*weight)[0], Dim(group)), Dim(0))) {
    problems.Add("the weight {} in {} groups doesn't fit the input {}", ToString(*weight), group, ToString(*x));
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const auto kernel = KernelOfWeight(operands.node(), *weight, 1, x->size() - 2, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (!kernel) return std::vector<Type>{Unranked(dtype)};
  const SlidingWindow window = ReadWindow(operands.node(), *kernel, WindowAttributes::kExplicit, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape y = *x;
  for (size_t i = 0; i < window.rank(); ++i) y[i + 1] = WindowOutput(window, i, (*x)[i + 1], &problems);
  y.back() = (*weight)[0];
  CheckQuantizedResidual(operands, y, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, std::move(y))};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

template <class X>
void Compute(EvalContext& context, const WindowGeometry& geometry) {
  const Tensor& x = *context.input(0);
  const Tensor& weight = *context.input(1);
  const QuantizedWriter writer(context, context.outputs[0]);
  const int64_t zero = context.node.Int("x_zero_point", 0), groups = context.node.Int("group", 1);
  const int64_t in_channels = x.dim(-1), channels = in_channels / groups;
  const int64_t outputs = weight.dim(0), filters = outputs / groups, row = geometry.KernelSize() * channels;
  for (int64_t item = 0; item < x.dim(0); ++item) {
    const X* image = reinterpret_cast<const X*>(x.raw()) + item * geometry.InputSize() * in_channels;
    ForEachWindow(geometry, [&](int64_t position, std::span<const Tap> taps) {
      for (int64_t o = 0; o < outputs; ++o) {
        int64_t sum = 0;
        for (const Tap& tap : taps) {
          const X* pixel = image + tap.input * in_channels + o / filters * channels;
          const int8_t* w = weight.Data<int8_t>() + o * row + tap.kernel * channels;
          for (int64_t c = 0; c < channels; ++c) sum += (int64_t{pixel[c]} - zero) * w[c];
        }
        writer.Write((item * geometry.OutputSize() + position) * outputs + o, o, static_cast<double>(sum));
      }
    });
  }
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  if (context.outputs[0].NumElements() == 0) return {};
  const std::span<const int64_t> x = context.input(0)->dims();
  const std::span<const int64_t> y = context.outputs[0].dims();
  const size_t rank = x.size() - 2;
  const auto kernel = std::span<const int64_t>(context.input(1)->dims()).subspan(1, rank);
  NodeProblems problems;
  const SlidingWindow window =
      ReadWindow(context.node, {kernel.begin(), kernel.end()}, WindowAttributes::kExplicit, &problems);
  const WindowGeometry geometry = GeometryOf(window, x.subspan(1, rank), y.subspan(1, rank));
  context.input(0)->dtype() == DType::kUInt8 ? Compute<uint8_t>(context, geometry) : Compute<int8_t>(context, geometry);
  return {};
}

Tensor Codes(CaseMaker& make, DType dtype, const Dims& dims) {
  Tensor tensor(dtype, dims);
  const Tensor values = make.Integers(dims, 0, 255);
  for (int64_t i = 0; i < tensor.NumElements(); ++i) {
    reinterpret_cast<uint8_t*>(tensor.raw())[i] = static_cast<uint8_t>(values.Data<int64_t>()[i]);
  }
  return tensor;
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x11c);
  const auto attributes = [](Dims strides, Dims pads, int64_t group, int64_t zero) {
    return std::map<std::string, Attribute>{{"strides", strides},
                                            {"pads", std::move(pads)},
                                            {"dilations", Dims(strides.size(), 1)},
                                            {"group", group},
                                            {"x_zero_point", zero}};
  };
  std::vector<OpTestCase> cases;
  cases.push_back({{Codes(make, DType::kUInt8, {1, 7, 9, 8}), Codes(make, DType::kInt8, {5, 3, 3, 8}),
                    make.Floats({5}, 0, 1e-3f), make.Floats({5})},
                   attributes({2, 2}, {1, 1, 1, 1}, 1, 120)});
  cases.push_back({{Codes(make, DType::kInt8, {2, 6, 5, 12}), Codes(make, DType::kInt8, {12, 3, 3, 1}),
                    make.Floats({12}, 0, 1e-3f)},
                   attributes({1, 1}, {0, 1, 2, 0}, 12, -7)});
  for (OpTestCase& c : cases) {
    c.attributes["activation"] = std::string("Relu");
    c.attributes["y_dtype"] = static_cast<int64_t>(DType::kUInt8);
    c.attributes["y_scale"] = 0.05f;
    c.attributes["y_zero_point"] = int64_t{3};
  }
  OpTestCase residual = cases[0];
  residual.inputs.push_back(Codes(make, DType::kUInt8, {1, 4, 5, 5}));
  residual.attributes["residual_scale"] = 0.04f;
  residual.attributes["residual_zero_point"] = int64_t{70};
  cases.push_back(residual);
  std::vector<int64_t> table;
  for (int64_t code = 0; code < 256; ++code) table.push_back(code * 91 % 256);
  residual.attributes["table"] = std::move(table);
  cases.push_back(std::move(residual));
  cases.push_back({{Codes(make, DType::kUInt8, {1, 13, 6}), Codes(make, DType::kInt8, {4, 4, 3}),
                    make.Floats({4}, 0, 1e-3f), make.Floats({4})},
                   attributes({3}, {2, 1}, 2, 9)});
  return cases;
}

}  // namespace

extern const OpDef op_quantized_conv = {.name = "QuantizedConv",
                                        .domain = kTamisDomain,
                                        .since_opset = 1,
                                        .infer = Infer,
                                        .eval = Eval,
                                        .test_cases = TestCases};

}  // namespace tamis
