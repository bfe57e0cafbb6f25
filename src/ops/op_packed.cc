#include "src/ops/op_packed.h"

namespace tamis {

Tensor UnpackedCodes(const Tensor& tensor) {
  Tensor codes(DType::kUInt8, tensor.dims());
  const int bits = BitSize(tensor.dtype());
  const auto* from = tensor.Data<uint8_t>();
  int64_t i = 0;
  for (uint8_t& code : codes.Span<uint8_t>()) code = GetPacked(from, i++, bits);
  return codes;
}

Tensor PackedCodes(const Tensor& codes, DType dtype) {
  Tensor tensor(dtype, codes.dims());
  const int bits = BitSize(dtype);
  auto* to = tensor.Data<uint8_t>();
  int64_t i = 0;
  for (uint8_t code : codes.Span<uint8_t>()) SetPacked(to, i++, bits, code);
  return tensor;
}

Result<std::unique_ptr<BoundNode>> BindAny(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(auto bound, BindInputs(context));
  for (size_t i = 0; i < context.outputs.size(); ++i) {
    const auto& type = bound->infer->output_types[i];
    if (!type) return context.Error(fmt::format("the operator has no output {}", i));
    const auto dims = type->has_rank ? ConstantDims(type->shape) : std::nullopt;
    if (!dims) return context.Error(fmt::format("the dimensions of output {} do not follow from the inputs", i));
    const int64_t count = NumElements(*dims);
    if (count < 0 || count > kMaxElements) {
      return context.Error(fmt::format("a result of dimensions {} has more than 2^33 elements", ToString(*dims)));
    }
    try {
      context.outputs[i] = Tensor(type->dtype, *dims);
    } catch (const std::bad_alloc&) {
      return RuntimeError("no memory for a result of {} elements of type {}", count, Name(type->dtype));
    }
  }
  return bound;
}

namespace {

constexpr DType kPosition = DType::kUInt32;  // no operator that moves strings has indices of this type

Status EvalStrings(EvalContext& context, Status (*eval)(EvalContext&)) {
  std::vector<const Tensor*> operands(context.inputs.begin(), context.inputs.end());
  std::vector<Tensor> stand_ins(operands.size());
  const std::string empty;
  std::vector<const std::string*> strings = {&empty};  // by position; 0 is what nothing was moved to
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i] == nullptr || operands[i]->dtype() != DType::kString) continue;
    if (strings.size() + static_cast<size_t>(operands[i]->NumElements()) > UINT32_MAX) {
      return context.Error("the operands have more than 2^32 strings");
    }
    stand_ins[i] = Tensor(kPosition, operands[i]->dims());
    auto* position = stand_ins[i].Data<uint32_t>();
    for (const std::string& text : operands[i]->Span<std::string>()) {
      *position++ = static_cast<uint32_t>(strings.size());
      strings.push_back(&text);
    }
    operands[i] = &stand_ins[i];
  }
  EvalContext moved{context.node, context.opset, operands, std::vector<Tensor>(context.outputs.size())};
  TAMIS_RETURN_IF_ERROR(eval(moved));
  for (size_t i = 0; i < moved.outputs.size(); ++i) {
    if (moved.outputs[i].dtype() != kPosition) {
      context.outputs[i] = std::move(moved.outputs[i]);
      continue;
    }
    context.outputs[i] = Tensor(DType::kString, moved.outputs[i].dims());
    auto* to = context.outputs[i].Data<std::string>();
    for (uint32_t position : moved.outputs[i].Span<uint32_t>()) *to++ = *strings[position];
  }
  return {};
}

Status EvalPacked(EvalContext& context, DType dtype, Status (*eval)(EvalContext&)) {
  std::vector<const Tensor*> operands(context.inputs.begin(), context.inputs.end());
  std::vector<Tensor> stand_ins(operands.size());
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i] == nullptr || operands[i]->dtype() != dtype) continue;
    stand_ins[i] = UnpackedCodes(*operands[i]);
    operands[i] = &stand_ins[i];
  }
  EvalContext moved{context.node, context.opset, operands, std::vector<Tensor>(context.outputs.size())};
  TAMIS_RETURN_IF_ERROR(eval(moved));
  for (size_t i = 0; i < moved.outputs.size(); ++i) {
    const bool stands_in = moved.outputs[i].dtype() == DType::kUInt8;
    context.outputs[i] = stands_in ? PackedCodes(moved.outputs[i], dtype) : std::move(moved.outputs[i]);
  }
  return {};
}

}  // namespace

Status EvalByStandIns(EvalContext& context, Status (*eval)(EvalContext&)) {
  for (const Tensor* input : context.inputs) {
    if (input == nullptr || !input->Defined()) continue;
    if (input->dtype() != DType::kString && !IsPacked(input->dtype())) continue;
    TAMIS_RETURN_IF_ERROR(BindInputs(context).status());  // the rule sees the true types
    return input->dtype() == DType::kString ? EvalStrings(context, eval) : EvalPacked(context, input->dtype(), eval);
  }
  return eval(context);
}

}  // namespace tamis
