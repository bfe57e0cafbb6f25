// Rotary (src/ops/op_tamis.h): pairs of each head's elements turned by angles that come as tables of cosines and sines.
#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"

namespace tamis {
namespace {

enum Input : size_t { kX, kCosine, kSine };

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 3, &problems);
  CheckTamisFloat(operands, kX, &problems);
  for (const size_t i : {kCosine, kSine}) operands.CheckDType(i, {DType::kFloat32}, &problems);
  const DType dtype = TamisOutputDType(operands, &problems);
  const int64_t heads = operands.node().Int("num_heads", 0);
  const int64_t turned = operands.node().Int("rotary_dim", 0);
  if (heads < 1) problems.Add("attribute 'num_heads' must be given and at least 1");
  if (turned < 2 || turned % 2 != 0) problems.Add("attribute 'rotary_dim' is {}; it must be even and positive", turned);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(kX);
  if (x == nullptr) return std::vector<Type>{Unranked(dtype)};
  if (x->size() != 3 && x->size() != 4) return UserError("x {} must have 3 or 4 dimensions", ToString(*x));
  const bool packed = x->size() == 3;
  const Dim size = packed ? Dim::FloorDiv((*x)[2], Dim(heads)) : (*x)[3];
  if (packed && !MayEqual(Dim::Mod((*x)[2], Dim(heads)), Dim(0))) {
    problems.Add("{} heads don't divide the last dimension of {}", heads, ToString(*x));
  }
  if (!packed && !MayEqual((*x)[1], Dim(heads))) problems.Add("x {} must have {} heads", ToString(*x), heads);
  if (size.Constant().value_or(turned) < turned) {
    problems.Add("attribute 'rotary_dim' is {}, beyond the {} elements of a head", turned, size.ToString());
  }
  for (const size_t i : {kCosine, kSine}) {
    const Shape* table = operands.shape(i);
    if (table == nullptr) continue;
    if (table->size() != 2 && table->size() != 3) {
      problems.Add("input {} {} must have 2 or 3 dimensions", i, ToString(*table));
      continue;
    }
    const Dim& width = table->back();
    if (!MayEqual(width, Dim(turned)) && !MayEqual(width, Dim(turned / 2))) {
      problems.Add("input {} {} must end in {} or {}", i, ToString(*table), turned, turned / 2);
    }
    if (!MayEqual((*table)[table->size() - 2], (*x)[packed ? 1 : 2])) {
      problems.Add("input {} {} must have a row for each position of x {}", i, ToString(*table), ToString(*x));
    }
    if (table->size() == 3 && !MayEqual((*table)[0], Dim(1)) && !MayEqual((*table)[0], (*x)[0])) {
      problems.Add("input {} {} doesn't fit the batch of x {}", i, ToString(*table), ToString(*x));
    }
  }
  const Shape *cosine = operands.shape(kCosine), *sine = operands.shape(kSine);
  if (cosine != nullptr && sine != nullptr && problems.empty()) operands.CheckShape(kSine, *cosine, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, *x)};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor &x = *context.input(kX), &cosine = *context.input(kCosine), &sine = *context.input(kSine);
  const bool packed = x.rank() == 3;
  const int64_t heads = context.node.Int("num_heads", 1), turned = context.node.Int("rotary_dim", 0), half = turned / 2;
  const bool interleaved = context.node.Int("interleaved", 0) != 0;
  const int64_t positions = x.dim(packed ? 1 : 2), size = packed ? x.dim(2) / heads : x.dim(3);
  const int64_t width = cosine.dim(-1);
  const int64_t batch_step = cosine.rank() == 3 && cosine.dim(0) > 1 ? positions * width : 0;
  const float* from = x.Data<float>();
  float* to = context.outputs[0].Data<float>();
  for (int64_t row = 0; row < x.dim(0) * heads * positions; ++row, from += size, to += size) {
    const int64_t b = row / (heads * positions);
    const int64_t s = packed ? row / heads % positions : row % positions;
    std::copy(from, from + size, to);
    for (int64_t d = 0; d < half; ++d) {
      const int64_t first = interleaved ? 2 * d : d, second = interleaved ? 2 * d + 1 : d + half;
      // Where the table is as wide as what is turned, each of the pair has its own angle.
      const int64_t base = b * batch_step + s * width;
      const int64_t angle = base + (width == turned ? first : d), other = base + (width == turned ? second : d);
      const auto at = [](const Tensor& table, int64_t i) { return static_cast<double>(table.Data<float>()[i]); };
      const double a = static_cast<double>(from[first]), c = static_cast<double>(from[second]);
      to[first] = static_cast<float>(a * at(cosine, angle) - c * at(sine, angle));
      to[second] = static_cast<float>(c * at(cosine, other) + a * at(sine, other));
    }
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x2075);
  const auto attributes = [](int64_t heads, int64_t turned, int64_t interleaved) {
    return std::map<std::string, Attribute>{{"num_heads", heads}, {"rotary_dim", turned}, {"interleaved", interleaved}};
  };
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 5, 96}), make.Floats({1, 5, 32}), make.Floats({1, 5, 32})}, attributes(3, 32, 0)});
  cases.push_back(
      {{make.Floats({2, 3, 5, 38}), make.Floats({2, 5, 10}), make.Floats({2, 5, 10})}, attributes(3, 20, 0)});
  cases.push_back({{make.Floats({2, 5, 84}), make.Floats({5, 14}), make.Floats({5, 14})}, attributes(3, 28, 1)});
  cases.push_back({{make.Floats({1, 2, 7, 70}), make.Floats({7, 70}), make.Floats({7, 70})}, attributes(2, 70, 1)});
  return cases;
}

}  // namespace

extern const OpDef op_rotary = {
    .name = "Rotary", .domain = kTamisDomain, .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = TestCases};

}  // namespace tamis
