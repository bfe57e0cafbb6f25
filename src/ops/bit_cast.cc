// BitCast: the same bits as elements of another type of the same size.
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kFixedSize));
  const int64_t to = context.node().Int("to", 0);
  const auto dtype = static_cast<DType>(to);
  if (to <= 0 || to > 255 || BitSize(dtype) == 0) {
    return context.Error(fmt::format("attribute 'to' is {}, not an element type of a fixed size", to));
  }
  const DType from = context.InputDType(0);
  if (from != DType::kUndefined && BitSize(from) != BitSize(dtype)) {
    return context.Error(
        fmt::format("{} has {} bits and {} has {}", Name(from), BitSize(from), Name(dtype), BitSize(dtype)));
  }
  if (context.InputShape(0) != nullptr) return SetShape(context, 0, dtype, *context.InputShape(0));
  context.SetOutputDType(0, dtype);
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  const Tensor& input = *context.input(0);
  std::copy_n(input.raw(), input.NumBytes(), context.outputs[0].raw());
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {{"to", int64_t{6}}}}, {{SampleInts(2, {4}, -9, 9)}, {{"to", int64_t{11}}}}};
}

}  // namespace

extern const OpDef op_bit_cast = {.name = "BitCast",
                                  .domain = "",
                                  .since_opset = 26,
                                  .infer = Infer,
                                  .eval = Eval,
                                  .test_cases = Cases,
                                  .widen_half = false};

}  // namespace tamis
