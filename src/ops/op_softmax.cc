#include "src/ops/op_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/ops/op_axis_rows.h"
#include "src/ops/op_case.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_round.h"

namespace tamis {
namespace {

constexpr int64_t kOneAxisOpset = 13;

int64_t AxisOf(const Node& node, int64_t opset) {
  return node.Int("axis", opset >= kOneAxisOpset ? -1 : 1);
}

// ONNX defines both operators as a series of steps whose results have the operand's type, and results in f16 are
// expected to show it. In bf16 they would be poor, and kernels have f32 in between.
template <class T>
void Compute(const Tensor& x, int64_t size, int64_t step, SoftmaxKind kind, const StepRounding& round, T* y) {
  const T* source = x.Data<T>();
  ForEachRow(x.NumElements(), size, step, [&](const AxisRow& row) {
    double most = -std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < row.size; ++i) {
      most = std::max(most, static_cast<double>(source[row.first + i * row.step]));
    }
    double sum = 0;
    for (int64_t i = 0; i < row.size; ++i) {
      sum += round(std::exp(round(static_cast<double>(source[row.first + i * row.step]) - most)));
    }
    sum = round(sum);
    const double log_sum = round(std::log(sum));
    for (int64_t i = 0; i < row.size; ++i) {
      const int64_t at = row.first + i * row.step;
      const double shifted = round(static_cast<double>(source[at]) - most);
      y[at] = static_cast<T>(kind == SoftmaxKind::kLog ? shifted - log_sum : round(std::exp(shifted)) / sum);
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
  const DType dtype = context.input(0)->dtype();
  const bool half = dtype == DType::kFloat16 || dtype == DType::kBFloat16;
  const Tensor x = half ? context.input(0)->ToFloat32() : *context.input(0);
  Tensor& y = context.outputs[0];  // f32 for half operands
  const StepRounding round(dtype == DType::kFloat16 ? dtype : DType::kFloat32);
  if (x.NumElements() > 0) {
    const auto [size, step] = SoftmaxRowsOf(context);
    DispatchFloat(x.dtype(), [&, size = size, step = step](auto zero) {
      Compute(x, size, step, kind, round, y.Data<decltype(zero)>());
    });
  }
  if (!half) return;
  const std::vector<double> values(y.Data<float>(), y.Data<float>() + y.NumElements());
  y = Tensor(dtype, y.dims());
  WriteWide<double>(y, 0, values);
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
