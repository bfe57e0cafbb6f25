// ChannelsLastConv (src/ops/op_tamis.h): x[B, spatial..., C], weight[O, spatial..., C/group].
#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_window.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 4, &problems);
  for (size_t i = 0; i < 2; ++i) CheckTamisFloat(operands, i, &problems);
  operands.CheckRankAtLeast(0, 3, &problems);
  operands.CheckRankAtLeast(1, 3, &problems);
  const DType dtype = TamisOutputDType(operands, &problems);
  const int64_t group = operands.node().Int("group", 0);
  if (group < 1) problems.Add("attribute 'group' must be given and at least 1");
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  const Shape* weight = operands.shape(1);
  if (x == nullptr || weight == nullptr) return std::vector<Type>{Unranked(dtype)};
  operands.CheckRank(1, x->size(), &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (!MayEqual(x->back(), weight->back() * Dim(group)) || !MayEqual(Dim::Mod((*weight)[0], Dim(group)), Dim(0))) {
    problems.Add("the weight {} in {} groups doesn't fit the input {}", ToString(*weight), group, ToString(*x));
  }
  const auto kernel = KernelOfWeight(operands.node(), *weight, 1, x->size() - 2, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (!kernel) return std::vector<Type>{Unranked(dtype)};
  const SlidingWindow window = ReadWindow(operands.node(), *kernel, WindowAttributes::kExplicit, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape y = *x;
  for (size_t i = 0; i < window.rank(); ++i) y[i + 1] = WindowOutput(window, i, (*x)[i + 1], &problems);
  y.back() = (*weight)[0];
  CheckEpilogue(operands, y, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, std::move(y))};
}

void Compute(EvalContext& context, const WindowGeometry& geometry) {
  const Tensor& x = *context.input(0);
  const Tensor& weight = *context.input(1);
  const EpilogueReference epilogue(context);
  const int64_t groups = context.node.Int("group", 1);
  const int64_t in_channels = x.dim(-1);
  const int64_t channels = in_channels / groups;
  const int64_t out_channels = weight.dim(0);
  const int64_t filters = out_channels / groups;
  const int64_t row_size = geometry.KernelSize() * channels;
  float* y = context.outputs[0].Data<float>();
  std::vector<float> patch(static_cast<size_t>(row_size));
  for (int64_t n = 0; n < x.dim(0); ++n) {
    const float* image = x.Data<float>() + n * geometry.InputSize() * in_channels;
    ForEachWindow(geometry, [&](int64_t position, std::span<const Tap> taps) {
      const int64_t first = (n * geometry.OutputSize() + position) * out_channels;
      for (int64_t g = 0; g < groups; ++g) {
        std::fill(patch.begin(), patch.end(), 0.0f);
        for (const Tap& tap : taps) {
          std::copy_n(image + tap.input * in_channels + g * channels, channels, patch.data() + tap.kernel * channels);
        }
        for (int64_t o = g * filters; o < (g + 1) * filters; ++o) {
          const double sum = Dot(patch.data(), weight.Data<float>() + o * row_size, row_size);
          y[first + o] = epilogue(sum, o, first + o);
        }
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
  const size_t rank = x.size() - 2;
  const auto kernel = weight.subspan(1, rank);
  NodeProblems problems;
  const SlidingWindow window =
      ReadWindow(context.node, {kernel.begin(), kernel.end()}, WindowAttributes::kExplicit, &problems);
  Compute(context, GeometryOf(window, x.subspan(1, rank), y.subspan(1, rank)));
  return {};
}

std::vector<OpTestCase> TestCases() {
  const auto attributes = [](Dims strides, Dims pads, Dims dilations, int64_t group) {
    return std::map<std::string, Attribute>{
        {"strides", strides}, {"pads", pads}, {"dilations", dilations}, {"group", group}};
  };
  CaseMaker make(0xc14c);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({1, 7, 9, 3}), make.Floats({5, 3, 3, 3}), make.Floats({5})},
                   attributes({2, 2}, {1, 1, 1, 1}, {1, 1}, 1)});
  cases.push_back(
      {{make.Floats({2, 6, 5, 16}), make.Floats({24, 1, 1, 16}), make.Floats({24}), make.Floats({2, 6, 5, 24})},
       attributes({1, 1}, {0, 0, 0, 0}, {1, 1}, 1)});
  cases.push_back({{make.Floats({1, 10, 8, 12}), make.Floats({12, 3, 3, 1}), make.Floats({12})},
                   attributes({1, 2}, {0, 1, 2, 0}, {1, 2}, 12)});
  cases.push_back({{make.Floats({1, 13, 6}), make.Floats({4, 4, 3})}, attributes({3}, {2, 1}, {1}, 2)});
  cases.push_back({{make.Floats({1, 4, 5, 6, 2}), make.Floats({3, 2, 3, 2, 2})},
                   attributes({1, 1, 2}, {1, 1, 0, 0, 1, 1}, {1, 1, 1}, 1)});
  cases[1].attributes["activation"] = std::string("Relu");
  cases[2].attributes["activation"] = std::string("Clip");
  cases[2].attributes["clip_min"] = 0.0f;
  cases[2].attributes["clip_max"] = 6.0f;
  return cases;
}

}  // namespace

extern const OpDef op_channels_last_conv = {.name = "ChannelsLastConv",
                                            .domain = kTamisDomain,
                                            .since_opset = 1,
                                            .infer = Infer,
                                            .eval = Eval,
                                            .sparse = {.weight_input = 1},
                                            .test_cases = TestCases};

}  // namespace tamis
