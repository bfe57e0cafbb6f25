// ArrayFeatureExtractor: the columns of x that y lists; one row where x is a vector. A pass makes it Gather.
#include <algorithm>

#include "src/ops/ml/op_ml.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_evaluate_one.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kAnyDType));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  const DType dtype = context.InputDType(0);
  context.SetOutputDType(0, dtype);
  const Shape *x = context.InputShape(0), *y = context.InputShape(1);
  if (x == nullptr || y == nullptr) return {};
  if (x->empty()) return context.Error("input 0 is a scalar and has no columns");
  Dim count(1);
  for (const Dim& dim : *y) count = count * dim;
  Shape result(x->begin(), x->end() - 1);
  if (result.empty()) result.emplace_back(1);
  result.push_back(count);
  return SetShape(context, 0, dtype, std::move(result));
}

Status Move(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindAny(context));
  const Tensor &x = *context.input(0), &y = *context.input(1);
  const int64_t columns = x.dim(-1), rows = columns == 0 ? 0 : x.NumElements() / columns;
  const std::vector<int64_t> picks = y.ToInt64s();
  for (const int64_t pick : picks) {
    if (pick < 0 || pick >= columns) return context.Error(fmt::format("column {} of {} is asked for", pick, columns));
  }
  const auto bytes = ByteSize(x.dtype(), 1);
  std::byte* out = context.outputs[0].raw();
  for (int64_t row = 0; row < rows; ++row) {
    for (const int64_t pick : picks) {
      std::copy_n(x.raw() + static_cast<size_t>(row * columns + pick) * bytes, bytes, out);
      out += bytes;
    }
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {4, 5}), SampleInts(2, {1, 3}, 0, 4)}, {}},
          {{SampleInts(3, {5}, -9, 9), SampleInts(4, {2}, 0, 4)}, {}},
          {{Tensor::Strings({1, 2}, {"no", "yes"}), SampleInts(5, {3}, 0, 1)}, {}}};
}

}  // namespace

extern const OpDef op_array_feature_extractor = {.name = "ArrayFeatureExtractor",
                                                 .domain = kMlDomain,
                                                 .since_opset = 1,
                                                 .infer = Infer,
                                                 .eval = EvalMoved<Move>,
                                                 .test_cases = Cases,
                                                 .widen_half = false};

}  // namespace tamis
