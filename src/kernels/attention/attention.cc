#include "src/kernels/attention/attention.h"

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

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

struct Read {
  int64_t batch = 0, heads = 0, rows = 0, depth = 0;
  AttentionSteps steps;
};

// An operand [B, S, H * D] of so many heads, or [B, H, S, D].
Result<Read> ReadOperand(const Operand& operand, int64_t heads, std::string_view what) {
  const Dims& dims = operand.dims;
  if (dims.size() == 3) {
    if (heads < 1 || dims[2] % heads != 0) return UserError("{} heads don't divide {} {}", heads, what, ToString(dims));
    const int64_t depth = dims[2] / heads;
    return Read{dims[0], heads, dims[1], depth, {dims[1] * dims[2], depth, dims[2]}};
  }
  if (dims.size() != 4) return UserError("{} {} must have rank 3 or 4", what, ToString(dims));
  return Read{dims[0], dims[1], dims[2], dims[3], {dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3]}};
}

struct Reads {
  Read q, k, v;
};

Result<Reads> ReadOperands(const Problem& problem) {
  const int64_t heads = problem.node->Int("num_heads", 0);
  if (heads <= 0) return UserError("attribute num_heads is {}; it must be positive", heads);
  const int64_t kv_heads = problem.node->Int("kv_heads", heads);
  Reads reads;
  TAMIS_ASSIGN_OR_RETURN(reads.q, ReadOperand(problem.input(0), heads, "q"));
  TAMIS_ASSIGN_OR_RETURN(reads.k, ReadOperand(problem.input(1), kv_heads, "k"));
  TAMIS_ASSIGN_OR_RETURN(reads.v, ReadOperand(problem.input(2), kv_heads, "v"));
  const Read &q = reads.q, &k = reads.k, &v = reads.v;
  if (q.heads != heads || k.heads != kv_heads || v.heads != kv_heads || heads % kv_heads != 0 || k.batch != q.batch ||
      v.batch != q.batch || v.rows != k.rows || k.depth != q.depth) {
    return UserError("q {}, k {} and v {} don't agree with {} and {} heads", ToString(problem.input(0).dims),
                     ToString(problem.input(1).dims), ToString(problem.input(2).dims), heads, kv_heads);
  }
  if (k.rows == 0 || q.depth == 0 || v.depth == 0) return UserError("no keys or no channels");
  return reads;
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
  TAMIS_ASSIGN_OR_RETURN(const Reads reads, ReadOperands(problem));
  const int64_t full[4] = {reads.q.batch, reads.q.heads, reads.q.rows, reads.k.rows};
  int64_t strides[4];
  return mask.Present() ? MaskStrides(mask, full, strides) : Status();
}

Status SupportsBf16Attention(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(SupportsAttention(problem));
  if (!IsBf16(problem.input(0))) return UserError("computes bfloat16 q, k and v only");
  return {};
}

Status SupportsAttentionOfCodes(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(SupportsAttention(problem));
  if (!problem.node->Has("q_scale")) return UserError("q, k and v must not be rounded to codes");
  if (problem.node->Float("softcap", 0) != 0) return UserError("scores of codes are not capped");
  if (!(problem.node->Float("scale", 1) > 0)) return UserError("scores of codes are scaled by positive numbers only");
  TAMIS_ASSIGN_OR_RETURN(const Reads reads, ReadOperands(problem));
  constexpr int64_t kMostTerms = (int64_t{1} << 31) / (255 * 128);  // of a sum in 32 bits
  if (reads.q.depth >= kMostTerms || reads.k.rows >= kMostTerms) {
    return UserError("sums of {} and {} products of codes may not fit 32 bits", reads.q.depth, reads.k.rows);
  }
  return {};
}

int64_t TileSteps(int64_t depth) {
  constexpr int64_t kMost = 16, kLeast = 8;
  if (depth % 2 != 0) return 0;
  const int64_t steps = depth / 2;
  if (steps <= kMost) return steps;
  for (int64_t part = kMost; part >= kLeast; --part) {
    if (steps % part == 0) return part;
  }
  return 0;
}

