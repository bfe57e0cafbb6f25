#include <algorithm>
#include <cmath>
#include <numeric>

#include "src/base/float16.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_pieces.h"

namespace tamis {
namespace {

// Outputs: the different elements (or slices along an axis), where each comes first, which of them each element is, and
// how often each comes.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const Shape* shape = context.InputShape(0);
  const Dim found = context.DataDim(0, 0);
  const bool flat = !context.node().Has("axis");
  std::optional<Dim> size;
  context.SetOutputDType(0, context.InputDType(0));
  if (flat) {
    TAMIS_RETURN_IF_ERROR(SetShape(context, 0, context.InputDType(0), {found}));
    if (shape != nullptr) size = Product(*shape, 0, shape->size());
  } else if (shape != nullptr) {
    TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                           ResolvedAxis(context, context.node().Int("axis", 0), static_cast<int64_t>(shape->size())));
    Shape result = *shape;
    size = result[static_cast<size_t>(axis)];
    result[static_cast<size_t>(axis)] = found;
    TAMIS_RETURN_IF_ERROR(SetShape(context, 0, context.InputDType(0), std::move(result)));
  }
  TAMIS_RETURN_IF_ERROR(SetShape(context, 1, DType::kInt64, {found}));
  TAMIS_RETURN_IF_ERROR(SetShape(context, 2, DType::kInt64, {size ? *size : context.DataDim(2, 0)}));
  return SetShape(context, 3, DType::kInt64, {found});
}

// NaN is equal to itself and larger than any number, so that the order is one.
template <class T>
int Compare(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return static_cast<int>(std::isnan(a)) - static_cast<int>(std::isnan(b));
  }
  if (a < b) return -1;
  return b < a ? 1 : 0;
}

// Slices [n][length] of `rows`, in ascending order, equal ones by place.
template <class T>
std::vector<int64_t> SortedSlices(const T* rows, int64_t n, int64_t length, std::vector<bool>* starts) {
  const auto compare = [&](int64_t a, int64_t b) {
    for (int64_t i = 0; i < length; ++i) {
      if (const int order = Compare(rows[a * length + i], rows[b * length + i])) return order;
    }
    return 0;
  };
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return compare(a, b) < 0; });
  starts->assign(order.size(), true);
  for (size_t i = 1; i < order.size(); ++i) (*starts)[i] = compare(order[i - 1], order[i]) != 0;
  return order;
}

// The tensor with `axis` in front.
Tensor AxisFirst(const Tensor& data, size_t axis) {
  if (axis == 0) return data;
  Dims dims = data.dims();
  std::vector<int64_t> strides = RowMajorStrides(dims);
  std::rotate(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(axis),
              dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
  std::rotate(strides.begin(), strides.begin() + static_cast<std::ptrdiff_t>(axis),
              strides.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
  Tensor result(data.dtype(), dims);
  CopyElements(data, 0, strides, &result);
  return result;
}

Result<std::vector<int64_t>> Sorted(const EvalContext& context, Tensor rows, std::vector<bool>* starts) {
  const int64_t n = rows.dim(0);
  const int64_t length = CountOf(rows.dims(), 1, rows.dims().size());
  if (rows.dtype() == DType::kFloat16 || rows.dtype() == DType::kBFloat16) rows = rows.ToFloat32();
  switch (rows.dtype()) {
    case DType::kFloat32:
      return SortedSlices(rows.Data<float>(), n, length, starts);
    case DType::kFloat64:
      return SortedSlices(rows.Data<double>(), n, length, starts);
    case DType::kBool:
    case DType::kUInt8:
      return SortedSlices(rows.Data<uint8_t>(), n, length, starts);
    case DType::kInt8:
      return SortedSlices(rows.Data<int8_t>(), n, length, starts);
    case DType::kUInt16:
      return SortedSlices(rows.Data<uint16_t>(), n, length, starts);
    case DType::kInt16:
      return SortedSlices(rows.Data<int16_t>(), n, length, starts);
    case DType::kUInt32:
      return SortedSlices(rows.Data<uint32_t>(), n, length, starts);
    case DType::kInt32:
      return SortedSlices(rows.Data<int32_t>(), n, length, starts);
    case DType::kUInt64:
      return SortedSlices(rows.Data<uint64_t>(), n, length, starts);
    case DType::kInt64:
      return SortedSlices(rows.Data<int64_t>(), n, length, starts);
    case DType::kString:
      return SortedSlices(rows.Data<std::string>(), n, length, starts);
    default:
      return context.Error(fmt::format("elements of type {} are not supported", Name(rows.dtype())));
  }
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindInputs(context).status());
  Tensor data = *context.input(0);
  int64_t axis = context.node.Int("axis", 0);
  if (!context.node.Has("axis")) {
    axis = 0;
    data = data.Reshaped({data.NumElements()});
  }
  const auto at = static_cast<size_t>(axis < 0 ? axis + data.rank() : axis);
  std::vector<bool> starts;
  TAMIS_ASSIGN_OR_RETURN(const auto order, Sorted(context, AxisFirst(data, at), &starts));
  // Groups of equal slices: the first member's place, and how many there are.
  std::vector<int64_t> first, count;
  std::vector<int64_t> group_of(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (starts[i]) {
      first.push_back(order[i]);
      count.push_back(0);
    }
    ++count.back();
    group_of[static_cast<size_t>(order[i])] = static_cast<int64_t>(first.size()) - 1;
  }
  std::vector<int64_t> rank(first.size());
  std::iota(rank.begin(), rank.end(), 0);
  if (context.node.Int("sorted", 1) == 0) {
    std::sort(rank.begin(), rank.end(),
              [&](int64_t a, int64_t b) { return first[static_cast<size_t>(a)] < first[static_cast<size_t>(b)]; });
  }
  std::vector<int64_t> place(rank.size()), firsts, counts;
  for (size_t i = 0; i < rank.size(); ++i) {
    place[static_cast<size_t>(rank[i])] = static_cast<int64_t>(i);
    firsts.push_back(first[static_cast<size_t>(rank[i])]);
    counts.push_back(count[static_cast<size_t>(rank[i])]);
  }
  for (int64_t& group : group_of) group = place[static_cast<size_t>(group)];
  TAMIS_ASSIGN_OR_RETURN(context.outputs[0], PickAlong(context, data, at, firsts));
  const std::vector<const std::vector<int64_t>*> lists = {&firsts, &group_of, &counts};
  for (size_t i = 1; i < context.outputs.size(); ++i) context.outputs[i] = Tensor::Int64s(*lists[i - 1]);
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleInts(1, {3, 4}, 0, 3)}, {}},
          {{SampleInts(2, {5, 2}, 0, 1)}, {{"axis", int64_t{0}}, {"sorted", int64_t{0}}}}};
}

}  // namespace

extern const OpDef op_unique = {.name = "Unique",
                                .domain = "",
                                .since_opset = 11,
                                .infer = Infer,
                                .eval = Eval,
                                .test_cases = Cases,
                                .widen_half = false};

}  // namespace tamis
