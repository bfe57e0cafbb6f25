// FlexAttention of ai.onnx.preview: attention on [B, H, S, D] whose scores and probabilities go through regions of the
// node, score_mod and prob_mod, on their way.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

enum Input : size_t { kQuery, kKey, kValue };

DType ScoresDType(const Node& node, DType operands) {
  const int64_t given = node.Int("softmax_precision", 0);
  if (given != 0) return static_cast<DType>(given);
  return operands == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
}

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 3, &problems);
  for (const size_t i : {kQuery, kKey, kValue}) {
    operands.CheckFloat(i, &problems);
    operands.CheckRank(i, 4, &problems);
  }
  operands.CheckSameDType({kQuery, kKey, kValue}, &problems);
  const int64_t precision = operands.node().Int("softmax_precision", 0);
  if (precision != 0 && precision != 1 && precision != 10 && precision != 11 && precision != 16) {
    problems.Add("attribute softmax_precision is {} but must name a float type", precision);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const DType dtype = operands.dtype(kQuery);
  const Shape* q = operands.shape(kQuery);
  const Shape* k = operands.shape(kKey);
  const Shape* v = operands.shape(kValue);
  if (q == nullptr || k == nullptr || v == nullptr) return std::vector<Type>{Unranked(dtype)};
  operands.CheckShape(kKey, {(*q)[0], (*k)[1], (*k)[2], (*q)[3]}, &problems);
  operands.CheckShape(kValue, {(*q)[0], (*k)[1], (*k)[2], (*v)[3]}, &problems);
  if ((*k)[1] == Dim(0) || !MayEqual(Dim::Mod((*q)[1], (*k)[1]), Dim(0))) {
    problems.Add("{} query heads do not share {} key heads evenly", (*q)[1].ToString(), (*k)[1].ToString());
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, {(*q)[0], (*q)[1], (*q)[2], (*v)[3]})};
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(InferBy(context, Rule));
  const DType dtype = ScoresDType(context.node(), context.InputDType(kQuery));
  Type scores = Unranked(dtype);
  const Shape* q = context.InputShape(kQuery);
  const Shape* k = context.InputShape(kKey);
  if (q != nullptr && k != nullptr) scores = Type::Tensor(dtype, {(*q)[0], (*q)[1], (*q)[2], (*k)[2]});
  for (size_t i = 0; i < context.node().regions.size(); ++i) {
    const std::string& name = context.node().regions[i].name;
    if (name != "score_mod" && name != "prob_mod") return context.Error(fmt::format("has no attribute {}", name));
    TAMIS_ASSIGN_OR_RETURN(const auto types, context.InferRegion(i, std::span(&scores, 1)));
    if (types.size() == 1 && types[0].IsTensor() && types[0].dtype == dtype) continue;
    return context.Error(fmt::format("{} must give one tensor of {}", name, Name(dtype)));
  }
  return {};
}

// The result of the region of that name for `values`, or `values` if there is none.
Result<Tensor> Modified(DataContext& context, std::string_view name, Tensor values) {
  for (size_t i = 0; i < context.node.regions.size(); ++i) {
    if (context.node.regions[i].name != name) continue;
    const Datum input(values);
    TAMIS_ASSIGN_OR_RETURN(auto results, context.regions->Run(i, std::span(&input, 1)));
    if (results.size() == 1 && results[0].IsTensor() && results[0].tensor().dims() == values.dims() &&
        results[0].tensor().dtype() == values.dtype()) {
      return results[0].tensor();
    }
    return context.Error(
        fmt::format("{} must give one tensor of {}{}", name, Name(values.dtype()), ToString(values.dims())));
  }
  return values;
}

Tensor Doubles(const Tensor& tensor) {
  return Centered(tensor, nullptr, DType::kFloat64);
}

Tensor Narrowed(const Tensor& doubles, DType dtype) {
  Tensor result(dtype, doubles.dims());
  WriteWide<double>(result, 0, doubles.Span<double>());
  return result;
}

