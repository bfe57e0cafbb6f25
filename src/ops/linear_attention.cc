// LinearAttention: a state S[d_k, d_v] a key head, updated token by token and read by the queries of its group.
//
//   linear:       S += k (x) v                 gated:        S = exp(g) S, then linear
//   delta:        S += k (x) beta (v - S^T k)  gated_delta:  S = exp(g) S, then delta
//
// Operands are packed as [B, T, heads * size]; the state is [B, key heads, d_k, d_v].
#include <cmath>
#include <string>

#include "src/ops/op_case.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

enum Input : size_t { kQuery, kKey, kValue, kPast, kDecay, kBeta };

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 6, &problems);
  for (const size_t i : {kQuery, kKey, kValue, kPast, kDecay, kBeta}) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({kQuery, kKey, kValue, kDecay, kBeta}, &problems);
  for (const size_t i : {kQuery, kKey, kValue, kDecay, kBeta}) operands.CheckRank(i, 3, &problems);
  const Node& node = operands.node();
  const std::string rule = node.String("update_rule", "gated_delta");
  if (rule != "linear" && rule != "gated" && rule != "delta" && rule != "gated_delta") {
    problems.Add("attribute update_rule is '{}' but must be linear, gated, delta or gated_delta", rule);
  }
  const bool gated = rule == "gated" || rule == "gated_delta";
  const bool delta = rule == "delta" || rule == "gated_delta";
  if (gated != operands.Has(kDecay)) problems.Add("update_rule {} {} decay", rule, gated ? "needs" : "takes no");
  if (delta != operands.Has(kBeta)) problems.Add("update_rule {} {} beta", rule, delta ? "needs" : "takes no");
  const int64_t q_heads = node.Int("q_num_heads", 0);
  const int64_t heads = node.Int("kv_num_heads", 0);
  if (q_heads < 1 || heads < 1 || q_heads % heads != 0) {
    problems.Add("{} query heads do not share {} key heads evenly", q_heads, heads);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const DType dtype = operands.dtype(kQuery);
  const DType state = operands.Has(kPast) ? operands.dtype(kPast) : dtype;
  const Shape* q = operands.shape(kQuery);
  const Shape* k = operands.shape(kKey);
  const Shape* v = operands.shape(kValue);
  if (q == nullptr || k == nullptr || v == nullptr) return std::vector<Type>{Unranked(dtype), Unranked(state)};
  for (const auto& [shape, count] : {std::pair(q, q_heads), std::pair(k, heads), std::pair(v, heads)}) {
    if (!MayEqual(Dim::Mod((*shape)[2], Dim(count)), Dim(0))) {
      problems.Add("the last dimension of {} does not divide into {} heads", ToString(*shape), count);
    }
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Dim d_k = Dim::FloorDiv((*q)[2], Dim(q_heads));
  const Dim d_v = Dim::FloorDiv((*v)[2], Dim(heads));
  operands.CheckShape(kKey, {(*q)[0], (*q)[1], d_k * Dim(heads)}, &problems);
  operands.CheckShape(kValue, {(*q)[0], (*q)[1], (*v)[2]}, &problems);
  operands.CheckShape(kPast, {(*q)[0], Dim(heads), d_k, d_v}, &problems);
  if (const Shape* decay = operands.shape(kDecay)) {
    const bool by_head = MayEqual((*decay)[2], Dim(heads));
    operands.CheckShape(kDecay, {(*q)[0], (*q)[1], by_head ? Dim(heads) : d_k * Dim(heads)}, &problems);
  }
  if (const Shape* beta = operands.shape(kBeta)) {
    const bool one = (*beta)[2] == Dim(1);
    operands.CheckShape(kBeta, {(*q)[0], (*q)[1], one ? Dim(1) : Dim(heads)}, &problems);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, {(*q)[0], (*q)[1], d_v * Dim(q_heads)}),
                           Type::Tensor(state, {(*q)[0], Dim(heads), d_k, d_v})};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Tensor Doubles(const Tensor* tensor) {
  return tensor == nullptr ? Tensor() : Centered(*tensor, nullptr, DType::kFloat64);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  const Tensor q = Doubles(context.input(kQuery)), k = Doubles(context.input(kKey)), v = Doubles(context.input(kValue));
  const Tensor decay = Doubles(context.input(kDecay)), beta = Doubles(context.input(kBeta));
  const int64_t batch = q.dim(0), length = q.dim(1);
  const int64_t q_heads = context.node.Int("q_num_heads", 1), heads = context.node.Int("kv_num_heads", 1);
  const int64_t d_k = q.dim(2) / q_heads, d_v = v.dim(2) / heads, group = q_heads / heads;
  const auto given = static_cast<double>(context.node.Float("scale", 0));
  const double scale = given != 0 ? given : 1 / std::sqrt(static_cast<double>(d_k));
  Tensor state = context.input(kPast) != nullptr ? Doubles(context.input(kPast)).Clone()
                                                 : Tensor(DType::kFloat64, {batch, heads, d_k, d_v});
  Tensor output(DType::kFloat64, {batch, length, q_heads * d_v});
  std::vector<double> written(static_cast<size_t>(d_v));
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      double* s = state.Data<double>() + (b * heads + h) * d_k * d_v;
      for (int64_t t = 0; t < length; ++t) {
        const int64_t token = b * length + t;
        const double* k_row = k.Data<double>() + (token * heads + h) * d_k;
        const double* v_row = v.Data<double>() + (token * heads + h) * d_v;
        if (decay.Defined()) {
          const bool by_head = decay.dim(2) == heads;
          for (int64_t d = 0; d < d_k; ++d) {
            const int64_t at = by_head ? token * heads + h : (token * heads + h) * d_k + d;
            const double keep = std::exp(decay.Data<double>()[at]);
            for (int64_t m = 0; m < d_v; ++m) s[d * d_v + m] *= keep;
          }
        }
        for (int64_t m = 0; m < d_v; ++m) {
          double value = v_row[m];
          if (beta.Defined()) {
            for (int64_t d = 0; d < d_k; ++d) value -= s[d * d_v + m] * k_row[d];
            value *= beta.Data<double>()[beta.dim(2) == 1 ? token : token * heads + h];
          }
          written[static_cast<size_t>(m)] = value;
        }
        for (int64_t d = 0; d < d_k; ++d) {
          for (int64_t m = 0; m < d_v; ++m) s[d * d_v + m] += k_row[d] * written[static_cast<size_t>(m)];
        }
        for (int64_t g = h * group; g < (h + 1) * group; ++g) {
          const double* q_row = q.Data<double>() + (token * q_heads + g) * d_k;
          double* to = output.Data<double>() + (token * q_heads + g) * d_v;
          for (int64_t d = 0; d < d_k; ++d) {
            for (int64_t m = 0; m < d_v; ++m) to[m] += scale * q_row[d] * s[d * d_v + m];
          }
        }
      }
    }
  }
  WriteWide<double>(context.outputs[0], 0, std::as_const(output).Span<double>());
  if (context.outputs.size() > 1) WriteWide<double>(context.outputs[1], 0, std::as_const(state).Span<double>());
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x11a7);
  std::vector<OpTestCase> cases;
  const auto attributes = [](const char* rule) {
    return std::map<std::string, Attribute>{
        {"update_rule", std::string(rule)}, {"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}};
  };
  const Tensor q = make.Floats({2, 3, 12}), k = make.Floats({2, 3, 6}), v = make.Floats({2, 3, 10});
  cases.push_back({{q, k, v}, attributes("linear")});
  cases.push_back({{q, k, v, make.Floats({2, 2, 3, 5}), make.Floats({2, 3, 6}, -1, 0)}, attributes("gated")});
  cases.push_back(
      {{q, k, v, Tensor(), make.Floats({2, 3, 2}, -1, 0), make.Floats({2, 3, 2}, 0, 1)}, attributes("gated_delta")});
  return cases;
}

}  // namespace

extern const OpDef op_linear_attention = {.name = "LinearAttention",
                                          .domain = "",
                                          .since_opset = 27,
                                          .infer = Infer,
                                          .eval = Eval,
                                          .test_cases = TestCases,
                                          .widen_half = false};

}  // namespace tamis
