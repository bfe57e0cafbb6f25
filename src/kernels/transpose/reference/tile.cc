// Tile: the input repeated along its axes.
#include "src/kernels/operand_check.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  return CheckMovable(problem.input(0).dtype);
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims &x = problem.input(0).dims, &y = problem.outputs[0].dims;
  const auto in = ElementStrides(x), out = ElementStrides(y);
  CopyPart part;
  for (size_t axis = 0; axis < x.size(); ++axis) {
    const int64_t repeats = x[axis] == 0 ? 0 : y[axis] / x[axis];
    part.loops.push_back({repeats, 0, out[axis] * x[axis]});
    part.loops.push_back({x[axis], in[axis], out[axis]});
  }
  return MakeStridedCopy(problem.input(0).dtype, {part}, problem.threads);
}

}  // namespace

extern const KernelDef kernel_tile = {
    .name = "tile",
    .family = "transpose",
    .ops = {"Tile"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
