#include "src/kernels/gemm/cuda/cuda_gemm24.h"

#include <fmt/format.h>

#include "src/kernels/cuda/launch.h"
#include "src/kernels/gemm/cuda/cuda_linear.h"
#include "src/kernels/gemm/dense_tiles.h"
#include "src/kernels/gemm/sparse_tiles.h"

namespace tamis::cuda {
namespace {

constexpr size_t kVariants = 8;

class Gemm24Kernel : public CudaKernel {
 public:
  Gemm24Kernel(const Gemm24Family& family, const Gemm24Problem& problem, const Gemm24Tactic& tactic,
               std::shared_ptr<const DeviceBytes> weight)
      : family_(family), problem_(problem), tactic_(tactic), weight_(std::move(weight)) {}

  uint64_t PackedInputs() const override { return uint64_t{1} << 1; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    const Gemm24Operands operands{in[0], weight_->data(), in.size() > 2 ? static_cast<const float*>(in[2]) : nullptr,
                                  in.size() > 3 ? in[3] : nullptr, out[0]};
    return CudaStatus(family_.launch(problem_, tactic_, operands, MayOverlapLaunches(), stream), family_.name);
  }

 private:
  const Gemm24Family& family_;
  Gemm24Problem problem_;
  Gemm24Tactic tactic_;
  std::shared_ptr<const DeviceBytes> weight_;
};

std::vector<Gemm24Tactic> Variants(const Gemm24Family& family, const Gemm24Problem& gemm, const Device& device) {
  std::vector<Gemm24Tactic> tactics = family.tactics(gemm, device.multiprocessors);
  if (tactics.size() > kVariants) tactics.resize(kVariants);
  return tactics;
}

}  // namespace

const Gemm24Family kGemm24Wgmma = {"gemm24_wgmma", SparseTileOrder::kWarpgroup, Gemm24WgmmaTactics, AllowGemm24Wgmma,
                                   Gemm24Wgmma};
const Gemm24Family kGemm24Mma = {"gemm24_mma", SparseTileOrder::kWarp, Gemm24MmaTactics, AllowGemm24Mma, Gemm24Mma};

Status CheckGemm24(const Problem& problem, bool dense) {
  if (!dense && problem.input(1).pattern != Pattern::kTwoFour) return UserError("the weight is not 2:4");
  const DType dtype = problem.input(1).dtype;  // a first convolution's x is f32
  if (problem.outputs[0].dtype != dtype) {
    return UserError("y is {}, the kernel writes {}", Name(problem.outputs[0].dtype), Name(dtype));
  }
  if (problem.input(3).Present() && problem.input(3).dtype != dtype) {
    return UserError("the residual is {}, the kernel takes {}", Name(problem.input(3).dtype), Name(dtype));
  }
  return {};
}

Result<Gemm24Problem> ReadGemm24(const Problem& problem, bool dense) {
  const bool bf16 = problem.input(0).dtype == DType::kBFloat16;
  TAMIS_ASSIGN_OR_RETURN(const CudaLinear linear, ReadCudaLinear(problem, bf16 ? DType::kBFloat16 : DType::kFloat16));
  TAMIS_RETURN_IF_ERROR(CheckGemm24(problem, dense));
  return Gemm24Problem{linear.rows, linear.outputs, linear.depth, bf16, linear.activation, {}, dense};
}

Status CheckGemm24Wgmma(const Gemm24Problem& gemm, const Device& device) {
  if (device.compute != 90) return UserError("the GPU is not of compute capability 9.0");
  if (gemm.depth % 8 != 0) return UserError("{} inputs are not a multiple of 8", gemm.depth);
  if (gemm.outputs % 8 != 0) return UserError("{} outputs are not a multiple of 8", gemm.outputs);
  return {};
}

Status CheckGemm24Mma(const Gemm24Problem& gemm, const Device& device) {
  // Warpgroup products are two to three times faster where the weight is not what takes the time.
  if (gemm.rows > 16 && CheckGemm24Wgmma(gemm, device).ok()) {
    return UserError("{} rows are computed by gemm24_wgmma on this GPU", gemm.rows);
  }
  return {};
}

int CountGemm24(const Gemm24Family& family, const Gemm24Problem& gemm, const Device& device) {
  return static_cast<int>(Variants(family, gemm, device).size());
}

Result<std::shared_ptr<const DeviceBytes>> HoldWeight(const Gemm24Family& family, const Gemm24Problem& gemm,
                                                      const Problem& problem, PrepareContext& context) {
  const Operand& weight = problem.input(1);
  if (gemm.dense) {
    return context.Packed(weight.constant_hash, "dense tiles of 16 bits",
                          DenseTilesBytes(gemm.outputs, gemm.Runs(), gemm.depth), [&](std::byte* to) {
                            PackDenseTiles(weight.constant->Data<uint16_t>(), gemm.outputs, gemm.Runs(), gemm.depth,
                                           to);
                          });
  }
  const Tensor runs = weight.constant->Reshaped({gemm.outputs, gemm.Runs(), gemm.depth});
  Status packed;
  TAMIS_ASSIGN_OR_RETURN(std::shared_ptr<const DeviceBytes> bytes,
                         context.Packed(weight.constant_hash, fmt::format("2:4 tiles for {}", family.name),
                                        SparseTilesBytes(gemm.outputs, gemm.Runs(), gemm.depth), [&](std::byte* to) {
                                          packed = PackSparseTiles(runs, weight.dtype, family.order, to);
                                        }));
  TAMIS_RETURN_IF_ERROR(packed);
  return bytes;
}

Result<std::unique_ptr<CudaKernel>> PrepareGemm24(const Gemm24Family& family, const Gemm24Problem& gemm,
                                                  const Problem& problem, int variant, PrepareContext& context) {
  const std::vector<Gemm24Tactic> tactics = Variants(family, gemm, context.device());
  TAMIS_ASSERT(variant >= 0 && static_cast<size_t>(variant) < tactics.size());
  const Gemm24Tactic tactic = tactics[static_cast<size_t>(variant)];
  TAMIS_CUDA_RETURN_IF_ERROR(family.allow(gemm, tactic));
  TAMIS_ASSIGN_OR_RETURN(auto bytes, HoldWeight(family, gemm, problem, context));
  return std::unique_ptr<CudaKernel>(std::make_unique<Gemm24Kernel>(family, gemm, tactic, std::move(bytes)));
}

}  // namespace tamis::cuda
