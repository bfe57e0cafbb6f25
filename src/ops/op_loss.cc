#include "src/ops/op_loss.h"

#include "src/ops/op_case.h"
#include "src/ops/op_doubles.h"

namespace tamis {

Result<std::vector<Type>> LossTypes(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 3, &problems);
  for (size_t i : {0, 2}) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({0, 2}, &problems);
  operands.CheckDType(1, {DType::kInt32, DType::kInt64}, &problems);
  operands.CheckRankAtLeast(0, 2, &problems);
  const std::string reduction = operands.node().String("reduction", "mean");
  if (reduction != "mean" && reduction != "sum" && reduction != "none") {
    problems.Add("attribute 'reduction' is '{}' but must be mean, sum or none", reduction);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const DType dtype = operands.dtype(0);
  const Shape* x = operands.shape(0);
  const Type whole = x == nullptr ? Unranked(dtype) : Type::Tensor(dtype, *x);
  if (x == nullptr) return std::vector<Type>{reduction == "none" ? Unranked(dtype) : Type::Tensor(dtype, {}), whole};
  Shape labels = {(*x)[0]};
  labels.insert(labels.end(), x->begin() + 2, x->end());
  operands.CheckShape(1, labels, &problems);
  operands.CheckShape(2, {(*x)[1]}, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, reduction == "none" ? labels : Shape()), whole};
}

Status ComputeLoss(EvalContext& context, const std::vector<double>& log_probabilities) {
  const Dims& dims = context.input(0)->dims();
  const auto labels = context.input(1)->ToInt64s();
  const Tensor* given = context.input(2);
  const auto weight = given == nullptr || !given->Defined() ? std::vector<double>() : ReadDoubles(*given);
  const bool ignores = context.node.Has("ignore_index");
  const int64_t ignored = context.node.Int("ignore_index", 0), classes = dims[1];
  const int64_t plane = labels.empty() ? 0 : static_cast<int64_t>(labels.size()) / dims[0];
  std::vector<double> losses(labels.size());
  double sum = 0, total = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (ignores && labels[i] == ignored) continue;
    if (labels[i] < 0 || labels[i] >= classes) {
      return context.Error(fmt::format("label {} is outside [0, {})", labels[i], classes));
    }
    const auto n = static_cast<int64_t>(i) / plane, p = static_cast<int64_t>(i) % plane;
    const double factor = weight.empty() ? 1 : weight[static_cast<size_t>(labels[i])];
    losses[i] = -factor * log_probabilities[static_cast<size_t>((n * classes + labels[i]) * plane + p)];
    sum += losses[i];
    total += factor;
  }
  const std::string reduction = context.node.String("reduction", "mean");
  if (reduction != "none") losses = {reduction == "sum" ? sum : sum / total};
  WriteDoubles(context.outputs[0], losses);
  return {};
}

std::vector<OpTestCase> LossCases() {
  CaseMaker make(0x1055);
  const std::string none = "none", sum = "sum";
  return {{{make.Floats({4, 5}), make.Integers({4}, 0, 4)}, {}},
          {{make.Floats({2, 5, 3}), make.Integers({2, 3}, 0, 4), make.Floats({5}, 0.5f, 1)}, {{"reduction", none}}},
          {{make.Floats({2, 5, 3, 2}), make.Integers({2, 3, 2}, 0, 4), make.Floats({5}, 0.5f, 1)},
           {{"reduction", sum}, {"ignore_index", int64_t{3}}}},
          {{make.Floats({2, 5, 7}), make.Integers({2, 7}, 0, 4), make.Floats({5}, 0.5f, 1)},
           {{"ignore_index", int64_t{0}}}}};
}

}  // namespace tamis
