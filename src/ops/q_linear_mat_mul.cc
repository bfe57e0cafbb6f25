// QLinearMatMul: the product of two quantized matrices, quantized. Scales and zero points for the tensor, for the rows
// of a and for the columns of b.
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_rule.h"
#include "src/ops/op_small_float.h"

namespace tamis {
namespace {

enum Input : size_t { kA, kAScale, kAZero, kB, kBScale, kBZero, kYScale, kYZero };

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 8, 8));
  for (const size_t i : {kA, kB, kYZero}) {
    const DType dtype = context.InputDType(i);
    const bool small_float = IsSmallFloat(dtype) && BitSize(dtype) == 8 && dtype != DType::kFloat8E8M0;
    if (dtype != DType::kUndefined && dtype != DType::kInt8 && dtype != DType::kUInt8 && !small_float) {
      return context.Error(fmt::format("input {} is {}, must be int8, uint8 or a float8", size_t{i}, Name(dtype)));
    }
  }
  for (const size_t i : {kAScale, kBScale, kYScale}) TAMIS_RETURN_IF_ERROR(CheckScaleDType(context, i));
  TAMIS_RETURN_IF_ERROR(CheckSameDType(context, kA, kAZero));
  TAMIS_RETURN_IF_ERROR(CheckSameDType(context, kB, kBZero));
  for (const size_t i : {kAScale, kAZero}) TAMIS_RETURN_IF_ERROR(CheckScalesFor(context, i, kA, Operand8::kRows));
  for (const size_t i : {kBScale, kBZero}) TAMIS_RETURN_IF_ERROR(CheckScalesFor(context, i, kB, Operand8::kColumns));
  for (const size_t i : {kAScale, kBScale}) {
    const Shape* scale = context.InputShape(i);
    const Shape* other = context.InputShape(i == kAScale ? kB : kA);
    const bool one = scale == nullptr || scale->empty() || (scale->size() == 1 && (*scale)[0] == Dim(1));
    if (one || other == nullptr || other->size() >= 2) continue;
    return context.Error(
        fmt::format("input {} scales rows or columns of a product with a vector, which has none", size_t{i}));
  }
  TAMIS_ASSIGN_OR_RETURN(
      Type y, InferAs(context, "MatMul", {TypeAs(context, kA, DType::kFloat64), TypeAs(context, kB, DType::kFloat64)}));
  y.dtype = context.InputDType(kYZero);
  for (const size_t i : {kYScale, kYZero}) {
    const Shape* shape = context.InputShape(i);
    if (shape == nullptr || !y.has_rank || BroadcastsTo(*shape, y.shape)) continue;
    return context.Error(fmt::format("input {} of dimensions {} does not fit the product {}", size_t{i},
                                     ToString(*shape), ToString(y.shape)));
  }
  context.SetOutput(0, std::move(y));
  return {};
}

// Products of 8-bit numbers and their sums are exact in double.
Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  const Dims& a = context.input(kA)->dims();
  const Dims& b = context.input(kB)->dims();
  const auto centered = [&](size_t i, Operand8 kind) {
    const Tensor zeros = ScalesFor(*context.input(i + 2), context.input(i)->dims(), kind);
    return Centered(*context.input(i), &zeros, DType::kFloat64);
  };
  TAMIS_ASSIGN_OR_RETURN(
      const Tensor product,
      EvaluateAs(context, "MatMul", {centered(kA, Operand8::kRows), centered(kB, Operand8::kColumns)}));
  Tensor& y = context.outputs[0];
  const Tensor a_scale = ScalesFor(*context.input(kAScale), a, Operand8::kRows);
  const Tensor b_scale = ScalesFor(*context.input(kBScale), b, Operand8::kColumns);
  const WideReader read_a(a_scale, y.dims());
  const WideReader read_b(b_scale, y.dims());
  const WideReader read_y(*context.input(kYScale), y.dims());
  const WideReader read_zero(*context.input(kYZero), y.dims());
  const bool integer = IsInteger(y.dtype());
  const IntegerRange range = RangeOf(y.dtype());
  constexpr int64_t kBlock = 512;
  std::array<double, kBlock> value, as, bs, ys, zeros;
  for (int64_t begin = 0; begin < y.NumElements(); begin += kBlock) {
    const auto size = static_cast<size_t>(std::min(kBlock, y.NumElements() - begin));
    read_a.Read<double>(begin, std::span(as).first(size));
    read_b.Read<double>(begin, std::span(bs).first(size));
    read_y.Read<double>(begin, std::span(ys).first(size));
    read_zero.Read<double>(begin, std::span(zeros).first(size));
    for (size_t i = 0; i < size; ++i) {
      const double real = product.Data<double>()[begin + static_cast<int64_t>(i)] * (as[i] * bs[i] / ys[i]);
      value[i] = integer ? Saturated(real, zeros[i], range) : real + zeros[i];
    }
    WriteWide<double>(y, begin, std::span<const double>(value).first(size));
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleBytes(DType::kInt8, 1, {3, 5}), Tensor::Float(0.1f), SampleBytes(DType::kInt8, 2, {}),
            SampleBytes(DType::kUInt8, 3, {5, 4}), SampleFloats(4, {4}, 0.01, 0.1), SampleBytes(DType::kUInt8, 5, {4}),
            Tensor::Float(0.7f), SampleBytes(DType::kInt8, 6, {})},
           {}}};
}

}  // namespace

extern const OpDef op_q_linear_mat_mul = {.name = "QLinearMatMul",
                                          .domain = "",
                                          .since_opset = 10,
                                          .infer = Infer,
                                          .eval = Eval,
                                          .test_cases = Cases,
                                          .widen_half = false};

}  // namespace tamis
