// Det: the determinants of square matrices x[..., M, M], by elimination with the greatest pivot of each column.
#include <algorithm>
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(1, 1, &problems);
  operands.CheckFloat(0, &problems);
  operands.CheckRankAtLeast(0, 2, &problems);
  const Shape* x = operands.shape(0);
  if (x != nullptr && x->size() >= 2 && !MayEqual((*x)[x->size() - 1], (*x)[x->size() - 2])) {
    problems.Add("input 0 has shape {}, whose matrices are not square", ToString(*x));
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (x == nullptr) return std::vector<Type>{Unranked(operands.dtype(0))};
  return std::vector<Type>{Type::Tensor(operands.dtype(0), Shape(x->begin(), x->end() - 2))};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

// Destroys the matrix.
double Determinant(double* a, int64_t n) {
  double product = 1;
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; ++i) {
      if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
    }
    if (a[pivot * n + k] == 0) return 0;
    if (pivot != k) {
      std::swap_ranges(a + k * n, a + (k + 1) * n, a + pivot * n);
      product = -product;
    }
    product *= a[k * n + k];
    for (int64_t i = k + 1; i < n; ++i) {
      const double factor = a[i * n + k] / a[k * n + k];
      for (int64_t j = k; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
    }
  }
  return product;
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  auto x = ReadDoubles(*context.input(0));
  const int64_t n = context.input(0)->dim(-1);
  std::vector<double> y(static_cast<size_t>(context.outputs[0].NumElements()));
  for (size_t i = 0; i < y.size(); ++i) y[i] = Determinant(x.data() + static_cast<int64_t>(i) * n * n, n);
  WriteDoubles(context.outputs[0], y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0xde70);
  return {{{make.Floats({3, 3})}, {}}, {{make.Floats({2, 3, 4, 4})}, {}}, {{make.Floats({2, 1, 1})}, {}}};
}

}  // namespace

extern const OpDef op_det = {
    .name = "Det", .domain = "", .since_opset = 11, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
