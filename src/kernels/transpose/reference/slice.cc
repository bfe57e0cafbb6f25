// Slice with starts, axes and steps known at preparation.
#include "src/kernels/operand_check.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

struct Range {
  int64_t start = 0, step = 1;
};

// The first element and the step of every axis; the counts are the output's dims.
Result<std::vector<Range>> Ranges(const Problem& problem) {
  const Dims& dims = problem.input(0).dims;
  std::vector<int64_t> starts = problem.node->Ints("starts"), axes = problem.node->Ints("axes"), steps;
  if (problem.inputs.size() > 1) {
    for (const size_t i : {1, 3, 4}) {
      const Operand& operand = problem.input(i);
      if (operand.Present() && operand.constant == nullptr) return UserError("input {} is not constant", i);
    }
    if (!problem.input(1).Present()) return UserError("input 1 (starts) is missing");
    starts = problem.input(1).constant->ToInt64s();
    if (problem.input(3).Present()) axes = problem.input(3).constant->ToInt64s();
    if (problem.input(4).Present()) steps = problem.input(4).constant->ToInt64s();
  }
  if (axes.empty()) {
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  if (axes.size() != starts.size() || (!steps.empty() && steps.size() != starts.size())) {
    return UserError("starts, axes and steps differ in length");
  }
  std::vector<Range> ranges(dims.size());
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis = NormalizeAxis(axes[i], dims.size());
    if (axis < 0) return UserError("axis {} does not lie within {}", axes[i], ToString(dims));
    const int64_t dim = dims[static_cast<size_t>(axis)];
    const int64_t step = steps.empty() ? 1 : steps[i];
    if (step == 0) return UserError("a step is 0");
    int64_t start = starts[i];
    if (start < 0) start = start < -dim ? -1 : start + dim;
    start = std::clamp<int64_t>(start, 0, step > 0 ? dim : std::max<int64_t>(dim - 1, 0));
    ranges[static_cast<size_t>(axis)] = {start, step};
  }
  // The output must fit; this also rejects dims that a file claims.
  const Dims& out = problem.outputs[0].dims;
  if (out.size() != dims.size()) return UserError("the output's rank differs from the input's");
  for (size_t i = 0; i < dims.size(); ++i) {
    if (out[i] == 0) continue;
    const Range& range = ranges[i];
    const bool small_step = range.step <= dims[i] && range.step >= -dims[i];
    if (!small_step && out[i] > 1) return UserError("axis {}: step {} leaves the input", i, range.step);
    const int64_t last = out[i] == 1 ? range.start : range.start + (out[i] - 1) * range.step;
    if (range.start >= dims[i] || last < 0 || last >= dims[i]) return UserError("axis {} leaves the input", i);
  }
  return ranges;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckMovable(problem.input(0).dtype));
  const auto ranges = Ranges(problem);
  return ranges.ok() ? Status() : ranges.status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  TAMIS_ASSIGN_OR_RETURN(const auto ranges, Ranges(problem));
  const auto strides = ElementStrides(problem.input(0).dims);
  const Dims& out = problem.outputs[0].dims;
  const auto out_strides = ElementStrides(out);
  CopyPart part;
  for (size_t i = 0; i < out.size(); ++i) {
    part.in_offset += ranges[i].start * strides[i];
    const int64_t step = out[i] > 1 ? ranges[i].step * strides[i] : 0;
    part.loops.push_back({out[i], step, out_strides[i]});
  }
  return MakeStridedCopy(problem.input(0).dtype, {part}, problem.threads);
}

}  // namespace

extern const KernelDef kernel_slice = {
    .name = "slice",
    .family = "transpose",
    .ops = {"Slice"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
