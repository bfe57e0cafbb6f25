#include "src/kernels/operand_check.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckMovable(problem.input(0).dtype));
  const Dims &dims = problem.input(0).dims, &out = problem.outputs[0].dims;
  bool fits = dims.size() <= out.size();
  for (size_t i = 0; fits && i < dims.size(); ++i) {
    fits = dims[i] == 1 || dims[i] == out[out.size() - dims.size() + i];
  }
  if (!fits) return UserError("{} doesn't broadcast to {}", ToString(dims), ToString(out));
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims &dims = problem.input(0).dims, &out = problem.outputs[0].dims;
  const auto strides = ElementStrides(dims), out_strides = ElementStrides(out);
  const size_t added = out.size() - dims.size();
  CopyPart part;
  for (size_t i = 0; i < out.size(); ++i) {
    const bool repeated = i < added || dims[i - added] == 1;
    part.loops.push_back({out[i], repeated ? 0 : strides[i - added], out_strides[i]});
  }
  return MakeStridedCopy(problem.input(0).dtype, {part}, problem.threads);
}

}  // namespace

extern const KernelDef kernel_expand = {
    .name = "expand",
    .family = "transpose",
    .ops = {"Expand"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
