#include "src/kernels/attention/attention.h"

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

constexpr int64_t kBlock = 24;  // a multiple of every tile's rows

// The dims of a mask aligned to [batch, heads, queries, keys]; an error if they don't broadcast.
Status MaskStrides(const Operand& mask, const int64_t (&full)[4], int64_t (&strides)[4]) {
  const size_t rank = mask.dims.size();
  if (rank > 4) return UserError("the mask has rank {}; at most 4 is supported", rank);
  int64_t stride = 1;
  for (size_t i = 0; i < 4; ++i) strides[i] = 0;
  for (size_t i = rank; i-- > 0;) {
    const size_t axis = 4 - rank + i;
    if (mask.dims[i] != 1 && mask.dims[i] != full[axis]) {
      return UserError("the mask {} doesn't broadcast to {}", ToString(mask.dims), ToString(full));
    }
    strides[axis] = mask.dims[i] == 1 ? 0 : stride;
    stride *= mask.dims[i];
  }
  return {};
}

}  // namespace

Status SupportsAttention(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &q = problem.input(0), &k = problem.input(1), &v = problem.input(2), &mask = problem.input(3);
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(q, "input 0 (q)"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  if (k.dtype != q.dtype || v.dtype != q.dtype) return UserError("q, k and v differ in dtype");
  if (mask.Present()) TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(mask, "input 3 (mask)"));
  const int64_t heads = problem.node->Int("num_heads", 0);
  if (heads <= 0) return UserError("attribute num_heads is {}; it must be positive", heads);
  if (q.dims.size() != 3 || k.dims.size() != 3 || v.dims.size() != 3) return UserError("q, k and v must have rank 3");
  const bool agree = k.dims[0] == q.dims[0] && v.dims[0] == q.dims[0] && k.dims[1] == v.dims[1] &&
                     k.dims[2] == q.dims[2] && q.dims[2] % heads == 0 && v.dims[2] % heads == 0;
  if (!agree) {
    return UserError("q {}, k {} and v {} don't agree with {} heads", ToString(q.dims), ToString(k.dims),
                     ToString(v.dims), heads);
  }
  if (k.dims[1] == 0 || q.dims[2] == 0 || v.dims[2] == 0) return UserError("no keys or no channels");
  const int64_t full[4] = {q.dims[0], heads, q.dims[1], k.dims[1]};
  int64_t strides[4];
  return mask.Present() ? MaskStrides(mask, full, strides) : Status();
}

Status SupportsBf16Attention(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(SupportsAttention(problem));
  if (!IsBf16(problem.input(0))) return UserError("computes bfloat16 q, k and v only");
  return {};
}

double AttentionFlops(const Problem& problem) {
  const Dims &q = problem.input(0).dims, &k = problem.input(1).dims, &v = problem.input(2).dims;
  return 2.0 * static_cast<double>(q[0] * q[1] * k[1]) * static_cast<double>(k[2] + v[2]);
}

Result<std::unique_ptr<PreparedKernel>> PrepareAttention(const Problem& problem, AttentionBody body) {
  const Dims &q = problem.input(0).dims, &k = problem.input(1).dims, &v = problem.input(2).dims;
  const Operand& mask = problem.input(3);
  AttentionArgs args;
  args.heads = problem.node->Int("num_heads", 0);
  args.queries = q[1];
  args.keys = k[1];
  args.depth = q[2] / args.heads;
  args.value_depth = v[2] / args.heads;
  args.scale = problem.node->Float("scale", 1);
  args.bf16_inputs = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  args.block = std::min(kBlock, std::max<int64_t>(args.queries, 1));
  args.blocks = (args.queries + args.block - 1) / args.block;
  if (mask.Present()) {
    args.mask = IsBf16(mask) ? MaskKind::kBf16 : MaskKind::kF32;
    const int64_t full[4] = {q[0], args.heads, q[1], k[1]};
    TAMIS_RETURN_IF_ERROR(MaskStrides(mask, full, args.mask_strides));
  }
  const auto pad = [](int64_t n) { return (n + 15) / 16 * 16; };
  args.keys_pad = pad(args.keys);
  args.value_pad = pad(args.value_depth);
  int64_t bytes = 0;
  const auto place = [&](int64_t floats) {
    const int64_t at = bytes;
    bytes += pad(floats) * 4;
    return at;
  };
  args.keys_at = place(args.depth * args.keys_pad);
  args.values_at = place((args.keys + 1) * args.value_pad);
  args.query_at = place(args.block * (args.depth + 1));
  args.scores_at = place(args.block * args.keys_pad);
  args.weights_at = place(args.block * args.keys_pad);
  args.result_at = place(args.block * args.value_pad);
  const int64_t operations = args.block * args.keys * (args.depth + args.value_depth) / 16;
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<AttentionArgs>>(
      args, body, q[0] * args.heads * args.blocks, GrainFor(operations), problem.threads, static_cast<size_t>(bytes)));
}

}  // namespace tamis
