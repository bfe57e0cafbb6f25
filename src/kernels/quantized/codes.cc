#include "src/kernels/quantized/codes.h"

#include "src/kernels/operand_check.h"
#include "src/kernels/row_range_kernel.h"

namespace tamis {
namespace {

bool IsCodesOrFloat(const Operand& operand) {
  return operand.dtype == DType::kFloat32 || CodeTypeOf(operand.dtype) != CodeType::kFloat32;
}

Status ReadOperand(const Problem& problem, size_t i, const std::string& name, CodesArgs* args) {
  if (!IsCodesOrFloat(problem.input(i))) {
    return UserError("input {} of {} is not supported", i, Name(problem.input(i).dtype));
  }
  args->types[i] = CodeTypeOf(problem.input(i).dtype);
  if (args->types[i] == CodeType::kFloat32) return {};
  args->scales[i] = problem.node->Float(name + "_scale", 1);
  args->shifts[i] = -args->scales[i] * static_cast<float>(problem.node->Int(name + "_zero_point", 0));
  return {};
}

void ReadResult(const Problem& problem, CodesArgs* args) {
  const Node& node = *problem.node;
  args->activation = QuantizedActivation(node);
  if (args->y_type == CodeType::kFloat32) return;
  args->factor = 1.0f / node.Float("y_scale", 1);
  args->zero = static_cast<float>(node.Int("y_zero_point", 0));
}

// QuantizeLinear and DequantizeLinear with a constant scale and zero point for the whole tensor.
Status ReadLinear(const Problem& problem, CodesArgs* args) {
  const Node& node = *problem.node;
  const bool quantize = node.op == "QuantizeLinear";
  args->task = quantize ? CodesTask::kQuantize : CodesTask::kDequantize;
  const Operand &x = problem.input(0), &scale = problem.input(1), &zero = problem.input(2), &y = problem.outputs[0];
  const Operand &codes = quantize ? y : x, &numbers = quantize ? x : y;
  if (numbers.dtype != DType::kFloat32 || (codes.dtype != DType::kUInt8 && codes.dtype != DType::kInt8)) {
    return UserError("{} to {} is not supported", Name(x.dtype), Name(y.dtype));
  }
  if (node.Int("block_size", 0) != 0 || node.Has("precision"))
    return UserError("blocks and precision are not supported");
  if (scale.dtype != DType::kFloat32 || scale.constant == nullptr || Elements(scale) != 1) {
    return UserError("the scale must be one constant f32 number");
  }
  if (zero.Present() && (zero.constant == nullptr || Elements(zero) != 1 || zero.dtype != codes.dtype)) {
    return UserError("the zero point must be one constant code");
  }
  args->types[0] = CodeTypeOf(x.dtype);
  args->y_type = CodeTypeOf(y.dtype);
  const float s = scale.constant->Data<float>()[0];
  const float z = zero.Present() ? static_cast<float>(zero.constant->ToInt64s()[0]) : 0.0f;
  if (quantize) {
    args->factor = s;  // a divisor: quotients near the middle of two codes must round as the operator has it
    args->zero = z;
  } else {
    args->scales[0] = s;
    args->zero = z;
  }
  const Dims* dims[] = {&x.dims};
  TAMIS_ASSIGN_OR_RETURN(args->loops, MakeBroadcastLoops(y.dims, dims));
  return {};
}

Result<CodesArgs> ReadArgs(const Problem& problem) {
  CodesArgs args;
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Node& node = *problem.node;
  if (node.op == "QuantizeLinear" || node.op == "DequantizeLinear") {
    TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
    TAMIS_RETURN_IF_ERROR(ReadLinear(problem, &args));
    return args;
  }
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  const Operand& y = problem.outputs[0];
  if (!IsCodesOrFloat(y)) return UserError("a result of {} is not supported", Name(y.dtype));
  args.y_type = CodeTypeOf(y.dtype);
  ReadResult(problem, &args);
  if (node.op == "QuantizedBinary") {
    args.task = node.String("function", "") == "Mul" ? CodesTask::kMul : CodesTask::kAdd;
    TAMIS_RETURN_IF_ERROR(ReadOperand(problem, 0, "a", &args));
    TAMIS_RETURN_IF_ERROR(ReadOperand(problem, 1, "b", &args));
    TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, 2));
    return args;
  }
  args.task = CodesTask::kGlobalPool;
  TAMIS_RETURN_IF_ERROR(ReadOperand(problem, 0, "x", &args));
  const Dims& x = problem.input(0).dims;
  if (x.size() < 3 || args.types[0] == CodeType::kFloat32) return UserError("x must be codes with spatial axes");
  args.channels = x.back();
  args.pixels = Product(x, 1, x.size() - 1);
  if (args.pixels < 1 || args.pixels > (int64_t{1} << 22)) return UserError("{} pixels are not supported", args.pixels);
  args.scales[0] /= static_cast<float>(args.pixels);
  return args;
}

}  // namespace

Status SupportsCodes(const Problem& problem) {
  return ReadArgs(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareCodes(const Problem& problem, CodesBody body) {
  TAMIS_ASSIGN_OR_RETURN(const CodesArgs args, ReadArgs(problem));
  int64_t items = Elements(problem.outputs[0]), grain = GrainFor(1, 1 << 15), row_items = ElementsOfRow(problem);
  if (args.task == CodesTask::kGlobalPool) {
    items = problem.input(0).dims[0] * ((args.channels + kPoolChannels - 1) / kPoolChannels);
    grain = GrainFor(args.pixels * kPoolChannels / 8);
    row_items = 0;
  }
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RowRangeKernel<CodesArgs>>(args, body, items, grain, problem.threads, row_items));
}

}  // namespace tamis