Status SupportsAttentionByTiles(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(SupportsBf16Attention(problem));
  const int64_t depth = ReadOperands(problem)->k.depth;
  if (TileSteps(depth) == 0) return UserError("heads of depth {} don't fill tiles", depth);
  return {};
}

double AttentionFlops(const Problem& problem) {
  const auto reads = ReadOperands(problem);
  if (!reads.ok()) return 0;
  const double scores =
      static_cast<double>(reads->q.batch * reads->q.heads) * static_cast<double>(reads->q.rows * reads->k.rows);
  return 2.0 * scores * static_cast<double>(reads->k.depth + reads->v.depth);
}

Result<std::unique_ptr<PreparedKernel>> PrepareAttention(const Problem& problem, AttentionBody body,
                                                         const AttentionBlocks& blocks) {
  TAMIS_ASSIGN_OR_RETURN(const Reads reads, ReadOperands(problem));
  const Operand& mask = problem.input(3);
  AttentionArgs args;
  args.heads = reads.q.heads;
  args.shared = reads.q.heads / reads.k.heads;
  args.queries = reads.q.rows;
  args.keys = reads.k.rows;
  args.depth = reads.q.depth;
  args.value_depth = reads.v.depth;
  args.q = reads.q.steps;
  args.k = reads.k.steps;
  args.v = reads.v.steps;
  args.zero_masked = problem.node->Int("zero_masked", 0) != 0;
  args.mean_masked = problem.node->Int("mean_masked", 0) != 0;
  args.softcap = problem.node->Float("softcap", 0);
  args.sight = SightOf(*problem.node, args.queries, args.keys);
  args.scale = problem.node->Float("scale", 1);
  const auto codes = [&](const std::string& of) {
    const Node& node = *problem.node;
    return OperandCodes{node.Float(of + "_scale", 0), static_cast<int>(node.Int(of + "_zero_point", 0))};
  };
  args.q_codes = codes("q");
  args.k_codes = codes("k");
  args.v_codes = codes("v");
  args.bf16_inputs = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  args.block = std::min(blocks.rows, std::max<int64_t>(args.queries, 1));
  args.blocks = (args.queries + args.block - 1) / args.block;
  if (mask.Present()) {
    args.mask = IsBf16(mask) ? MaskKind::kBf16 : MaskKind::kF32;
    const int64_t full[4] = {reads.q.batch, args.heads, args.queries, args.keys};
    TAMIS_RETURN_IF_ERROR(MaskStrides(mask, full, args.mask_strides));
  }
  const auto pad = [](int64_t n) { return (n + 15) / 16 * 16; };
  const int64_t key_units = (args.keys + blocks.key_unit - 1) / blocks.key_unit;
  args.keys_pad = (blocks.key_unit > 16 ? key_units | 1 : key_units) * blocks.key_unit;
  args.value_pad = pad(args.value_depth);
  int64_t bytes = 0;
  const auto place = [&](int64_t floats) {
    const int64_t at = bytes;
    bytes += pad(floats) * 4;
    return at;
  };
  args.keys_at = place((args.depth + 1) * args.keys_pad);
  args.values_at = place(std::max(args.keys + 1, args.keys_pad / 2) * args.value_pad);
  args.query_at = place(args.block * (args.depth + 1));
  args.scores_at = place(args.block * args.keys_pad);
  args.weights_at = place(args.block * args.keys_pad);
  args.result_at = place(args.block * args.value_pad);
  const int64_t operations = args.block * args.keys * (args.depth + args.value_depth) / 16;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<AttentionArgs>>(args, body, reads.q.batch * args.heads * args.blocks,
                                                   GrainFor(operations), problem.threads, static_cast<size_t>(bytes)));
}

}  // namespace tamis
