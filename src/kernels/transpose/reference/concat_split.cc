// Concat and Split: blocks along one axis. The sizes are those of the operands.
#include "src/kernels/operand_check.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

bool IsConcat(const Problem& problem) {
  return problem.node->op == "Concat";
}

// The side with many operands, and the one operand they are pieces of.
const std::vector<Operand>& Pieces(const Problem& problem) {
  return IsConcat(problem) ? problem.inputs : problem.outputs;
}
const Operand& Whole(const Problem& problem) {
  return IsConcat(problem) ? problem.outputs[0] : problem.input(0);
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, IsConcat(problem) ? 1 : problem.outputs.size()));
  const Operand& whole = Whole(problem);
  TAMIS_RETURN_IF_ERROR(CheckMovable(whole.dtype));
  const int64_t axis = NormalizeAxis(problem.node->Int("axis", 0), whole.dims.size());
  if (axis < 0) return UserError("the axis does not lie within {}", ToString(whole.dims));
  int64_t sum = 0;
  for (const Operand& piece : Pieces(problem)) {
    Dims expected = whole.dims;
    if (piece.dims.size() == expected.size()) {
      expected[static_cast<size_t>(axis)] = piece.dims[static_cast<size_t>(axis)];
      sum += piece.dims[static_cast<size_t>(axis)];
    }
    if (piece.dtype != whole.dtype || piece.dims != expected) {
      return UserError("{} {} is no piece of {} {} along axis {}", Name(piece.dtype), ToString(piece.dims),
                       Name(whole.dtype), ToString(whole.dims), axis);
    }
  }
  if (sum != whole.dims[static_cast<size_t>(axis)])
    return UserError("the pieces don't add up to {}", ToString(whole.dims));
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Operand& whole = Whole(problem);
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", 0), whole.dims.size()));
  const int64_t outer = Product(whole.dims, 0, axis);
  const int64_t inner = Product(whole.dims, axis + 1, whole.dims.size());
  std::vector<CopyPart> parts;
  int64_t first = 0;
  for (size_t i = 0; i < Pieces(problem).size(); ++i) {
    const int64_t dim = Pieces(problem)[i].dims[axis];
    const int64_t run = dim * inner, whole_run = whole.dims[axis] * inner;
    CopyPart part;
    if (IsConcat(problem)) {
      part.input = i;
      part.out_offset = first * inner;
      part.loops = {{outer, run, whole_run}, {run, 1, 1}};
    } else {
      part.output = i;
      part.in_offset = first * inner;
      part.loops = {{outer, whole_run, run}, {run, 1, 1}};
    }
    parts.push_back(part);
    first += dim;
  }
  return MakeStridedCopy(whole.dtype, std::move(parts), problem.threads);
}

}  // namespace

extern const KernelDef kernel_concat_split = {
    .name = "concat_split",
    .family = "transpose",
    .ops = {"Concat", "Split"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
