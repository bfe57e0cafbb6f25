#include "src/kernels/float8/cuda/cuda_float8.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <vector>

#include "src/kernels/cuda/float_types.h"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/gemm/cuda/cuda_gemm24.h"
#include "src/kernels/gemm/cuda/cuda_linear.h"
#include "src/kernels/gemm/dense_tiles.h"
#include "src/kernels/gemm/sparse_code_tiles.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

class Float8Wgmma : public CudaKernel {
 public:
  Float8Wgmma(const Gemm24Problem& gemm, const Gemm24Tactic& tactic, std::shared_ptr<const DeviceBytes> weight,
              std::shared_ptr<const DeviceBytes> channels)
      : gemm_(gemm), tactic_(tactic), weight_(std::move(weight)), channels_(std::move(channels)) {}

  uint64_t PackedInputs() const override { return 0b1110; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    Gemm24Operands operands{in[0], weight_->data(), nullptr, in.size() > 4 ? in[4] : nullptr, out[0]};
    operands.channels = static_cast<const Int8Channel*>(channels_->data());
    return CudaStatus(Gemm24Wgmma(gemm_, tactic_, operands, MayOverlapLaunches(), stream), "a product of float8");
  }

 private:
  Gemm24Problem gemm_;
  Gemm24Tactic tactic_;
  std::shared_ptr<const DeviceBytes> weight_, channels_;
};

Result<Gemm24Problem> ReadWgmma(const Problem& problem, Pattern pattern, const Device& device) {
  TAMIS_ASSIGN_OR_RETURN(const CudaFloat8 float8, ReadCudaFloat8(problem));
  if (pattern == Pattern::kTwoFour && problem.input(1).pattern != pattern) return UserError("the weight is not 2:4");
  if (device.compute != 90) return UserError("the GPU is not of compute capability 9.0");
  if (float8.y == DType::kFloat32) return UserError("y is float32, the kernel writes 16 bits");
  if (float8.residual && float8.residual_dtype != float8.y) {
    return UserError("the residual is {}, y {}", Name(float8.residual_dtype), Name(float8.y));
  }
  Gemm24Problem gemm;
  gemm.rows = float8.rows, gemm.outputs = float8.outputs, gemm.depth = float8.depth / 2;
  gemm.bf16 = float8.y == DType::kBFloat16;
  gemm.activation = float8.activation;
  gemm.dense = pattern != Pattern::kTwoFour;
  gemm.float8 = true;
  return gemm;
}

Result<std::shared_ptr<const DeviceBytes>> HoldFloat8Weight(const Problem& problem, const Gemm24Problem& gemm,
                                                            PrepareContext& context) {
  const Operand& weight = problem.input(1);
  const std::byte* codes = weight.constant->raw();
  if (gemm.dense) {
    return context.Packed(weight.constant_hash, "tiles of float8", DenseTilesBytes(gemm.outputs, 1, gemm.depth),
                          [&](std::byte* to) {
                            std::vector<uint16_t> pairs(static_cast<size_t>(gemm.outputs * gemm.depth));
                            std::memcpy(pairs.data(), codes, pairs.size() * 2);
                            PackDenseTiles(pairs.data(), gemm.outputs, 1, gemm.depth, to);
                          });
  }
  Status packed;
  const int64_t depth = gemm.depth * 2;
  TAMIS_ASSIGN_OR_RETURN(auto bytes, context.Packed(weight.constant_hash, "2:4 tiles of float8",
                                                    SparseCodeTilesBytes(gemm.outputs, 1, depth), [&](std::byte* to) {
                                                      packed = PackSparseCodeTiles(
                                                          reinterpret_cast<const int8_t*>(codes), gemm.outputs, 1,
                                                          depth, to, CodeRows::kInOrder);
                                                    }));
  TAMIS_RETURN_IF_ERROR(packed);
  return bytes;
}

}  // namespace

