// TensorScatter: a cache with `update` written over it along one axis, from an index of its own for each batch item.
#include "src/kernels/scatter/scatter.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

struct Args {
  static constexpr size_t kIndices = 2, kUpdates = 1;
  IndexList indices;  // none: 0 for all
  bool given = false, circular = false;
  int64_t batch = 1, outer = 1, longest = 1, length = 0, inner = 1;

  int64_t Parts() const { return outer; }
  Status Check(const void* where) const {
    for (int64_t i = 0; given && i < batch; ++i) {
      const int64_t first = indices.At(where, i);
      if (first >= 0 && (circular || first <= longest - length)) continue;
      return UserError("TensorScatter: {} elements from index {} on do not fit a cache of {}", length, first, longest);
    }
    return {};
  }
  template <class F>
  void ForEachTarget(const void* where, int64_t begin, int64_t end, F f) const {
    for (int64_t o = begin; o < end; ++o) {
      const int64_t first = given ? indices.At(where, o / (outer / batch)) % longest : 0;
      for (int64_t s = 0; s < length; ++s) f(o * length + s, (o * longest + (first + s) % longest) * inner);
    }
  }
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckScatter(problem));
  const Dims &cache = problem.input(0).dims, &update = problem.input(1).dims;
  const int64_t axis = NormalizeAxis(problem.node->Int("axis", -2), cache.size());
  if (axis < 1 || cache.size() != update.size()) return UserError("the axis does not lie behind the batch");
  if (Product(cache, 0, cache.size()) == 0) return UserError("an empty cache");
  const auto at = static_cast<size_t>(axis);
  if (update[at] > cache[at]) return UserError("{} does not fit into {}", ToString(update), ToString(cache));
  return problem.input(2).Present() ? CheckIndexList(problem.input(2), "input 2 (indices)") : Status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims &cache = problem.input(0).dims, &update = problem.input(1).dims;
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", -2), cache.size()));
  Args args;
  args.given = problem.input(2).Present();
  if (args.given) args.indices = MakeIndexList(problem.input(2));
  args.circular = problem.node->String("mode", "linear") == "circular";
  args.batch = cache[0];
  args.outer = Product(cache, 0, axis);
  args.longest = cache[axis];
  args.length = update[axis];
  args.inner = Product(cache, axis + 1, cache.size());
  return std::unique_ptr<PreparedKernel>(std::make_unique<Scatter<Args>>(
      args, MakeScatterPlan(problem, args.outer * args.length, args.inner), problem.threads));
}

}  // namespace

extern const KernelDef kernel_tensor_scatter = {
    .name = "tensor_scatter",
    .family = "scatter",
    .ops = {"TensorScatter"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
    .in_place = 0b1,
};

}  // namespace tamis
