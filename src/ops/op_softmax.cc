#include "src/ops/op_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/ops/op_axis_rows.h"
#include "src/ops/op_case.h"
#include "src/ops/op_numeric.h"

namespace tamis {
namespace {

constexpr int64_t kOneAxisOpset = 13;

int64_t AxisOf(const Node& node, int64_t opset) {
  return node.Int("axis", opset >= kOneAxisOpset ? -1 : 1);
}

template <class T>
void Compute(const Tensor& x, int64_t size, int64_t step, SoftmaxKind kind, T* y) {
  const T* source = x.Data<T>();
  ForEachRow(x.NumElements(), size, step, [&](const AxisRow& row) {
    double most = -std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < row.size; ++i) {
      most = std::max(most, static_cast<double>(source[row.first + i * row.step]));
    }
    double sum = 0;
    for (int64_t i = 0; i < row.size; ++i) {
      sum += std::exp(static_cast<double>(source[row.first + i * row.step]) - most);
    }
    const double log_sum = std::log(sum);
    for (int64_t i = 0; i < row.size; ++i) {
      const int64_t at = row.first + i * row.step;
      const double shifted = static_cast<double>(source[at]) - most;
      y[at] = static_cast<T>(kind == SoftmaxKind::kLog ? shifted - log_sum : std::exp(shifted) / sum);
    }
  });
}

}  // namespace

Result<std::vector<Type>> SoftmaxType(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(1, 1, &problems);
  operands.CheckFloat(0, &problems);
  const Shape* x = operands.shape(0);
  const int64_t axis = AxisOf(operands.node(), operands.opset());
  if (x != nullptr) {
    const auto rank = static_cast<int64_t>(x->size());
    const bool behind_last = operands.opset() < kOneAxisOpset && axis == rank;
    if (!ResolveAxis(axis, x->size()) && !behind_last) {
      problems.Add("attribute 'axis' is {} but the input {} has {} dimensions", axis, ToString(*x), rank);
    }
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{x == nullptr ? Unranked(operands.dtype(0)) : Type::Tensor(operands.dtype(0), *x)};
}

SoftmaxRows SoftmaxRowsOf(const EvalContext& context) {
  const std::span<const int64_t> dims = context.input(0)->dims();
  // Only the old form's axis behind the last dimension doesn't resolve.
  const size_t axis = ResolveAxis(AxisOf(context.node, context.opset), dims.size()).value_or(dims.size());
  if (context.opset < kOneAxisOpset) return {NumElements(dims.subspan(axis)), 1};
  return {dims[axis], NumElements(dims.subspan(axis + 1))};
}

void ComputeSoftmax(EvalContext& context, SoftmaxKind kind) {
  const Tensor& x = *context.input(0);
  if (x.NumElements() == 0) return;
  const auto [size, step] = SoftmaxRowsOf(context);
  DispatchFloat(x.dtype(), [&, size = size, step = step](auto zero) {
    Compute(x, size, step, kind, context.outputs[0].Data<decltype(zero)>());
  });
}

std::vector<OpTestCase> SoftmaxTestCases() {
  CaseMaker make(0x50f7);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({3, 7}, -5, 5)}, {}});
  cases.push_back({{make.Floats({2, 3, 5}, -5, 5)}, {{"axis", int64_t{1}}}});
  cases.push_back({{make.Floats({2, 3, 4, 17}, 80, 90)}, {{"axis", int64_t{-1}}}});
  cases.push_back({{make.Floats({4, 3, 2}, -90, -80)}, {{"axis", int64_t{0}}}});
  return cases;
}

}  // namespace tamis