Result<CudaFloat8> ReadCudaFloat8(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  const Operand &x = problem.input(0), &weight = problem.input(1), &scale = problem.input(2), &bias = problem.input(3),
                &residual = problem.input(4), &y = problem.outputs[0];
  if (x.dtype != DType::kFloat8E4M3) return UserError("x is {}", Name(x.dtype));
  if (weight.dtype != DType::kFloat8E4M3 || weight.constant == nullptr || weight.dims.size() != 2) {
    return UserError("the weight must be a constant matrix of float8e4m3fn");
  }
  for (const auto& [operand, what] : {std::pair(&scale, "scales"), {&bias, "bias"}}) {
    if (!operand->Present() && operand == &bias) continue;
    if (operand->dtype != DType::kFloat32 || operand->constant == nullptr || Elements(*operand) != weight.dims[0]) {
      return UserError("the {} must be constant, a float32 number for each output", what);
    }
  }
  if (!IsComputedFloat(y.dtype)) return UserError("y is {}", Name(y.dtype));
  if (residual.Present() && !IsComputedFloat(residual.dtype))
    return UserError("the residual is {}", Name(residual.dtype));
  if (Elements(y) == 0) return UserError("the result is empty");
  if (std::max(Elements(y), Elements(x)) > std::numeric_limits<int32_t>::max()) {
    return UserError("an operand has 2^31 elements or more");
  }
  if (weight.dims[0] % 16 != 0 || weight.dims[1] % 16 != 0) {
    return UserError("{} outputs of depth {}: not multiples of 16", weight.dims[0], weight.dims[1]);
  }
  CudaFloat8 float8;
  float8.outputs = static_cast<int>(weight.dims[0]), float8.depth = static_cast<int>(weight.dims[1]);
  float8.rows = static_cast<int>(Elements(y) / weight.dims[0]);
  float8.residual = residual.Present();
  float8.y = y.dtype, float8.residual_dtype = residual.dtype;
  float8.activation = ReadActivation(*problem.node);
  return float8;
}

Result<std::shared_ptr<const DeviceBytes>> HoldFloat8Channels(const Problem& problem, PrepareContext& context) {
  const Operand &weight = problem.input(1), &scale = problem.input(2), &bias = problem.input(3);
  const auto outputs = static_cast<size_t>(weight.dims[0]);
  const bool shared = scale.constant_hash != 0 && (!bias.Present() || bias.constant_hash != 0);
  return context.Packed(
      shared ? weight.constant_hash : 0,
      fmt::format("float8 channels {:x} {:x}", scale.constant_hash, bias.constant_hash), outputs * sizeof(Int8Channel),
      [&](std::byte* to) {
        auto* channels = reinterpret_cast<Int8Channel*>(to);
        for (size_t n = 0; n < outputs; ++n) {
          channels[n] = {scale.constant->Data<float>()[n], bias.Present() ? bias.constant->Data<float>()[n] : 0};
        }
      });
}

Result<int> CountFloat8Wgmma(const Problem& problem, Pattern pattern, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadWgmma(problem, pattern, context.device()));
  return CountGemm24(kGemm24Wgmma, gemm, context.device());
}

Result<std::unique_ptr<CudaKernel>> PrepareFloat8Wgmma(const Problem& problem, Pattern pattern, int variant,
                                                       PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadWgmma(problem, pattern, context.device()));
  const Gemm24Tactic tactic = Gemm24WgmmaTactics(gemm, context.device().multiprocessors)[static_cast<size_t>(variant)];
  TAMIS_CUDA_RETURN_IF_ERROR(AllowGemm24Wgmma(gemm, tactic));
  TAMIS_ASSIGN_OR_RETURN(auto weight, HoldFloat8Weight(problem, gemm, context));
  TAMIS_ASSIGN_OR_RETURN(auto channels, HoldFloat8Channels(problem, context));
  return std::unique_ptr<CudaKernel>(
      std::make_unique<Float8Wgmma>(gemm, tactic, std::move(weight), std::move(channels)));
}

}  // namespace tamis::cuda
