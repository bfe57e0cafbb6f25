// Attention (src/ops/op_tamis.h): softmax(scale * q . k^T + mask) . v for each head, heads side by side in the last
// axis.
#include <algorithm>
#include <cmath>
#include <limits>

#include "src/ops/op_broadcast_read.h"
#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"
#include "src/ops/op_numeric.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 4, &problems);
  for (size_t i = 0; i < 4; ++i) CheckTamisFloat(operands, i, &problems);
  for (size_t i = 0; i < 3; ++i) operands.CheckRank(i, 3, &problems);
  const DType dtype = TamisOutputDType(operands, &problems);
  const int64_t heads = operands.node().Int("num_heads", 0);
  if (heads < 1) problems.Add("attribute 'num_heads' must be given and at least 1");
  if (!operands.node().Has("scale")) problems.Add("attribute 'scale' is missing");
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* q = operands.shape(0);
  const Shape* k = operands.shape(1);
  const Shape* v = operands.shape(2);
  if (q == nullptr || k == nullptr || v == nullptr) return std::vector<Type>{Unranked(dtype)};
  operands.CheckShape(1, {(*q)[0], (*k)[1], (*q)[2]}, &problems);
  operands.CheckShape(2, {(*q)[0], (*k)[1], (*v)[2]}, &problems);
  for (const Shape* shape : {q, v}) {
    if (MayEqual(Dim::Mod((*shape)[2], Dim(heads)), Dim(0))) continue;
    problems.Add("{} heads don't divide the last dimension of {}", heads, ToString(*shape));
  }
  const Shape scores = {(*q)[0], Dim(heads), (*q)[1], (*k)[1]};
  if (const Shape* mask = operands.shape(3); mask != nullptr && !BroadcastsTo(*mask, scores)) {
    problems.Add("the mask {} doesn't broadcast to the scores {}", ToString(*mask), ToString(scores));
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, {(*q)[0], (*q)[1], (*v)[2]})};
}

// In place. All NaN where every score is -infinity, as the composition of ONNX operators does.
void Softmax(std::span<double> scores) {
  double most = -std::numeric_limits<double>::infinity();
  for (double score : scores) most = std::max(most, score);
  double sum = 0;
  for (double& score : scores) {
    score = std::exp(score - most);
    sum += score;
  }
  for (double& score : scores) score /= sum;
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  if (context.outputs[0].NumElements() == 0) return {};
  const Tensor& q = *context.input(0);
  const Tensor& k = *context.input(1);
  const Tensor& v = *context.input(2);
  const Tensor* mask = context.input(3) != nullptr && context.input(3)->Defined() ? context.input(3) : nullptr;
  const int64_t heads = context.node.Int("num_heads", 1);
  const auto scale = static_cast<double>(context.node.Float("scale", 1));
  const int64_t queries = q.dim(1);
  const int64_t keys = k.dim(1);
  const int64_t depth = q.dim(2) / heads;
  const int64_t width = v.dim(2) / heads;
  const BroadcastIndex mask_index(mask != nullptr ? mask->dims() : Dims{}, {q.dim(0), heads, queries, keys});
  std::vector<double> scores(static_cast<size_t>(keys));
  std::vector<double> sum(static_cast<size_t>(width));
  for (int64_t row = 0; row < q.dim(0) * heads * queries; ++row) {  // (batch, head, query)
    const int64_t s = row % queries;
    const int64_t h = row / queries % heads;
    const int64_t b = row / queries / heads;
    const float* query = q.Data<float>() + (b * queries + s) * q.dim(2) + h * depth;
    for (int64_t t = 0; t < keys; ++t) {
      const float* key = k.Data<float>() + (b * keys + t) * k.dim(2) + h * depth;
      double& score = scores[static_cast<size_t>(t)];
      score = scale * Dot(query, key, depth);
      if (mask != nullptr) score += static_cast<double>(mask->Data<float>()[mask_index(row * keys + t)]);
    }
    Softmax(scores);
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t t = 0; t < keys; ++t) {
      const float* value = v.Data<float>() + (b * keys + t) * v.dim(2) + h * width;
      for (int64_t e = 0; e < width; ++e) {
        sum[static_cast<size_t>(e)] += scores[static_cast<size_t>(t)] * static_cast<double>(value[e]);
      }
    }
    std::transform(sum.begin(), sum.end(), context.outputs[0].Data<float>() + (b * queries + s) * v.dim(2) + h * width,
                   [](double value) { return static_cast<float>(value); });
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  const auto attributes = [](int64_t heads, float scale) {
    return std::map<std::string, Attribute>{{"num_heads", heads}, {"scale", scale}};
  };
  CaseMaker make(0xa77e);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({1, 7, 24}), make.Floats({1, 7, 24}), make.Floats({1, 7, 24})}, attributes(3, 0.35f)});
  cases.push_back(
      {{make.Floats({2, 5, 16}), make.Floats({2, 9, 16}), make.Floats({2, 9, 6}), make.Floats({2, 1, 1, 9}, -10, 0)},
       attributes(2, 0.25f)});
  cases.push_back(
      {{make.Floats({1, 33, 64}), make.Floats({1, 33, 64}), make.Floats({1, 33, 64}), make.Floats({33, 33}, -3, 3)},
       attributes(1, 0.125f)});
  return cases;
}

}  // namespace

extern const OpDef op_attention = {.name = "Attention",
                                   .domain = kTamisDomain,
                                   .since_opset = 1,
                                   .infer = Infer,
                                   .eval = Eval,
                                   .test_cases = TestCases};

}  // namespace tamis
