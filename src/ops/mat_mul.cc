// MatMul as NumPy's: batch dimensions broadcast, a 1-D operand is a row (left) or a column (right) whose dimension is
// dropped from the result.
#include "src/ops/op_case.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

// Both operands as stacks of matrices.
struct Stacks {
  Shape a, b;
  bool drop_row = false;
  bool drop_column = false;
};

Stacks ToStacks(Shape a, Shape b) {
  Stacks stacks{std::move(a), std::move(b), false, false};
  stacks.drop_row = stacks.a.size() == 1;
  stacks.drop_column = stacks.b.size() == 1;
  if (stacks.drop_row) stacks.a.insert(stacks.a.begin(), Dim(1));
  if (stacks.drop_column) stacks.b.emplace_back(1);
  return stacks;
}

Shape BatchOf(const Shape& stack) {
  return {stack.begin(), stack.end() - 2};
}

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 2, &problems);
  for (size_t i = 0; i < 2; ++i) {
    operands.CheckDType(i,
                        {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16, DType::kInt32,
                         DType::kInt64, DType::kUInt32, DType::kUInt64},
                        &problems);
    operands.CheckRankAtLeast(i, 1, &problems);
  }
  operands.CheckSameDType({0, 1}, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (operands.shape(0) == nullptr || operands.shape(1) == nullptr) {
    return std::vector<Type>{Unranked(operands.dtype(0))};
  }

  const Stacks stacks = ToStacks(*operands.shape(0), *operands.shape(1));
  if (!MayEqual(stacks.a.back(), stacks.b[stacks.b.size() - 2])) {
    problems.Add("{} . {} doesn't fit: the inner dimensions differ", ToString(*operands.shape(0)),
                 ToString(*operands.shape(1)));
  }
  auto y = JoinShapes(BatchOf(stacks.a), BatchOf(stacks.b));
  if (!y) {
    problems.Add("the batch dimensions of {} and {} don't broadcast", ToString(*operands.shape(0)),
                 ToString(*operands.shape(1)));
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (!stacks.drop_row) y->push_back(stacks.a[stacks.a.size() - 2]);
  if (!stacks.drop_column) y->push_back(stacks.b.back());
  return std::vector<Type>{Type::Tensor(operands.dtype(0), std::move(*y))};
}

// Which matrix of a stack each batch index of the result reads.
std::vector<int64_t> MatrixIndices(const Dims& batch, const Dims& stack) {
  const size_t count = static_cast<size_t>(NumElements(batch));
  std::vector<int64_t> indices(count, 0);
  int64_t inner = 1;         // elements of `batch` after the axis
  int64_t matrix_inner = 1;  // matrices of the stack after the axis
  for (size_t back = 0; back < stack.size() - 2; ++back) {
    const int64_t size = batch[batch.size() - 1 - back];
    const int64_t own = stack[stack.size() - 3 - back];
    for (size_t i = 0; own != 1 && i < count; ++i) {
      indices[i] += static_cast<int64_t>(i) / inner % size * matrix_inner;
    }
    inner *= size;
    matrix_inner *= own;
  }
  return indices;
}

template <class Acc, class T>
void Compute(const Tensor& a, const Dims& a_dims, const Tensor& b, const Dims& b_dims, const Dims& batch, Tensor* y) {
  const int64_t m = a_dims[a_dims.size() - 2];
  const int64_t k = a_dims.back();
  const int64_t n = b_dims.back();
  const auto a_index = MatrixIndices(batch, a_dims);
  const auto b_index = MatrixIndices(batch, b_dims);
  std::vector<Acc> row(static_cast<size_t>(k));
  std::vector<Acc> sum(static_cast<size_t>(n));
  T* out = y->Data<T>();
  for (size_t s = 0; s < a_index.size(); ++s) {
    for (int64_t i = 0; i < m; ++i, out += n) {
      const T* a_row = a.Data<T>() + (a_index[s] * m + i) * k;
      std::transform(a_row, a_row + k, row.begin(), [](T value) { return static_cast<Acc>(value); });
      MultiplyRow(row.data(), b.Data<T>() + b_index[s] * k * n, k, n, sum.data());
      std::transform(sum.begin(), sum.end(), out, [](Acc value) { return static_cast<T>(value); });
    }
  }
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  Tensor* y = &context.outputs[0];
  if (y->NumElements() == 0) return {};
  const Tensor& a = *context.input(0);
  const Tensor& b = *context.input(1);
  const Stacks stacks = ToStacks(ToShape(a.dims()), ToShape(b.dims()));
  const Dims a_dims = *ConstantDims(stacks.a);
  const Dims b_dims = *ConstantDims(stacks.b);
  const Dims batch = *ConstantDims(*JoinShapes(BatchOf(stacks.a), BatchOf(stacks.b)));
  switch (a.dtype()) {  // integers wrap: unsigned sums truncated to the type
    case DType::kInt32:
      Compute<uint64_t, int32_t>(a, a_dims, b, b_dims, batch, y);
      break;
    case DType::kInt64:
      Compute<uint64_t, int64_t>(a, a_dims, b, b_dims, batch, y);
      break;
    case DType::kUInt32:
      Compute<uint64_t, uint32_t>(a, a_dims, b, b_dims, batch, y);
      break;
    case DType::kUInt64:
      Compute<uint64_t, uint64_t>(a, a_dims, b, b_dims, batch, y);
      break;
    case DType::kFloat64:
      Compute<double, double>(a, a_dims, b, b_dims, batch, y);
      break;
    default:
      Compute<double, float>(a, a_dims, b, b_dims, batch, y);
      break;
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x3a73);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({5, 7}), make.Floats({7, 3})}, {}});
  cases.push_back({{make.Floats({2, 3, 5, 7}), make.Floats({7, 9})}, {}});
  cases.push_back({{make.Floats({2, 1, 4, 6}), make.Floats({3, 6, 5})}, {}});
  cases.push_back({{make.Floats({9}), make.Floats({9})}, {}});
  cases.push_back({{make.Floats({9}), make.Floats({2, 9, 4})}, {}});
  cases.push_back({{make.Floats({3, 2, 9}), make.Floats({9})}, {}});
  cases.push_back({{make.Integers({3, 4}, -9, 9), make.Integers({2, 4, 5}, -9, 9)}, {}});
  cases.push_back({{make.Floats({3, 0}), make.Floats({0, 2})}, {}});
  return cases;
}

}  // namespace

extern const OpDef op_mat_mul = {.name = "MatMul",
                                 .domain = "",
                                 .since_opset = 1,
                                 .infer = Infer,
                                 .eval = Eval,
                                 .sparse = {.weight_input = 1},
                                 .test_cases = TestCases};

}  // namespace tamis
