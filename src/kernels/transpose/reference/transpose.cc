#include "src/kernels/operand_check.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

// ONNX's default reverses the axes. Empty if the attribute is not a permutation.
std::vector<int64_t> Permutation(const Problem& problem) {
  const auto rank = static_cast<int64_t>(problem.input(0).dims.size());
  std::vector<int64_t> reversed;
  for (int64_t i = rank; i-- > 0;) reversed.push_back(i);
  std::vector<int64_t> perm = problem.node->Ints("perm", reversed);
  if (static_cast<int64_t>(perm.size()) != rank) return {};
  std::vector<bool> seen(perm.size());
  for (const int64_t axis : perm) {
    if (axis < 0 || axis >= rank || seen[static_cast<size_t>(axis)]) return {};
    seen[static_cast<size_t>(axis)] = true;
  }
  return perm;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckMovable(problem.input(0).dtype));
  if (!problem.input(0).dims.empty() && Permutation(problem).empty()) {
    return UserError("attribute perm is no permutation of {} axes", problem.input(0).dims.size());
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& dims = problem.input(0).dims;
  const auto strides = ElementStrides(dims);
  const auto out_strides = ElementStrides(problem.outputs[0].dims);
  CopyPart part;
  size_t out_axis = 0;
  for (const int64_t axis : Permutation(problem)) {
    part.loops.push_back(
        {dims[static_cast<size_t>(axis)], strides[static_cast<size_t>(axis)], out_strides[out_axis++]});
  }
  return MakeStridedCopy(problem.input(0).dtype, {part}, problem.threads);
}

}  // namespace

extern const KernelDef kernel_transpose = {
    .name = "transpose",
    .family = "transpose",
    .ops = {"Transpose"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
