// Attention in one kernel on tensor cores.
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <vector>

#include "src/kernels/attention/cuda/flash_attention.h"
#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/operand_check.h"
#include "src/ops/op_tamis.h"
#include "src/ops/op_tf32.h"

namespace tamis::cuda {
namespace {

constexpr FlashTactic kTactics[] = {
    {4, FlashStep::k64, false}, {4, FlashStep::k32, false},  {2, FlashStep::k32, false}, {8, FlashStep::k64, false},
    {2, FlashStep::k64, false}, {1, FlashStep::k64, false},  {4, FlashStep::k64, true},  {8, FlashStep::k64, true},
    {4, FlashStep::k32, true},  {4, FlashStep::k128, false}, {4, FlashStep::k128, true}, {2, FlashStep::k128, false}};

// The tactics that may compute a problem, in order.
std::vector<FlashTactic> TacticsOf(int depth, FlashType type, const Device& device) {
  std::vector<FlashTactic> tactics;
  std::copy_if(std::begin(kTactics), std::end(kTactics), std::back_inserter(tactics), [&](const FlashTactic& tactic) {
    return Suits(tactic, type, depth) &&
           static_cast<size_t>(FlashSharedBytes(depth, tactic, type)) <= device.shared_bytes_per_block;
  });
  return tactics;
}

struct Shape {
  int depth = 0;
  FlashAttentionArgs args;
};

// PackedAttention and QuantizedPackedAttention (src/cuda/fuse_for_cuda.h) have q, k and v side by side in the rows of
// one operand.
bool IsPacked(const Problem& problem) {
  return problem.node->op != "Attention";
}

// What QuantizedPackedAttention has beside: codes as its result, and a factor for each of their columns.
Status ReadCodes(const Problem& problem, FlashAttentionArgs* args) {
  const Operand &y = problem.outputs[0], &factors = problem.input(2);
  if (problem.node->op != "QuantizedPackedAttention") {
    const DType x = problem.input(0).dtype;
    return y.dtype == x ? Status() : UserError("the result is {}, the operands {}", Name(y.dtype), Name(x));
  }
  if (y.dtype != DType::kUInt8 && y.dtype != DType::kInt8) return UserError("the result is {}", Name(y.dtype));
  if (factors.dtype != DType::kFloat32 || Elements(factors) != y.dims.back()) {
    return UserError("the factors are not one f32 number for each column of the result");
  }
  args->codes = y.dtype;
  args->y_zero = static_cast<int>(problem.node->Int("y_zero_point", 0));
  return {};
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

// [batch, rows, heads * depth], or with heads apart [batch, heads, rows, depth].
struct Heads {
  Heads(const Dims& dims, int64_t heads) {
    const bool apart = dims.size() == 4;
    count = apart ? dims[2] : dims[1];
    depth = apart ? dims[3] : dims[2] / heads;
    rows.row = apart ? depth : dims[2];
    rows.head = apart ? count * depth : depth;
    rows.batch = apart ? dims[1] * count * depth : count * dims[2];
  }
  int64_t count, depth;
  FlashRows rows;
};

Result<FlashType> TypeOf(const Problem& problem) {
  const DType dtype = problem.input(0).dtype;
  for (size_t i = 1; i < (IsPacked(problem) ? 1u : 3u); ++i) {
    if (problem.input(i).dtype == dtype) continue;
    return UserError("q is {}, input {} is {}", Name(dtype), i, Name(problem.input(i).dtype));
  }
  if (dtype == DType::kFloat16) return FlashType::kF16;
  if (problem.node->op == "QuantizedPackedAttention") return UserError("q, k and v are {}, not float16", Name(dtype));
  if (dtype == DType::kBFloat16) return FlashType::kBf16;
  if (dtype != DType::kFloat32) return UserError("q, k and v are {}", Name(dtype));
  if (!AllowsTf32(*problem.node)) return UserError("q, k and v are float32, and the node does not allow tf32");
  return FlashType::kTf32;
}

Result<Shape> Read(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  const bool packed = IsPacked(problem);
  TAMIS_ASSIGN_OR_RETURN(const FlashType type, TypeOf(problem));
  const Node& node = *problem.node;
  const int64_t heads = node.Int("num_heads", 1), kv_heads = node.Int("kv_heads", heads);
  if (node.Int("windowed", 0) != 0) return UserError("a window");
  if (node.Int("mean_masked", 0) != 0) return UserError("rows of all closed keys that give a mean");
  if (node.Float("softcap", 0) != 0) return UserError("a soft cap");
  const Dims& y = problem.outputs[0].dims;
  Heads q(problem.input(0).dims, heads), k(problem.input(packed ? 0 : 1).dims, kv_heads),
      v(problem.input(packed ? 0 : 2).dims, kv_heads);
  if (packed) {
    for (Heads* part : {&q, &k, &v}) {
      part->depth /= 3;
      part->rows.head = part->depth;
    }
  }
  if (Elements(problem.outputs[0]) == 0 || k.count == 0) return UserError("the result or the keys are empty");
  if (v.depth != q.depth) return UserError("queries and values of different depths");
  if (q.depth != 32 && q.depth != 64 && q.depth != 128) {
    return UserError("heads of depth {}; the kernel takes 32, 64 and 128", q.depth);
  }
  Shape shape;
  shape.depth = static_cast<int>(q.depth);
  FlashAttentionArgs& args = shape.args;
  args.type = type;
  TAMIS_RETURN_IF_ERROR(ReadCodes(problem, &args));
  args.heads = static_cast<int>(heads);
  args.shared = static_cast<int>(heads / kv_heads);
  args.batch = static_cast<int>(y[0]);
  args.queries = static_cast<int>(q.count);
  args.keys = static_cast<int>(k.count);
  args.scale = node.Float("scale", 1);
  args.causal = node.Int("causal", 0) != 0;
  args.causal_offset = static_cast<int>(std::clamp<int64_t>(SightOf(node, q.count, k.count).last, -(1 << 30), 1 << 30));
  args.zero_masked = node.Int("zero_masked", 0) != 0;
  if (args.batch > 65535 || args.heads > 65535) return UserError("more than 65535 heads or batch entries");
  if (args.queries > 1 << 29 || args.keys > 1 << 29) return UserError("more than 2^29 queries or keys");
  args.q_rows = q.rows, args.k_rows = k.rows, args.v_rows = v.rows;
  args.y_rows = Heads(y, heads).rows;
  TAMIS_RETURN_IF_ERROR(ReadMask(problem.input(packed ? 1 : 3), &args));
  return shape;
}

class FlashAttention : public CudaKernel {
 public:
  FlashAttention(const Shape& shape, bool packed, FlashTactic tactic)
      : shape_(shape), packed_(packed), tactic_(tactic) {}

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    FlashAttentionArgs args = shape_.args;
    const size_t mask = packed_ ? 1 : 3;
    if (packed_) {
      const auto* rows = static_cast<const std::byte*>(in[0]);
      const int64_t part = args.y_rows.row * (args.type == FlashType::kTf32 ? 4 : 2);
      args.q = rows, args.k = rows + part, args.v = rows + 2 * part;
    } else {
      args.q = in[0], args.k = in[1], args.v = in[2];
    }
    args.mask = in.size() > mask ? in[mask] : nullptr;
    if (args.codes != DType::kUndefined) args.factors = static_cast<const float*>(in[2]);
    args.y = out[0];
    return CudaStatus(LaunchFlashAttention(shape_.depth, tactic_, args, stream), "attention_flash");
  }

 private:
  Shape shape_;
  bool packed_;
  FlashTactic tactic_;
};

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Shape shape, Read(problem));
  return static_cast<int>(TacticsOf(shape.depth, shape.args.type, context.device()).size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Shape shape, Read(problem));
  const FlashTactic tactic = TacticsOf(shape.depth, shape.args.type, context.device())[static_cast<size_t>(variant)];
  return std::unique_ptr<CudaKernel>(std::make_unique<FlashAttention>(shape, IsPacked(problem), tactic));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_attention_flash = {
    .name = "attention_flash",
    .family = "attention",
    .ops = {"Attention", "PackedAttention", "QuantizedPackedAttention"},
    .supports = Supports,
    .prepare = Prepare};

}  // namespace tamis::cuda
