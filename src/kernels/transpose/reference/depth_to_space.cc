// DepthToSpace and SpaceToDepth of [N, C, H, W]: blocks of channels become blocks of pixels, and back.
#include "src/kernels/operand_check.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

bool ToSpace(const Problem& problem) {
  return problem.node->op == "DepthToSpace";
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.input(0).dims.size() != 4) return UserError("{} is not [N, C, H, W]", ToString(problem.input(0).dims));
  return CheckMovable(problem.input(0).dtype);
}

// Both are one copy between the deep side [N, (b, b, c) or (c, b, b), h, w] and the wide side [N, c, h, b, w, b].
Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& deep = ToSpace(problem) ? problem.input(0).dims : problem.outputs[0].dims;
  const int64_t b = problem.node->Int("blocksize", 1);
  const int64_t c = deep[1] / (b * b), h = deep[2], w = deep[3], plane = h * w;
  const bool blocks_first = problem.node->String("mode", "DCR") == "DCR";
  const int64_t channel = blocks_first ? plane : plane * b * b, column = blocks_first ? plane * c : plane;
  struct Loop {
    int64_t dim, deep, wide;
  };
  const Loop loops[] = {{deep[0], plane * deep[1], plane * deep[1]},
                        {c, channel, plane * b * b},
                        {h, w, w * b * b},
                        {b, column * b, w * b},
                        {w, 1, b},
                        {b, column, 1}};
  CopyPart part;
  for (const Loop& loop : loops) {
    part.loops.push_back(ToSpace(problem) ? CopyLoop{loop.dim, loop.deep, loop.wide}
                                          : CopyLoop{loop.dim, loop.wide, loop.deep});
  }
  if (!ToSpace(problem)) std::swap(part.loops[4], part.loops[5]);  // the target's contiguous loop is the last
  return MakeStridedCopy(problem.input(0).dtype, {part}, problem.threads);
}

}  // namespace

extern const KernelDef kernel_depth_to_space = {
    .name = "depth_to_space",
    .family = "transpose",
    .ops = {"DepthToSpace", "SpaceToDepth"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
