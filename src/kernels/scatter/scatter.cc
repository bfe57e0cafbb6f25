#include "src/kernels/scatter/scatter.h"

#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

Reduction ReductionOf(const Node& node) {
  const std::string name = node.String("reduction", "none");
  return name == "add"   ? Reduction::kAdd
         : name == "mul" ? Reduction::kMul
         : name == "max" ? Reduction::kMax
         : name == "min" ? Reduction::kMin
                         : Reduction::kNone;
}

}  // namespace

Status CheckScatter(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtype = problem.input(0).dtype;
  TAMIS_RETURN_IF_ERROR(CheckMovable(dtype));
  if (ReductionOf(*problem.node) != Reduction::kNone && !WithNumber(dtype, [](auto) {})) {
    return UserError("reductions of {} are not supported", Name(dtype));
  }
  return {};
}

ScatterPlan MakeScatterPlan(const Problem& problem, int64_t updates, int64_t run) {
  return {ReductionOf(*problem.node), problem.input(0).dtype, Elements(problem.input(0)), run == 0 ? 0 : updates, run};
}

void CopyData(const ScatterPlan& plan, const void* data, void* out, int threads, ThreadPool& pool) {
  const size_t bytes = ByteSize(plan.dtype, static_cast<size_t>(plan.elements));
  if (bytes == 0) return;
  const auto parts = static_cast<size_t>(std::clamp<size_t>(bytes / 131072, 1, static_cast<size_t>(threads)));
  const auto copy = [&](int part) {
    const size_t begin = bytes * static_cast<size_t>(part) / parts, end = bytes * static_cast<size_t>(part + 1) / parts;
    std::memcpy(static_cast<std::byte*>(out) + begin, static_cast<const std::byte*>(data) + begin, end - begin);
  };
  pool.Run(static_cast<int>(parts), [&copy](int part) { copy(part); });
}

}  // namespace tamis
