// ChannelsLastConvTranspose: x[B, spatial..., C], weight[C, O/group, kernel...] (as ONNX has it), bias[O]? (f32)
// -> y[B, spatial'..., O]; attributes strides, pads, dilations, output_padding and group, all explicit. Each input
// pixel adds its multiple of the weight to the output:
//
//   spatial'[i] = strides[i] * (spatial[i] - 1) + output_padding[i] + dilations[i] * (kernel[i] - 1) + 1 - pads
#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"
#include "src/ops/op_numeric.h"

namespace tamis {
namespace {

struct Steps {
  std::vector<int64_t> strides, dilations, pads, output_padding;
};

Steps ReadSteps(const Node& node, size_t rank, NodeProblems* problems) {
  constexpr int64_t kMost = int64_t{1} << 31;
  const auto read = [&](const char* key, size_t count, int64_t least) {
    const std::vector<int64_t> values = node.Ints(key);
    const auto legal = [&](int64_t v) { return v >= least && v <= kMost; };
    if (values.size() != count || !std::all_of(values.begin(), values.end(), legal)) {
      problems->Add("attribute '{}' is {} but must hold {} integers from {}", key, ToString(values), count, least);
    }
    return values;
  };
  return {read("strides", rank, 1), read("dilations", rank, 1), read("pads", 2 * rank, 0),
          read("output_padding", rank, 0)};
}

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 3, &problems);
  for (size_t i = 0; i < 2; ++i) CheckTamisFloat(operands, i, &problems);
  operands.CheckDType(2, {DType::kFloat32}, &problems);
  operands.CheckRankAtLeast(0, 3, &problems);
  const DType dtype = TamisOutputDType(operands, &problems);
  const int64_t group = operands.node().Int("group", 0);
  if (group < 1) problems.Add("attribute 'group' must be given and at least 1");
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  const Shape* weight = operands.shape(1);
  if (x == nullptr || weight == nullptr) return std::vector<Type>{Unranked(dtype)};
  operands.CheckRank(1, x->size(), &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Dim outputs = (*weight)[1] * Dim(group);
  operands.CheckShape(2, {outputs}, &problems);
  if (!MayEqual(x->back(), (*weight)[0]) || !MayEqual(Dim::Mod((*weight)[0], Dim(group)), Dim(0))) {
    problems.Add("the weight {} in {} groups doesn't fit the input {}", ToString(*weight), group, ToString(*x));
  }
  const size_t rank = x->size() - 2;
  const Steps steps = ReadSteps(operands.node(), rank, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape y = *x;
  y.back() = outputs;
  for (size_t i = 0; i < rank; ++i) {
    const Dim extent = (weight->at(i + 2) - Dim(1)) * Dim(steps.dilations[i]) + Dim(1);
    y[i + 1] = Dim(steps.strides[i]) * ((*x)[i + 1] - Dim(1)) +
               Dim(steps.output_padding[i] - steps.pads[i] - steps.pads[i + rank]) + extent;
    if (y[i + 1].Constant().value_or(1) < 1) problems.Add("spatial axis {}: the pads leave nothing of the output", i);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, std::move(y))};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

// Calls visit(output pixel, tap) for every tap of input pixel `from` that lies within the output.
template <class F>
void VisitTaps(const Steps& steps, const Dims& in, const Dims& kernel, const Dims& out, int64_t from, F&& visit) {
  const size_t rank = in.size();
  Dims position(rank);
  for (size_t i = rank; i-- > 0; from /= in[i]) position[i] = from % in[i];
  for (int64_t tap = 0; tap < NumElements(kernel); ++tap) {
    int64_t rest = tap, pixel = 0, step = 1;
    bool inside = true;
    for (size_t i = rank; i-- > 0;) {
      const int64_t at = position[i] * steps.strides[i] + rest % kernel[i] * steps.dilations[i] - steps.pads[i];
      inside = inside && at >= 0 && at < out[i];
      pixel += at * step;
      step *= out[i];
      rest /= kernel[i];
    }
    if (inside) visit(pixel, tap);
  }
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  if (context.outputs[0].NumElements() == 0) return {};
  const Tensor& x = *context.input(0);
  const Tensor& weight = *context.input(1);
  const Dims& y_dims = context.outputs[0].dims();
  const Dims in(x.dims().begin() + 1, x.dims().end() - 1), out(y_dims.begin() + 1, y_dims.end() - 1);
  const Dims kernel(weight.dims().begin() + 2, weight.dims().end());
  NodeProblems problems;
  const Steps steps = ReadSteps(context.node, in.size(), &problems);
  const EpilogueReference epilogue(context);
  const int64_t channels = x.dim(-1), group = context.node.Int("group", 1), filters = weight.dim(1);
  const int64_t outputs = filters * group, pixels = NumElements(out), taps = NumElements(kernel);
  std::vector<double> sum(static_cast<size_t>(pixels * outputs));
  for (int64_t item = 0; item < x.dim(0); ++item) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t from = 0; from < NumElements(in); ++from) {
      const float* source = x.Data<float>() + (item * NumElements(in) + from) * channels;
      VisitTaps(steps, in, kernel, out, from, [&](int64_t pixel, int64_t tap) {
        for (int64_t c = 0; c < channels; ++c) {
          double* to = sum.data() + pixel * outputs + c / (channels / group) * filters;
          const float* w = weight.Data<float>() + c * filters * taps + tap;
          for (int64_t o = 0; o < filters; ++o) {
            to[o] += static_cast<double>(source[c]) * static_cast<double>(w[o * taps]);
          }
        }
      });
    }
    float* y = context.outputs[0].Data<float>() + item * pixels * outputs;
    for (int64_t i = 0; i < pixels * outputs; ++i) {
      y[i] = epilogue(sum[static_cast<size_t>(i)], i % outputs, item * pixels * outputs + i);
    }
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0xc0403);
  const auto attributes = [](Dims strides, Dims dilations, Dims pads, Dims padding, int64_t group) {
    return std::map<std::string, Attribute>{{"strides", std::move(strides)},
                                            {"dilations", std::move(dilations)},
                                            {"pads", std::move(pads)},
                                            {"output_padding", std::move(padding)},
                                            {"group", group}};
  };
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({1, 4, 5, 3}), make.Floats({3, 2, 2, 2}), make.Floats({2})},
                   attributes({2, 2}, {1, 1}, {0, 0, 0, 0}, {0, 0}, 1)});
  cases.push_back(
      {{make.Floats({2, 5, 3, 4}), make.Floats({4, 3, 3, 2})}, attributes({2, 3}, {1, 2}, {1, 0, 0, 1}, {1, 2}, 2)});
  cases.push_back(
      {{make.Floats({1, 6, 2}), make.Floats({2, 3, 4}), make.Floats({3})}, attributes({3}, {2}, {2, 1}, {2}, 1)});
  cases.push_back({{make.Floats({1, 2, 3, 2, 2}), make.Floats({2, 1, 2, 2, 3})},
                   attributes({1, 1, 1}, {1, 1, 1}, {0, 0, 0, 0, 0, 0}, {0, 0, 0}, 1)});
  return cases;
}

}  // namespace

extern const OpDef op_channels_last_conv_transpose = {.name = "ChannelsLastConvTranspose",
                                                      .domain = kTamisDomain,
                                                      .since_opset = 1,
                                                      .infer = Infer,
                                                      .eval = Eval,
                                                      .test_cases = TestCases};

}  // namespace tamis
