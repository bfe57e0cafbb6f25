#include "src/kernels/quantized/cuda/cuda_int8.h"

#include <limits>

#include "src/kernels/operand_check.h"
#include "src/kernels/quantized/cuda/code_elements.h"
#include "src/ops/op_quantized.h"

namespace tamis::cuda {
namespace {

bool IsResultType(DType dtype) {
  return IsCode(dtype) || dtype == DType::kFloat16 || dtype == DType::kFloat32;
}

DType CodeTypeFrom(const Node& node, const char* attribute) {
  return node.Int(attribute, 0) == static_cast<int64_t>(DType::kInt8) ? DType::kInt8 : DType::kUInt8;
}

Status CheckConstants(const Problem& problem) {
  const Operand &weight = problem.input(1), &scale = problem.input(2), &bias = problem.input(3);
  if (weight.dtype != DType::kInt8 || weight.constant == nullptr) return UserError("the weight must be constant int8");
  if (scale.dtype != DType::kFloat32 || scale.constant == nullptr) return UserError("the scales must be constant");
  if (bias.Present() && (bias.dtype != DType::kFloat32 || bias.constant == nullptr)) {
    return UserError("the bias must be constant float32");
  }
  return {};
}

}  // namespace

Result<CudaInt8> ReadCudaInt8(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckConstants(problem));
  const Node& node = *problem.node;
  const Operand &x = problem.input(0), &residual = problem.input(4), &y = problem.outputs[0];
  CudaInt8 int8;
  int8.quantizes = node.op == "QuantizedChannelsFirstConv";
  if (int8.quantizes ? x.dtype != DType::kFloat32 : !IsCode(x.dtype)) return UserError("x is {}", Name(x.dtype));
  if (!IsResultType(y.dtype)) return UserError("y is {}", Name(y.dtype));
  if (residual.Present() && !IsResultType(residual.dtype)) return UserError("the residual is {}", Name(residual.dtype));
  for (const Operand* operand : {&x, &y}) {
    if (Elements(*operand) == 0) return UserError("an operand is empty");
    if (Elements(*operand) > std::numeric_limits<int32_t>::max())
      return UserError("an operand has 2^31 elements or more");
  }
  if (node.op == "QuantizedLinear") {
    const Dims& weight = problem.input(1).dims;
    int8.conv.outputs = static_cast<int>(weight[0]);
    int8.conv.channels = static_cast<int>(weight[1]);
    int8.conv.batch = static_cast<int>(Elements(y) / weight[0]);
  } else {
    TAMIS_ASSIGN_OR_RETURN(int8.conv, ReadConvGeometry(problem, int8.quantizes));
  }
  if (const size_t codes = node.Ints("table").size(); codes != 0 && (codes != 256 || !IsCode(y.dtype))) {
    return UserError("a table of {} codes for y of {}", codes, Name(y.dtype));
  }
  // 255 * 128 * 2^16 still fits.
  if (int8.Depth() > 65536) return UserError("sums of {} products might leave int32", int8.Depth());
  int8.activation = ToArgs(QuantizedActivation(node));
  int8.x_zero = static_cast<int>(node.Int("x_zero_point", 0));
  int8.x_scale = node.Float("x_scale", 1);
  int8.types.x_unsigned = (int8.quantizes ? CodeTypeFrom(node, "x_dtype") : x.dtype) == DType::kUInt8;
  int8.types.y = y.dtype;
  int8.types.residual = residual.dtype;
  if (IsCode(y.dtype)) {
    int8.types.y_inverse = 1.0f / node.Float("y_scale", 1);
    int8.types.y_zero = static_cast<int>(node.Int("y_zero_point", 0));
  }
  if (IsCode(residual.dtype)) {
    int8.types.residual_scale = node.Float("residual_scale", 1);
    int8.types.residual_zero = static_cast<int>(node.Int("residual_zero_point", 0));
  }
  return int8;
}

Result<std::shared_ptr<const DeviceBytes>> HoldChannels(const Problem& problem, const CudaInt8& int8, bool makes_up,
                                                        PrepareContext& context) {
  const Operand &weight = problem.input(1), &scale = problem.input(2), &bias = problem.input(3);
  const auto outputs = static_cast<size_t>(int8.conv.outputs), depth = static_cast<size_t>(int8.Depth());
  const bool shared = scale.constant_hash != 0 && (!bias.Present() || bias.constant_hash != 0);
  const std::string packing =
      fmt::format("int8 channels {:x} {:x} {}", scale.constant_hash, bias.constant_hash, makes_up ? int8.x_zero : 0);
  return context.Packed(shared ? weight.constant_hash : 0, packing, outputs * sizeof(Int8Channel), [&](std::byte* to) {
    auto* channels = reinterpret_cast<Int8Channel*>(to);
    const auto* codes = weight.constant->Data<int8_t>();
    for (size_t o = 0; o < outputs; ++o) {
      int32_t sum = 0;
      for (size_t k = 0; k < depth; ++k) sum += codes[o * depth + k];
      const auto s = static_cast<double>(scale.constant->Data<float>()[o]);
      const double added = bias.Present() ? static_cast<double>(bias.constant->Data<float>()[o]) : 0;
      const double zero = makes_up ? s * (static_cast<double>(sum) * int8.x_zero) : 0;
      channels[o] = {scale.constant->Data<float>()[o], static_cast<float>(added - zero)};
    }
  });
}

Result<std::shared_ptr<const DeviceBytes>> HoldTable(const Problem& problem, PrepareContext& context) {
  const std::vector<int64_t> table = problem.node->Ints("table");
  if (table.empty()) return std::shared_ptr<const DeviceBytes>();
  return context.Packed(0, "table", table.size(), [&](std::byte* to) {
    for (size_t i = 0; i < table.size(); ++i) to[i] = static_cast<std::byte>(table[i]);
  });
}

Status ExchangeCodes(const DeviceBytes* table, void* y, int64_t count, cudaStream_t stream) {
  if (table == nullptr) return {};
  auto* codes = static_cast<uint8_t*>(y);
  return CudaStatus(LaunchLookup(codes, static_cast<const uint8_t*>(table->data()), codes, count, stream),
                    "exchanging codes");
}

Gemm24Problem Int8Gemm(const CudaInt8& int8) {
  Gemm24Problem gemm;
  gemm.rows = int8.conv.Rows();
  gemm.outputs = int8.conv.outputs;
  gemm.depth = int8.conv.channels / 2;
  gemm.activation = int8.activation;
  gemm.dense = gemm.int8 = true;
  gemm.types = int8.types;
  return gemm;
}

Status CheckInt8Wgmma(const CudaInt8& int8, const Device& device) {
  if (device.compute != 90) return UserError("the GPU is not of compute capability 9.0");
  if (int8.conv.group != 1) return UserError("{} groups; the kernel takes one", int8.conv.group);
  const bool codes = IsCode(int8.types.y) || IsCode(int8.types.residual);
  if (const int multiple = codes ? 16 : 8; int8.conv.outputs % multiple != 0) {
    return UserError("{} outputs are not a multiple of {}", int8.conv.outputs, multiple);
  }
  return {};
}

}  // namespace tamis::cuda
