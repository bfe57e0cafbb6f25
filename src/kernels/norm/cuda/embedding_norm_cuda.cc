// EmbeddingNorm (src/cuda/fuse_for_cuda.h): rows of a table, what is added to them, and their norm in one pass.
#include <limits>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/norm/cuda/norm_rows.h"
#include "src/kernels/operand_check.h"
#include "src/ops/op_tamis.h"

namespace tamis::cuda {
namespace {

Result<EmbeddingNormArgs> Read(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  const Operand &table = problem.input(0), &indices = problem.input(1), &y = problem.outputs[0];
  if (indices.dtype != DType::kInt64 && indices.dtype != DType::kInt32) {
    return UserError("input 1 (indices) is {}; int64 and int32 are supported", Name(indices.dtype));
  }
  for (const size_t i : {0, 2, 3, 4}) {
    if (problem.input(i).Present() && problem.input(i).dtype != DType::kFloat32) {
      return UserError("input {} is {}, the kernel takes float32", i, Name(problem.input(i).dtype));
    }
  }
  if (!IsComputedFloat(y.dtype)) return UserError("the result is {}", Name(y.dtype));
  const int64_t columns = table.dims[1], rows = Elements(indices);
  if (columns % 8 != 0 || columns > 2048) return UserError("{} columns; multiples of 8 up to 2048 are taken", columns);
  if (rows == 0 || rows > std::numeric_limits<int32_t>::max()) return UserError("{} rows", rows);
  EmbeddingNormArgs args;
  args.columns = static_cast<int>(columns);
  args.rows = static_cast<int>(rows);
  args.table_rows = table.dims[0];
  if (problem.input(2).Present()) args.addend_rows = static_cast<int>(Elements(problem.input(2)) / columns);
  args.epsilon = problem.node->Float("epsilon", 1e-5f);
  args.wide_indices = indices.dtype == DType::kInt64;
  args.dtype = y.dtype;
  return args;
}

class EmbeddingNorm : public CudaKernel {
 public:
  explicit EmbeddingNorm(const EmbeddingNormArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    const auto f32 = [&](size_t i) { return i < in.size() ? static_cast<const float*>(in[i]) : nullptr; };
    EmbeddingNormArgs args = args_;
    args.table = f32(0), args.addend = f32(2), args.scale = f32(3), args.bias = f32(4);
    args.indices = in[1];
    args.y = out[0];
    return CudaStatus(LaunchEmbeddingNorm(args, stream), "embedding_norm_cuda");
  }

 private:
  EmbeddingNormArgs args_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const EmbeddingNormArgs args, Read(problem));
  return args.rows > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const EmbeddingNormArgs args, Read(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<EmbeddingNorm>(args));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_embedding_norm_cuda = {.name = "embedding_norm_cuda",
                                                              .family = "norm",
                                                              .ops = {"EmbeddingNorm"},
                                                              .supports = Supports,
                                                              .prepare = Prepare};

}  // namespace tamis::cuda
