#include <algorithm>
#include <cmath>
#include <numeric>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// k is an attribute before opset 10, input 1 after. Outputs: values, indices; of equal values the first wins.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers));
  context.SetOutputDType(0, context.InputDType(0));
  context.SetOutputDType(1, DType::kInt64);
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                         ResolvedAxis(context, context.node().Int("axis", -1), static_cast<int64_t>(shape->size())));
  Dim k(context.node().Int("k", -1));
  if (context.HasInput(1)) {
    const auto contents = Contents(context, 1);
    k = contents && contents->size() == 1 ? (*contents)[0] : context.DataDim(0, static_cast<size_t>(axis));
  }
  Shape result = *shape;
  Dim& dim = result[static_cast<size_t>(axis)];
  if ((k.IsConstant() && *k.Constant() < 0) ||
      (k.IsConstant() && dim.IsConstant() && *k.Constant() > *dim.Constant())) {
    return context.Error(fmt::format("the best {} of {} elements can't be taken", k.ToString(), dim.ToString()));
  }
  dim = k;
  TAMIS_RETURN_IF_ERROR(SetShape(context, 1, DType::kInt64, result));
  return SetShape(context, 0, context.InputDType(0), std::move(result));
}

template <class W>
void Select(EvalContext& context, size_t axis) {
  const Tensor& data = *context.input(0);
  const bool largest = context.node.Int("largest", 1) != 0;
  const int64_t size = data.dims()[axis];
  const int64_t k = context.outputs[0].dims()[axis];
  const int64_t step = CountOf(data.dims(), axis + 1, data.dims().size());
  const WideReader reader(data, data.dims());
  std::vector<W> row(static_cast<size_t>(size));
  std::vector<int64_t> order(row.size());
  // NaN counts as larger than any number, so that the order is one.
  const auto less = [&](W a, W b) {
    if constexpr (std::is_same_v<W, double>) {
      if (std::isnan(a) || std::isnan(b)) return !std::isnan(a);
    }
    return a < b;
  };
  for (int64_t r = 0; r < data.NumElements() / size; ++r) {
    const int64_t outer = r / step;
    const int64_t inner = r % step;
    for (int64_t i = 0; i < size; ++i) {
      reader.Read<W>((outer * size + i) * step + inner, std::span(&row[static_cast<size_t>(i)], 1));
    }
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
      const W x = row[static_cast<size_t>(a)];
      const W y = row[static_cast<size_t>(b)];
      const bool first = largest ? less(y, x) : less(x, y);
      const bool second = largest ? less(x, y) : less(y, x);
      return first || (!second && a < b);
    });
    for (int64_t i = 0; i < k; ++i) {
      const int64_t to = (outer * k + i) * step + inner;
      const int64_t from = order[static_cast<size_t>(i)];
      WriteWide<W>(context.outputs[0], to, std::span<const W>(&row[static_cast<size_t>(from)], 1));
      if (context.outputs.size() > 1) context.outputs[1].Data<int64_t>()[to] = from;
    }
  }
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const int64_t axis = context.node.Int("axis", -1);
  const auto at = static_cast<size_t>(axis < 0 ? axis + context.input(0)->rank() : axis);
  if (context.outputs[0].NumElements() == 0) return {};
  switch (WideOf(context.input(0)->dtype())) {
    case Wide::kDouble:
      Select<double>(context, at);
      break;
    case Wide::kInt64:
      Select<int64_t>(context, at);
      break;
    case Wide::kUint64:
      Select<uint64_t>(context, at);
      break;
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}), SampleInts(2, {1}, 2, 2)}, {}},
          {{SampleInts(3, {4, 3}, 0, 2), SampleInts(4, {1}, 3, 3)}, {{"axis", int64_t{0}}, {"largest", int64_t{0}}}}};
}

}  // namespace

extern const OpDef op_top_k = {
    .name = "TopK", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
