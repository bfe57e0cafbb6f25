// ScatterND: tuples of indices point at runs of the data.
#include "src/kernels/scatter/scatter.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

constexpr size_t kMaxDepth = 8;

struct Args {
  static constexpr size_t kIndices = 1, kUpdates = 2;
  IndexList indices;
  int64_t tuples = 0, depth = 0;
  int64_t sizes[kMaxDepth] = {}, strides[kMaxDepth] = {};  // of the axes that a tuple addresses; in elements

  int64_t Parts() const { return 1; }  // any two tuples may point at one run
  Status Check(const void* given) const {
    return depth == 0 ? Status() : CheckIndices(indices, given, Dims(sizes, sizes + depth), "ScatterND");
  }
  template <class F>
  void ForEachTarget(const void* given, int64_t /*begin*/, int64_t /*end*/, F f) const {
    for (int64_t i = 0; i < tuples; ++i) {
      int64_t to = 0;
      for (int64_t d = 0; d < depth; ++d) to += indices.At(given, i * depth + d, sizes[d]) * strides[d];
      f(i, to);
    }
  }
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckScatter(problem));
  TAMIS_RETURN_IF_ERROR(CheckIndexList(problem.input(1), "input 1 (indices)"));
  const Dims &data = problem.input(0).dims, &indices = problem.input(1).dims;
  if (indices.empty() || indices.back() > static_cast<int64_t>(std::min(kMaxDepth, data.size()))) {
    return UserError("the indices {} do not address {}", ToString(indices), ToString(data));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims &data = problem.input(0).dims, &indices = problem.input(1).dims;
  Args args;
  args.indices = MakeIndexList(problem.input(1));
  args.depth = indices.back();
  const auto strides = ElementStrides(data);
  for (size_t d = 0; d < static_cast<size_t>(args.depth); ++d) {
    args.sizes[d] = data[d];
    args.strides[d] = strides[d];
  }
  args.tuples = Product(indices, 0, indices.size() - 1);
  const int64_t run = Product(data, static_cast<size_t>(args.depth), data.size());
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<Scatter<Args>>(args, MakeScatterPlan(problem, args.tuples, run), problem.threads));
}

}  // namespace

extern const KernelDef kernel_scatter_nd = {
    .name = "scatter_nd",
    .family = "scatter",
    .ops = {"ScatterND"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
    .in_place = 0b1,
};

}  // namespace tamis
