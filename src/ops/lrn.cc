// LRN: x / (bias + alpha / size * sum)^beta, where the sum is over the squares of `size` neighbouring channels.
#include <algorithm>
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_doubles.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kFloats));
  if (context.node().Int("size", 0) < 1) return context.Error("attribute 'size' must be positive");
  context.SetOutput(0, *context.InputType(0));
  const Shape* x = context.InputShape(0);
  if (x != nullptr && x->size() < 2) return context.Error(fmt::format("needs [N, C, ...], has {}", ToString(*x)));
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const auto x = ReadDoubles(*context.input(0));
  const Dims& dims = context.input(0)->dims();
  const int64_t channels = dims[1], plane = CountOf(dims, 2, dims.size());
  const int64_t size = std::min(context.node.Int("size", 0), 2 * channels + 1);
  const double alpha =
      static_cast<double>(context.node.Float("alpha", 1e-4f)) / static_cast<double>(context.node.Int("size", 0));
  const double beta = context.node.Float("beta", 0.75f), bias = context.node.Float("bias", 1);
  std::vector<double> y(x.size());
  for (int64_t n = 0; n < dims[0]; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t first = std::max<int64_t>(0, c - (size - 1) / 2), last = std::min(channels - 1, c + size / 2);
      for (int64_t p = 0; p < plane; ++p) {
        double sum = 0;
        for (int64_t i = first; i <= last; ++i) {
          const double value = x[static_cast<size_t>((n * channels + i) * plane + p)];
          sum += value * value;
        }
        const auto at = static_cast<size_t>((n * channels + c) * plane + p);
        y[at] = x[at] / std::pow(bias + alpha * sum, beta);
      }
    }
  }
  WriteDoubles(context.outputs[0], y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x14e2);
  return {{{make.Floats({2, 7, 3, 4})}, {{"size", int64_t{3}}}},
          {{make.Floats({1, 4, 5}, -9, 9)}, {{"size", int64_t{4}}, {"alpha", 0.5f}, {"beta", 0.5f}, {"bias", 2.0f}}}};
}

}  // namespace

extern const OpDef op_lrn = {
    .name = "LRN", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
