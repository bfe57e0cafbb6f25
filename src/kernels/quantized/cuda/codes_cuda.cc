// What stands between int8 products: QuantizeLinear and DequantizeLinear, QuantizedBinary, QuantizedLookup,
// QuantizedGlobalAveragePool.
#include <algorithm>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/elementwise/broadcast.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/quantized/cuda/code_elements.h"
#include "src/kernels/quantized/cuda/cuda_int8.h"
#include "src/ops/op_quantized.h"

namespace tamis::cuda {
namespace {

bool HoldsNumbers(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16;
}

Status CheckTypes(const Problem& problem, size_t operands) {
  for (size_t i = 0; i < operands; ++i) {
    const DType dtype = problem.input(i).dtype;
    if (!IsCode(dtype) && !HoldsNumbers(dtype)) return UserError("input {} is {}", i, Name(dtype));
  }
  const DType y = problem.outputs[0].dtype;
  if (!IsCode(y) && !HoldsNumbers(y)) return UserError("y is {}", Name(y));
  if (Elements(problem.outputs[0]) == 0) return UserError("the result is empty");
  return {};
}

bool IsLinear(const Node& node) {
  return node.op == "QuantizeLinear" || node.op == "DequantizeLinear";
}

// Constants of a QuantizeLinear or DequantizeLinear with more than one scale.
struct Scales {
  std::vector<float> scales;
  std::vector<int32_t> zeros;  // empty: one for all
};

struct Read {
  CodeElementsArgs args;
  Scales along_axis;  // empty: one scale
};

Status ReadLinear(const Problem& problem, Read* read) {
  const Node& node = *problem.node;
  CodeElementsArgs& args = read->args;
  const bool quantize = node.op == "QuantizeLinear";
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckTypes(problem, 1));
  const Operand &x = problem.input(0), &scale = problem.input(1), &zero = problem.input(2), &y = problem.outputs[0];
  if (!IsCode(quantize ? y.dtype : x.dtype) || !HoldsNumbers(quantize ? x.dtype : y.dtype)) {
    return UserError("{} to {}", Name(x.dtype), Name(y.dtype));
  }
  if (node.Int("block_size", 0) != 0 || node.Has("precision")) return UserError("blocks or a precision");
  if (scale.constant == nullptr || !HoldsNumbers(scale.dtype)) return UserError("the scale must be constant numbers");
  if (zero.Present() && zero.constant == nullptr) return UserError("the zero point must be constant");
  args.task = quantize ? CodeTask::kQuantize : CodeTask::kDequantize;
  const Tensor scales = scale.constant->ToFloat32();
  const std::vector<int64_t> zeros = zero.Present() ? zero.constant->ToInt64s() : std::vector<int64_t>{0};
  if (scales.NumElements() == 1) {
    (quantize ? args.y_scale : args.a_scale) = scales.Data<float>()[0];
    (quantize ? args.y_zero : args.a_zero) = static_cast<int>(zeros[0]);
    return {};
  }
  const auto axis = static_cast<size_t>(NormalizeAxis(node.Int("axis", 1), x.dims.size()));
  args.axis_size = x.dims[axis];
  args.inner = Product(x.dims, axis + 1, x.dims.size());
  if (scales.NumElements() != args.axis_size) return UserError("scales that don't fit the axis");
  const auto values = scales.Span<const float>();
  read->along_axis.scales.assign(values.begin(), values.end());
  if (std::all_of(zeros.begin(), zeros.end(), [&](int64_t zero) { return zero == zeros[0]; })) {
    (quantize ? args.y_zero : args.a_zero) = static_cast<int>(zeros[0]);
  } else {
    read->along_axis.zeros.assign(zeros.begin(), zeros.end());
  }
  return {};
}

Status ReadBinary(const Problem& problem, CodeElementsArgs* args) {
  const Node& node = *problem.node;
  TAMIS_RETURN_IF_ERROR(CheckTypes(problem, 2));
  args->task = node.String("function", "") == "Add" ? CodeTask::kAdd : CodeTask::kMul;
  args->b_dtype = problem.input(1).dtype;
  args->b_scale = node.Float("b_scale", 1);
  args->b_zero = static_cast<int>(node.Int("b_zero_point", 0));
  args->a_scale = node.Float("a_scale", 1);
  args->a_zero = static_cast<int>(node.Int("a_zero_point", 0));
  const Dims* operands[] = {&problem.input(0).dims, &problem.input(1).dims};
  TAMIS_ASSIGN_OR_RETURN(const BroadcastLoops loops, MakeBroadcastLoops(problem.outputs[0].dims, operands));
  args->rank = loops.rank;
  for (int i = 0; i < loops.rank; ++i) {
    args->dims[i] = loops.dims[i];
    args->strides[0][i] = loops.strides[0][i];
    args->strides[1][i] = loops.strides[1][i];
  }
  return {};
}

Status ReadMean(const Problem& problem, CodeElementsArgs* args) {
  const Dims& x = problem.input(0).dims;
  TAMIS_RETURN_IF_ERROR(CheckTypes(problem, 1));
  if (!IsCode(problem.input(0).dtype)) return UserError("x is {}", Name(problem.input(0).dtype));
  const int64_t pixels = Product(x, 1, x.size() - 1);
  if (pixels < 1 || pixels > (1 << 23)) return UserError("means of {} pixels", pixels);
  if (x[0] > 65535) return UserError("more than 65535 images");
  args->task = CodeTask::kMean;
  args->pixels = static_cast<int>(pixels);
  args->channels = static_cast<int>(x.back());
  args->a_scale = problem.node->Float("x_scale", 1);
  args->a_zero = static_cast<int>(problem.node->Int("x_zero_point", 0));
  return {};
}

Result<Read> ReadProblem(const Problem& problem) {
  const Node& node = *problem.node;
  Read read;
  CodeElementsArgs& args = read.args;
  args.a_dtype = problem.input(0).dtype, args.y_dtype = problem.outputs[0].dtype;
  args.count = Elements(problem.outputs[0]);
  if (IsLinear(node)) {
    TAMIS_RETURN_IF_ERROR(ReadLinear(problem, &read));
    return read;
  }
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  if (node.op == "QuantizedLookup") {
    TAMIS_RETURN_IF_ERROR(CheckTypes(problem, 1));
    if (const size_t codes = node.Ints("table").size(); codes != 256) return UserError("a table of {} codes", codes);
    return read;
  }
  TAMIS_RETURN_IF_ERROR(node.op == "QuantizedBinary" ? ReadBinary(problem, &args) : ReadMean(problem, &args));
  args.activation = ToArgs(QuantizedActivation(node));
  args.y_scale = node.Float("y_scale", 1);
  args.y_zero = static_cast<int>(node.Int("y_zero_point", 0));
  return read;
}

class CodeElements : public CudaKernel {
 public:
  CodeElements(const CodeElementsArgs& args, std::shared_ptr<const DeviceBytes> scales, bool has_zeros,
               std::shared_ptr<const DeviceBytes> table)
      : args_(args), scales_(std::move(scales)), table_(std::move(table)), has_zeros_(has_zeros) {}

