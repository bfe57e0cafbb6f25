// Gemm: alpha * a' . b' + beta * c with a'[M, K], b'[K, N] (transposed as asked) and c broadcast to [M, N]. Sums of
// integers wrap.
#include "src/ops/op_case.h"
#include "src/ops/op_cast.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  const size_t required = operands.opset() >= 11 ? 2 : 3;
  operands.CheckCount(required, 3, &problems);
  for (size_t i = 0; i < 3; ++i) {
    operands.CheckDType(i,
                        {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16, DType::kInt32,
                         DType::kInt64, DType::kUInt32, DType::kUInt64},
                        &problems);
  }
  operands.CheckSameDType({0, 1, 2}, &problems);
  operands.CheckRank(0, 2, &problems);
  operands.CheckRank(1, 2, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());

  const Shape* a = operands.shape(0);
  const Shape* b = operands.shape(1);
  if (a == nullptr || b == nullptr) return std::vector<Type>{Unranked(operands.dtype(0))};
  const bool transpose_a = operands.node().Int("transA", 0) != 0;
  const bool transpose_b = operands.node().Int("transB", 0) != 0;
  const Shape y = {(*a)[transpose_a ? 1 : 0], (*b)[transpose_b ? 0 : 1]};
  if (!MayEqual((*a)[transpose_a ? 0 : 1], (*b)[transpose_b ? 1 : 0])) {
    problems.Add("{}{} . {}{} doesn't fit: the inner dimensions differ", ToString(*a), transpose_a ? "^T" : "",
                 ToString(*b), transpose_b ? "^T" : "");
  }
  if (const Shape* c = operands.shape(2); c != nullptr) {
    if (!BroadcastsTo(*c, y)) {
      problems.Add("input 2 {} doesn't broadcast to {}", ToString(*c), ToString(y));
    }
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(operands.dtype(0), y)};
}

// alpha * sum + beta * bias. The usual factors leave integers what they are.
template <class T>
T Scaled(double alpha, double sum, double beta, T bias) {
  return static_cast<T>(alpha * sum + beta * static_cast<double>(bias));
}
int64_t Scaled(double alpha, uint64_t sum, double beta, int64_t bias) {
  if (alpha == 1 && beta == 1) return static_cast<int64_t>(sum + static_cast<uint64_t>(bias));
  return static_cast<int64_t>(alpha * static_cast<double>(static_cast<int64_t>(sum)) +
                              beta * static_cast<double>(bias));
}

template <class T, class Acc>
void Compute(EvalContext& context) {
  const Tensor& a = *context.input(0);
  const Tensor& b = *context.input(1);
  const Tensor* c = context.input(2);
  const bool transpose_a = context.node.Int("transA", 0) != 0;
  const bool transpose_b = context.node.Int("transB", 0) != 0;
  const auto alpha = static_cast<double>(context.node.Float("alpha", 1));
  const auto beta = static_cast<double>(context.node.Float("beta", 1));
  const int64_t m = context.outputs[0].dim(0);
  const int64_t n = context.outputs[0].dim(1);
  const int64_t k = a.dim(transpose_a ? 0 : 1);
  std::vector<Acc> row(static_cast<size_t>(k));
  std::vector<Acc> sum(static_cast<size_t>(n));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t p = 0; p < k; ++p) {
      row[static_cast<size_t>(p)] = static_cast<Acc>(a.Data<T>()[transpose_a ? p * m + i : i * k + p]);
    }
    if (transpose_b) {
      for (int64_t j = 0; j < n; ++j) {
        const T* column = b.Data<T>() + j * k;
        if constexpr (std::is_same_v<Acc, double>) {
          sum[static_cast<size_t>(j)] = Dot(row.data(), column, k);
        } else {
          sum[static_cast<size_t>(j)] = 0;
          for (int64_t p = 0; p < k; ++p)
            sum[static_cast<size_t>(j)] += row[static_cast<size_t>(p)] * static_cast<Acc>(column[p]);
        }
      }
    } else {
      MultiplyRow(row.data(), b.Data<T>(), k, n, sum.data());
    }
    T* y = context.outputs[0].Data<T>() + i * n;
    if (c == nullptr || !c->Defined() || beta == 0) {
      for (int64_t j = 0; j < n; ++j) y[j] = Scaled(alpha, sum[static_cast<size_t>(j)], 1, T{});
      continue;
    }
    const int64_t c_row = c->rank() == 2 && c->dim(0) != 1 ? i * c->dim(1) : 0;
    const int64_t c_step = c->rank() > 0 && c->dim(-1) != 1 ? 1 : 0;
    for (int64_t j = 0; j < n; ++j) {
      y[j] = Scaled(alpha, sum[static_cast<size_t>(j)], beta, c->Data<T>()[c_row + j * c_step]);
    }
  }
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  if (context.outputs[0].NumElements() == 0) return {};
  const DType dtype = context.input(0)->dtype();
  if (dtype == DType::kInt64) {
    Compute<int64_t, uint64_t>(context);
  } else if (IsInteger(dtype)) {  // in 64 bits, and the low ones of those
    std::vector<Tensor> wide;
    for (const Tensor* input : context.inputs) {
      wide.push_back(input == nullptr ? Tensor() : CastTensor(*input, DType::kInt64));
    }
    std::vector<const Tensor*> operands;
    for (const Tensor& tensor : wide) operands.push_back(tensor.Defined() ? &tensor : nullptr);
    EvalContext integers{context.node, context.opset, operands, std::vector<Tensor>(1)};
    TAMIS_RETURN_IF_ERROR(Eval(integers));
    context.outputs[0] = CastTensor(integers.outputs[0], dtype);
  } else {
    DispatchFloat(dtype, [&](auto zero) { Compute<decltype(zero), double>(context); });
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x6e4401);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({3, 7}), make.Floats({7, 5}), make.Floats({5})}, {}});
  cases.push_back({{make.Floats({9, 13}), make.Floats({11, 13}), make.Floats({9, 1})},
                   {{"transB", int64_t{1}}, {"alpha", 0.5f}, {"beta", -2.0f}}});
  cases.push_back({{make.Floats({6, 4}), make.Floats({6, 3}), make.Floats({4, 3})}, {{"transA", int64_t{1}}}});
  cases.push_back({{make.Floats({5, 2}), make.Floats({4, 5}), make.Floats({})},
                   {{"transA", int64_t{1}}, {"transB", int64_t{1}}, {"beta", 3.0f}}});
  cases.push_back({{make.Floats({1, 17}), make.Floats({17, 1})}, {}});
  cases.push_back({{make.Floats({2, 0}), make.Floats({0, 3}), make.Floats({1, 3})}, {}});
  cases.push_back({{make.Integers({3, 4}, -9, 9), make.Integers({5, 4}, -9, 9), make.Integers({5}, -9, 9)},
                   {{"transB", int64_t{1}}, {"beta", 2.0f}}});
  return cases;
}

}  // namespace

extern const OpDef op_gemm = {.name = "Gemm",
                              .domain = "",
                              .since_opset = 7,
                              .infer = Infer,
                              .eval = Eval,
                              .sparse = {.weight_input = 1},
                              .test_cases = TestCases};

}  // namespace tamis
