#include "src/kernels/scatter/scatter.h"

#include <algorithm>
#include <cstring>

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

template <class T>
T Reduce(Reduction reduction, T a, T b) {
  switch (reduction) {
    case Reduction::kAdd:
      if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
      return a + b;
    case Reduction::kMul:
      if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
      return a * b;
    case Reduction::kMax:
      return std::max(a, b);
    case Reduction::kMin:
      return std::min(a, b);
    case Reduction::kNone:
      break;
  }
  return b;
}

template <class T>
void ReduceRuns(const ScatterPlan& plan, const void* args, ScatterTarget target, const void* indices,
                const void* updates, void* out) {
  const T* from = static_cast<const T*>(updates);
  for (int64_t i = 0; i < plan.updates; ++i) {
    T* to = static_cast<T*>(out) + target(args, indices, i);
    for (int64_t j = 0; j < plan.run; ++j) to[j] = Reduce(plan.reduction, to[j], from[i * plan.run + j]);
  }
}

template <class T>
void MoveRuns(const ScatterPlan& plan, const void* args, ScatterTarget target, const void* indices, const void* updates,
              void* out) {
  const T* from = static_cast<const T*>(updates);
  const auto bytes = static_cast<size_t>(plan.run) * sizeof(T);
  for (int64_t i = 0; i < plan.updates; ++i) {
    T* to = static_cast<T*>(out) + target(args, indices, i);
    if (plan.run == 1) {
      *to = from[i];
    } else {
      std::memcpy(to, from + i * plan.run, bytes);
    }
  }
}

}  // namespace

Status CheckScatter(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckIndexList(problem.input(1), "input 1 (indices)"));
  const DType dtype = problem.input(0).dtype;
  TAMIS_RETURN_IF_ERROR(CheckMovable(dtype));
  const bool reduces =
      dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kInt32 || dtype == DType::kInt64;
  if (ReductionOf(*problem.node) != Reduction::kNone && !reduces) {
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
  const auto parts = static_cast<size_t>(std::clamp<size_t>(bytes / 524288, 1, static_cast<size_t>(threads)));
  const auto copy = [&](int part) {
    const size_t begin = bytes * static_cast<size_t>(part) / parts, end = bytes * static_cast<size_t>(part + 1) / parts;
    std::memcpy(static_cast<std::byte*>(out) + begin, static_cast<const std::byte*>(data) + begin, end - begin);
  };
  pool.Run(static_cast<int>(parts), [&copy](int part) { copy(part); });
}

void ApplyUpdates(const ScatterPlan& plan, const void* args, ScatterTarget target, const void* indices,
                  const void* updates, void* out) {
  if (plan.reduction != Reduction::kNone) {
    switch (plan.dtype) {
      case DType::kFloat32:
        return ReduceRuns<float>(plan, args, target, indices, updates, out);
      case DType::kFloat64:
        return ReduceRuns<double>(plan, args, target, indices, updates, out);
      case DType::kInt32:
        return ReduceRuns<int32_t>(plan, args, target, indices, updates, out);
      default:
        return ReduceRuns<int64_t>(plan, args, target, indices, updates, out);
    }
  }
  switch (BitSize(plan.dtype) / 8) {
    case 1:
      return MoveRuns<uint8_t>(plan, args, target, indices, updates, out);
    case 2:
      return MoveRuns<uint16_t>(plan, args, target, indices, updates, out);
    case 4:
      return MoveRuns<uint32_t>(plan, args, target, indices, updates, out);
    default:
      return MoveRuns<uint64_t>(plan, args, target, indices, updates, out);
  }
}

}  // namespace tamis