void SoftmaxRows(Tensor* scores) {
  const int64_t keys = scores->dim(3);
  for (int64_t row = 0; keys > 0 && row < scores->NumElements() / keys; ++row) {
    const auto values = scores->Span<double>().subspan(static_cast<size_t>(row * keys), static_cast<size_t>(keys));
    const double top = *std::max_element(values.begin(), values.end());
    double sum = 0;
    for (double& x : values) sum += x = std::exp(x - top);
    for (double& x : values) x /= sum;
  }
}

Status Eval(DataContext& context) {
  for (const size_t i : {kQuery, kKey, kValue}) {
    const Datum* operand = context.input(i);
    if (operand == nullptr || !operand->IsTensor() || operand->tensor().rank() != 4 ||
        !IsFloat(operand->tensor().dtype())) {
      return context.Error(fmt::format("input {} must be a tensor of floats and 4 dimensions", size_t{i}));
    }
  }
  const Tensor& query = context.input(kQuery)->tensor();
  const DType dtype = ScoresDType(context.node, query.dtype());
  const Tensor q = Doubles(query), k = Doubles(context.input(kKey)->tensor());
  const Tensor v = Doubles(context.input(kValue)->tensor());
  const int64_t heads = q.dim(1), queries = q.dim(2), size = q.dim(3), keys = k.dim(2), v_size = v.dim(3);
  if (k.dim(1) == 0 || heads % k.dim(1) != 0 || k.dim(3) != size || v.dim(2) != keys || k.dim(0) != q.dim(0) ||
      v.dim(0) != q.dim(0) || v.dim(1) != k.dim(1)) {
    return context.Error(fmt::format("query {}, key {} and value {} do not fit together", ToString(q.dims()),
                                     ToString(k.dims()), ToString(v.dims())));
  }
  const int64_t group = heads / k.dim(1);
  const double scale = context.node.Has("scale") ? static_cast<double>(context.node.Float("scale", 1))
                                                 : 1 / std::sqrt(static_cast<double>(size));
  const auto shared = [&](int64_t row) {  // the key head of a row of queries
    const int64_t head = row / queries;
    return head / heads * k.dim(1) + head % heads / group;
  };
  Tensor scores(DType::kFloat64, {q.dim(0), heads, queries, keys});
  for (int64_t row = 0; row < q.dim(0) * heads * queries; ++row) {
    const double* from = q.Data<double>() + row * size;
    const double* k_head = k.Data<double>() + shared(row) * keys * size;
    for (int64_t j = 0; j < keys; ++j) {
      double sum = 0;
      for (int64_t d = 0; d < size; ++d) sum += from[d] * k_head[j * size + d];
      scores.Data<double>()[row * keys + j] = sum * scale;
    }
  }
  TAMIS_ASSIGN_OR_RETURN(const Tensor modified, Modified(context, "score_mod", Narrowed(scores, dtype)));
  Tensor weights = Doubles(modified).Clone();
  SoftmaxRows(&weights);
  TAMIS_ASSIGN_OR_RETURN(const Tensor chosen, Modified(context, "prob_mod", Narrowed(weights, dtype)));
  const Tensor probabilities = Doubles(chosen);
  Tensor y(DType::kFloat64, {q.dim(0), heads, queries, v_size});
  for (int64_t row = 0; row < q.dim(0) * heads * queries; ++row) {
    const double* v_head = v.Data<double>() + shared(row) * keys * v_size;
    double* to = y.Data<double>() + row * v_size;
    for (int64_t j = 0; j < keys; ++j) {
      const double weight = probabilities.Data<double>()[row * keys + j];
      for (int64_t d = 0; d < v_size; ++d) to[d] += weight * v_head[j * v_size + d];
    }
  }
  context.outputs[0] = Narrowed(y, query.dtype());
  return {};
}

}  // namespace

extern const OpDef op_flex_attention = {
    .name = "FlexAttention", .domain = "ai.onnx.preview", .since_opset = 1, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
