// ReverseSequence: the first sequence_lens[b] elements along the time axis in reverse order, the rest as they are.
#include <algorithm>

#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kAnyDType));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  const int64_t batch = context.node().Int("batch_axis", 1), time = context.node().Int("time_axis", 0);
  if (std::min(batch, time) != 0 || std::max(batch, time) != 1) {
    return context.Error(fmt::format("batch_axis {} and time_axis {} must be 0 and 1, or 1 and 0", batch, time));
  }
  context.SetOutput(0, *context.InputType(0));
  const Shape* x = context.InputShape(0);
  const Shape* lengths = context.InputShape(1);
  if (x == nullptr || lengths == nullptr) return {};
  if (x->size() < 2 || lengths->size() != 1 || !MayEqual((*lengths)[0], (*x)[static_cast<size_t>(batch)])) {
    return context.Error(fmt::format("sequence_lens {} do not fit the input {}", ToString(*lengths), ToString(*x)));
  }
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Tensor& x = *context.input(0);
  const bool batch_first = context.node.Int("batch_axis", 1) == 0;
  const int64_t batch = x.dim(batch_first ? 0 : 1), time = x.dim(batch_first ? 1 : 0);
  const auto lengths = context.input(1)->ToInt64s();
  const size_t row = static_cast<size_t>(CountOf(x.dims(), 2, x.dims().size())) * ElementBytes(x);
  const auto at = [&](int64_t b, int64_t t) {
    return static_cast<size_t>(batch_first ? b * time + t : t * batch + b) * row;
  };
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = lengths[static_cast<size_t>(b)];
    if (length < 0 || length > time) {
      return context.Error(fmt::format("a sequence length of {} is outside [0, {}]", length, time));
    }
    for (int64_t t = 0; t < time; ++t) {
      std::copy_n(x.raw() + at(b, t < length ? length - 1 - t : t), row, context.outputs[0].raw() + at(b, t));
    }
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x4e5e);
  return {{{make.Floats({4, 3, 2}), Tensor::Int64s(std::vector<int64_t>{4, 1, 2})}, {}},
          {{make.Floats({2, 5}), Tensor::Int64s(std::vector<int64_t>{0, 5})},
           {{"batch_axis", int64_t{0}}, {"time_axis", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_reverse_sequence = {.name = "ReverseSequence",
                                          .domain = "",
                                          .since_opset = 10,
                                          .infer = Infer,
                                          .eval = EvalMoved<Eval>,
                                          .test_cases = Cases,
                                          .widen_half = false};

}  // namespace tamis