  // The scales and zero points of QuantizeLinear and DequantizeLinear.
  uint64_t PackedInputs() const override {
    if (table_ != nullptr) return 0;
    return args_.task == CodeTask::kQuantize || args_.task == CodeTask::kDequantize ? 0b110 : 0;
  }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    if (table_ != nullptr) {
      return CudaStatus(LaunchLookup(static_cast<const uint8_t*>(in[0]), static_cast<const uint8_t*>(table_->data()),
                                     static_cast<uint8_t*>(out[0]), args_.count, stream),
                        "codes_cuda");
    }
    CodeElementsArgs args = args_;
    args.a = in[0];
    args.b = args.b_dtype == DType::kUndefined ? nullptr : in[1];
    args.y = out[0];
    if (scales_ != nullptr) {
      args.scales = static_cast<const float*>(scales_->data());
      if (has_zeros_) args.zeros = reinterpret_cast<const int32_t*>(args.scales + args.axis_size);
    }
    return CudaStatus(LaunchCodeElements(args, stream), "codes_cuda");
  }

 private:
  CodeElementsArgs args_;
  std::shared_ptr<const DeviceBytes> scales_, table_;
  bool has_zeros_;  // behind the scales
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_RETURN_IF_ERROR(ReadProblem(problem).status());
  return 1;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Read read, ReadProblem(problem));
  std::shared_ptr<const DeviceBytes> scales, table;
  if (const auto& along = read.along_axis; !along.scales.empty()) {
    const size_t bytes = along.scales.size() * 4, zeros = along.zeros.size() * 4;
    TAMIS_ASSIGN_OR_RETURN(scales, context.Packed(0, "scales", bytes + zeros, [&](std::byte* to) {
      std::copy_n(reinterpret_cast<const std::byte*>(along.scales.data()), bytes, to);
      std::copy_n(reinterpret_cast<const std::byte*>(along.zeros.data()), zeros, to + bytes);
    }));
  }
  if (problem.node->op == "QuantizedLookup") {
    TAMIS_ASSIGN_OR_RETURN(table, HoldTable(problem, context));
  }
  return std::unique_ptr<CudaKernel>(
      std::make_unique<CodeElements>(read.args, std::move(scales), !read.along_axis.zeros.empty(), std::move(table)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_codes_cuda = {
    .name = "codes_cuda",
    .family = "quantized",
    .ops = {"QuantizeLinear", "DequantizeLinear", "QuantizedLookup", "QuantizedBinary", "QuantizedGlobalAveragePool"},
    .supports = Supports,
    .prepare = Prepare};

}  // namespace tamis::cuda
