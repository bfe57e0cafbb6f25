// Operators that only rename dimensions, for where the executor can't alias input and output.
#include "src/kernels/operand_check.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckMovable(problem.input(0).dtype));
  if (Elements(problem.input(0)) == Elements(problem.outputs[0])) return {};
  return UserError("{} and {} differ in size", ToString(problem.input(0).dims), ToString(problem.outputs[0].dims));
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  CopyPart part;
  part.loops = {{Elements(problem.input(0)), 1, 1}};
  return MakeStridedCopy(problem.input(0).dtype, {part}, problem.threads);
}

}  // namespace

extern const KernelDef kernel_copy = {
    .name = "copy",
    .family = "transpose",
    .ops = {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
