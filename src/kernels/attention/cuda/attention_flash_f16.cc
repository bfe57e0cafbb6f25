// Attention in one kernel on tensor cores.
#include "src/kernels/attention/cuda/flash_attention.h"
#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

constexpr int kWarps[] = {4, 2, 1};  // by variant

struct Shape {
  int depth = 0;
  FlashAttentionArgs args;
};

// PackedAttention (src/cuda/fuse_for_cuda.h) has q, k and v side by side in the rows of one operand.
bool IsPacked(const Problem& problem) {
  return problem.node->op == "PackedAttention";
}

Status ReadMask(const Operand& mask, FlashAttentionArgs* args) {
  if (!mask.Present()) return {};
  if (mask.dtype != DType::kFloat32 && mask.dtype != DType::kFloat16) {
    return UserError("the mask is {}, the kernel takes float32 or float16", Name(mask.dtype));
  }
  args->mask_f16 = mask.dtype == DType::kFloat16;
  int64_t stride = 1;
  for (size_t i = mask.dims.size(); i-- > 0;) {
    const size_t axis = 4 - mask.dims.size() + i;
    args->mask_strides[axis] = mask.dims[i] == 1 ? 0 : stride;
    stride *= mask.dims[i];
  }
  return {};
}

Result<Shape> Read(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  const bool packed = IsPacked(problem);
  for (size_t i = 0; i < (packed ? 1u : 3u); ++i) {
    if (problem.input(i).dtype != DType::kFloat16) {
      return UserError("q, k and v must be float16, input {} is {}", i, Name(problem.input(i).dtype));
    }
  }
  if (problem.outputs[0].dtype != DType::kFloat16) return UserError("the result must be float16");
  const Node& node = *problem.node;
  const int64_t heads = node.Int("num_heads", 1);
  if (node.Int("kv_heads", heads) != heads) return UserError("heads of keys and values that serve several queries");
  if (node.Int("causal", 0) != 0) return UserError("a causal mask");
  if (node.Int("zero_masked", 0) != 0) return UserError("rows of all closed keys that give 0");
  for (size_t i = 0; i < (packed ? 1u : 3u); ++i) {
    if (problem.input(i).dims.size() != 3)
      return UserError("heads apart: input {} has {} dimensions", i, problem.input(i).dims.size());
  }
  const Dims& q = problem.input(0).dims;
  const Dims& k = problem.input(packed ? 0 : 1).dims;
  const Dims& y = problem.outputs[0].dims;
  if (Elements(problem.outputs[0]) == 0 || k[1] == 0) return UserError("the result or the keys are empty");
  Shape shape;
  FlashAttentionArgs& args = shape.args;
  args.heads = static_cast<int>(heads);
  args.batch = static_cast<int>(q[0]);
  args.queries = static_cast<int>(q[1]);
  args.keys = static_cast<int>(k[1]);
  args.scale = problem.node->Float("scale", 1);
  shape.depth = static_cast<int>((packed ? q[2] / 3 : q[2]) / args.heads);
  if (y[2] / args.heads != shape.depth) return UserError("queries and values of different depths");
  if (shape.depth != 32 && shape.depth != 64 && shape.depth != 128) {
    return UserError("heads of depth {}; the kernel takes 32, 64 and 128", shape.depth);
  }
  if (args.batch > 65535 || args.heads > 65535) return UserError("more than 65535 heads or batch entries");
  args.q_pitch = q[2], args.k_pitch = k[2], args.v_pitch = packed ? q[2] : y[2], args.y_pitch = y[2];
  TAMIS_RETURN_IF_ERROR(ReadMask(problem.input(packed ? 1 : 3), &args));
  return shape;
}

class FlashAttention : public CudaKernel {
 public:
  FlashAttention(const Shape& shape, bool packed, int warps) : shape_(shape), packed_(packed), warps_(warps) {}

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    FlashAttentionArgs args = shape_.args;
    const size_t mask = packed_ ? 1 : 3;
    if (packed_) {
      const auto* rows = static_cast<const uint16_t*>(in[0]);
      args.q = rows, args.k = rows + args.y_pitch, args.v = rows + 2 * args.y_pitch;
    } else {
      args.q = in[0], args.k = in[1], args.v = in[2];
    }
    args.mask = in.size() > mask ? in[mask] : nullptr;
    args.y = out[0];
    return CudaStatus(LaunchFlashAttention(shape_.depth, warps_, args, stream), "attention_flash_f16");
  }

 private:
  Shape shape_;
  bool packed_;
  int warps_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const Shape shape, Read(problem));
  static_cast<void>(shape);
  return 3;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const Shape shape, Read(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<FlashAttention>(shape, IsPacked(problem), kWarps[variant]));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_attention_flash_f16 = {.name = "attention_flash_f16",
                                                              .family = "attention",
                                                              .ops = {"Attention", "PackedAttention"},
                                                              .supports = Supports,
                                                              .prepare = Prepare};

}  // namespace tamis::cuda
