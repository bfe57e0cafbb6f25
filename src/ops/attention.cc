// Attention (src/ops/op_tamis.h): softmax(scale * q . k^T + mask) . v for each head, heads side by side in the last
// axis.
//
// Of a quantised network the attributes {q,k,v}_scale and {q,k,v}_zero_point, all or none, say what its
// QuantizeLinear rounded q, k and v to, as u8 codes of scale * (code - zero). They are a permission: a kernel may round
// the operands so, and the softmax's numerators to 255ths of a row's largest. The reference and kernels of floats
// don't.
#include <algorithm>
#include <cmath>
#include <limits>

#include "src/ops/op_broadcast_read.h"
#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"
#include "src/ops/op_numeric.h"

namespace tamis {
namespace {

// Batch, heads, rows and depth of an operand [B, S, H*D] or [B, H, S, D].
Shape Parts(const Shape& shape, int64_t heads) {
  if (shape.size() == 4) return shape;
  return {shape[0], Dim(heads), shape[1], Dim::FloorDiv(shape[2], Dim(heads))};
}

// Scales and zero points of codes, of all three operands or of none.
void CheckCodes(const Node& node, NodeProblems* problems) {
  int given = 0;
  for (const std::string of : {"q", "k", "v"}) {
    const std::string scale = of + "_scale", zero = of + "_zero_point";
    given += (node.Has(scale) ? 1 : 0) + (node.Has(zero) ? 1 : 0);
    if (node.Has(scale) && !(node.Float(scale, 0) > 0 && std::isfinite(node.Float(scale, 0)))) {
      problems->Add("attribute '{}' is {} and must be positive", scale, node.Float(scale, 0));
    }
    if (node.Int(zero, 0) < 0 || node.Int(zero, 0) > 255) {
      problems->Add("attribute '{}' is {} and must be from 0 to 255", zero, node.Int(zero, 0));
    }
  }
  if (given != 0 && given != 6) problems->Add("q, k and v must all have a scale and a zero point of codes, or none");
}

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 4, &problems);
  for (size_t i = 0; i < 4; ++i) CheckTamisFloat(operands, i, &problems);
  const DType dtype = TamisOutputDType(operands, &problems);
  const int64_t heads = operands.node().Int("num_heads", 0);
  const int64_t kv_heads = operands.node().Int("kv_heads", heads);
  if (heads < 1) problems.Add("attribute 'num_heads' must be given and at least 1");
  if (kv_heads < 1 || heads % std::max<int64_t>(kv_heads, 1) != 0) {
    problems.Add("attribute 'kv_heads' is {}, which doesn't divide the {} heads", kv_heads, heads);
  }
  if (!(operands.node().Float("softcap", 0) >= 0)) {
    problems.Add("attribute 'softcap' is {} and must not be negative", operands.node().Float("softcap", 0));
  }
  if (!operands.node().Has("scale")) problems.Add("attribute 'scale' is missing");
  CheckCodes(operands.node(), &problems);
  Shape parts[3];
  bool known = true;
  for (size_t i = 0; i < 3; ++i) {
    const Shape* shape = operands.shape(i);
    known = known && shape != nullptr;
    if (shape == nullptr || !problems.empty()) continue;
    const int64_t own = i == 0 ? heads : kv_heads;
    if (shape->size() != 3 && shape->size() != 4) {
      problems.Add("input {} {} must have 3 or 4 dimensions", i, ToString(*shape));
    } else if (shape->size() == 3 && !MayEqual(Dim::Mod((*shape)[2], Dim(own)), Dim(0))) {
      problems.Add("{} heads don't divide the last dimension of {}", own, ToString(*shape));
    } else {
      parts[i] = Parts(*shape, own);
      if (!MayEqual(parts[i][1], Dim(own))) problems.Add("input {} {} must have {} heads", i, ToString(*shape), own);
    }
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (!known) return std::vector<Type>{Unranked(dtype)};
  const auto &q = parts[0], &k = parts[1], &v = parts[2];
  if (!MayEqual(q[0], k[0]) || !MayEqual(q[0], v[0]) || !MayEqual(k[2], v[2]) || !MayEqual(q[3], k[3])) {
    problems.Add("q {}, k {} and v {} don't agree", ToString(*operands.shape(0)), ToString(*operands.shape(1)),
                 ToString(*operands.shape(2)));
  }
  const Shape scores = {q[0], Dim(heads), q[2], k[2]};
  if (const Shape* mask = operands.shape(3); mask != nullptr && !BroadcastsTo(*mask, scores)) {
    problems.Add("the mask {} doesn't broadcast to the scores {}", ToString(*mask), ToString(scores));
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, {q[0], q[2], Dim(heads) * v[3]})};
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

// Where the rows of an operand of concrete dimensions lie.
struct Rows {
  Rows(const Tensor& tensor, int64_t head_count) : data(tensor.Data<float>()) {
    const Dims& d = tensor.dims();
    const bool apart = d.size() == 4;
    heads = apart ? d[1] : head_count;
    rows = apart ? d[2] : d[1];
    depth = apart ? d[3] : d[2] / head_count;
    head_step = apart ? rows * depth : depth;
    row_step = apart ? depth : heads * depth;
  }
  const float* Row(int64_t b, int64_t h, int64_t s) const {
    return data + b * heads * rows * depth + h * head_step + s * row_step;
  }
  const float* data;
  int64_t heads, rows, depth, head_step, row_step;
};

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  if (context.outputs[0].NumElements() == 0) return {};
  const Tensor* mask = context.input(3) != nullptr && context.input(3)->Defined() ? context.input(3) : nullptr;
  const int64_t heads = context.node.Int("num_heads", 1), kv_heads = context.node.Int("kv_heads", heads);
  const Rows q(*context.input(0), heads), k(*context.input(1), kv_heads), v(*context.input(2), kv_heads);
  const auto scale = static_cast<double>(context.node.Float("scale", 1));
  const bool zero_masked = context.node.Int("zero_masked", 0) != 0;
  const bool mean_masked = context.node.Int("mean_masked", 0) != 0;
  const auto softcap = static_cast<double>(context.node.Float("softcap", 0));
  const AttentionSight sight = SightOf(context.node, q.rows, k.rows);
  const int64_t shared = heads / kv_heads;
  const int64_t batch = context.outputs[0].dim(0);
  const BroadcastIndex mask_index(mask != nullptr ? mask->dims() : Dims{}, {batch, heads, q.rows, k.rows});
  std::vector<double> scores(static_cast<size_t>(k.rows));
  std::vector<double> sum(static_cast<size_t>(v.depth));
  for (int64_t row = 0; row < batch * heads * q.rows; ++row) {  // (batch, head, query)
    const int64_t s = row % q.rows;
    const int64_t h = row / q.rows % heads;
    const int64_t b = row / q.rows / heads;
    bool visible = false;
    double most = -std::numeric_limits<double>::infinity();
    for (int64_t t = 0; t < k.rows; ++t) {
      double& score = scores[static_cast<size_t>(t)];
      score = scale * Dot(q.Row(b, h, s), k.Row(b, h / shared, t), q.depth);
      if (softcap > 0) score = softcap * std::tanh(score / softcap);
      if (mask != nullptr) score += static_cast<double>(mask->Data<float>()[mask_index(row * k.rows + t)]);
      if (t < s + sight.first || t > s + sight.last) score = -std::numeric_limits<double>::infinity();
      most = std::max(most, score);
      visible = visible || score != -std::numeric_limits<double>::infinity();
    }
    if (mean_masked && most < kMeanMasked) std::fill(scores.begin(), scores.end(), 0.0);
    Softmax(scores);
    if (zero_masked && !visible && !mean_masked) std::fill(scores.begin(), scores.end(), 0.0);
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t t = 0; t < k.rows; ++t) {
      const float* value = v.Row(b, h / shared, t);
      for (int64_t e = 0; e < v.depth; ++e) {
        sum[static_cast<size_t>(e)] += scores[static_cast<size_t>(t)] * static_cast<double>(value[e]);
      }
    }
    float* out = context.outputs[0].Data<float>() + ((b * q.rows + s) * heads + h) * v.depth;
    std::transform(sum.begin(), sum.end(), out, [](double value) { return static_cast<float>(value); });
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
  const auto with = [&](std::map<std::string, Attribute> base, std::map<std::string, Attribute> more) {
    base.merge(more);
    return base;
  };
  cases.push_back({{make.Floats({2, 5, 24}), make.Floats({2, 7, 12}), make.Floats({2, 7, 6})},
                   with(attributes(4, 0.3f), {{"kv_heads", int64_t{2}}})});
  cases.push_back({{make.Floats({1, 6, 9, 8}), make.Floats({1, 2, 9, 8}), make.Floats({1, 9, 10})},
                   with(attributes(6, 0.3f), {{"kv_heads", int64_t{2}}, {"causal", int64_t{1}}})});
  cases.push_back({{make.Floats({1, 2, 3, 8}), make.Floats({1, 2, 10, 8}), make.Floats({1, 2, 10, 8})},
                   with(attributes(2, 0.3f), {{"causal", int64_t{1}}, {"causal_offset", int64_t{7}}})});
  const std::map<std::string, Attribute> window = {{"causal", int64_t{1}},   {"causal_offset", int64_t{2}},
                                                   {"windowed", int64_t{1}}, {"window_offset", int64_t{-20}},
                                                   {"from_end", int64_t{1}}, {"softcap", 1.5f}};
  cases.push_back(
      {{make.Floats({2, 60, 16}), make.Floats({2, 70, 16}), make.Floats({2, 70, 16}), make.Floats({2, 1, 1, 70})},
       with(attributes(2, 0.5f), window)});
  Tensor hiding = make.Floats({2, 1, 1, 20});
  for (int64_t t = 0; t < 7; ++t) hiding.Data<float>()[t] = std::numeric_limits<float>::lowest();
  cases.push_back({{make.Floats({2, 20, 16}), make.Floats({2, 20, 16}), make.Floats({2, 20, 16}), hiding},
                   with(attributes(2, 0.5f), {{"causal", int64_t{1}}, {"mean_masked", int64_t{1}}})});
  const std::map<std::string, Attribute> codes = {{"q_scale", 0.01f}, {"q_zero_point", int64_t{100}},
                                                  {"k_scale", 0.02f}, {"k_zero_point", int64_t{128}},
                                                  {"v_scale", 0.01f}, {"v_zero_point", int64_t{90}}};
  cases.push_back({{make.Floats({1, 9, 24}), make.Floats({1, 21, 24}), make.Floats({1, 21, 10})},
                   with(attributes(2, 0.5f), codes)});
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
