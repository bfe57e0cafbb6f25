// RotaryEmbedding: pairs of each head's elements turned by the angle of their position; [B, H, S, D] or [B, S, H * D].
//
// A pair is (d, d + half), or (2d, 2d + 1) where interleaved; elements from rotary_embedding_dim on stay.
#include "src/ops/op_case.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

enum Input : size_t { kX, kCosine, kSine, kPositions };

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 4, &problems);
  for (const size_t i : {kX, kCosine, kSine}) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({kX, kCosine, kSine}, &problems);
  operands.CheckDType(kPositions, {DType::kInt64}, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const DType dtype = operands.dtype(kX);
  const Shape* x = operands.shape(kX);
  if (x == nullptr) return std::vector<Type>{Unranked(dtype)};
  if (x->size() != 3 && x->size() != 4) {
    return UserError("the input {} must have 3 or 4 dimensions", ToString(*x));
  }
  const bool packed = x->size() == 3;
  const int64_t heads = operands.node().Int("num_heads", 0);
  if (packed && heads < 1) return UserError("an input of 3 dimensions needs the attribute num_heads");
  if (packed && !MayEqual(Dim::Mod((*x)[2], Dim(heads)), Dim(0))) {
    return UserError("the last dimension of {} does not divide into {} heads", ToString(*x), heads);
  }
  const Dim size = packed ? Dim::FloorDiv((*x)[2], Dim(heads)) : (*x)[3];
  const Dim& length = (*x)[packed ? 1 : 2];
  const int64_t turned = operands.node().Int("rotary_embedding_dim", 0);
  const int64_t most = size.Constant().value_or(INT64_MAX);
  if (turned < 0 || turned % 2 != 0 || turned > most || (turned == 0 && most != INT64_MAX && most % 2 != 0)) {
    return UserError("rotary_embedding_dim is {} and heads have {} elements; an even number of them is turned", turned,
                     size.ToString());
  }
  const Dim half = turned > 0 ? Dim(turned / 2) : Dim::FloorDiv(size, Dim(2));
  for (const size_t i : {kCosine, kSine}) {
    const Shape* cache = operands.shape(i);
    if (cache == nullptr) continue;
    if (operands.Has(kPositions)) {
      operands.CheckRank(i, 2, &problems);
      if (cache->size() == 2) operands.CheckShape(i, {(*cache)[0], half}, &problems);
    } else {
      operands.CheckShape(i, {(*x)[0], length, half}, &problems);
    }
  }
  operands.CheckShape(kPositions, {(*x)[0], length}, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, *x)};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(Bind(context).status());
  const Tensor x = Centered(*context.input(kX), nullptr, DType::kFloat64);
  const Tensor cosine = Centered(*context.input(kCosine), nullptr, DType::kFloat64);
  const Tensor sine = Centered(*context.input(kSine), nullptr, DType::kFloat64);
  const bool packed = x.rank() == 3;
  const int64_t heads = packed ? context.node.Int("num_heads", 1) : x.dim(1);
  const int64_t length = x.dim(packed ? 1 : 2);
  const int64_t size = packed ? x.dim(2) / heads : x.dim(3);
  const int64_t turned = context.node.Int("rotary_embedding_dim", 0);
  const int64_t half = (turned > 0 ? turned : size) / 2;
  const bool interleaved = context.node.Int("interleaved", 0) != 0;
  std::vector<int64_t> positions;
  if (context.input(kPositions) != nullptr) {
    positions = context.input(kPositions)->ToInt64s();
    for (int64_t& position : positions) {
      const int64_t rows = cosine.dim(0);
      if (position < -rows || position >= rows || position >= sine.dim(0)) {
        return context.Error(fmt::format("position {} is outside of the {} cached rows", position, rows));
      }
      if (position < 0) position += rows;
    }
  }
  Tensor y = x.Clone();
  for (int64_t b = 0; b < x.dim(0); ++b) {
    for (int64_t s = 0; s < length; ++s) {
      const int64_t row = positions.empty() ? b * length + s : positions[static_cast<size_t>(b * length + s)];
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t first = (packed ? (b * length + s) * heads + h : (b * heads + h) * length + s) * size;
        const double* from = x.Data<double>() + first;
        double* to = y.Data<double>() + first;
        for (int64_t d = 0; d < half; ++d) {
          const int64_t real = interleaved ? 2 * d : d;
          const int64_t imaginary = interleaved ? 2 * d + 1 : d + half;
          const double c = cosine.Data<double>()[row * half + d];
          const double i = sine.Data<double>()[row * half + d];
          to[real] = c * from[real] - i * from[imaginary];
          to[imaginary] = i * from[real] + c * from[imaginary];
        }
      }
    }
  }
  WriteWide<double>(context.outputs[0], 0, std::as_const(y).Span<double>());
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x2074);
  std::vector<OpTestCase> cases;
  cases.push_back(
      {{make.Floats({2, 3, 4, 8}), make.Floats({9, 4}), make.Floats({9, 4}), make.Integers({2, 4}, 0, 8)}, {}});
  cases.push_back({{make.Floats({2, 4, 18}), make.Floats({2, 4, 2}), make.Floats({2, 4, 2})},
                   {{"num_heads", int64_t{3}}, {"rotary_embedding_dim", int64_t{4}}, {"interleaved", int64_t{1}}}});
  return cases;
}

}  // namespace

extern const OpDef op_rotary_embedding = {.name = "RotaryEmbedding",
                                          .domain = "",
                                          .since_opset = 1,
                                          .infer = Infer,
                                          .eval = Eval,
                                          .test_cases = TestCases,
                                          .widen_half = false};

}  // namespace tamis
