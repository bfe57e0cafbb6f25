// ScatterElements and Scatter: y[index[i, j, k], j, k] takes update[i, j, k], the index along one axis.
#include "src/kernels/scatter/scatter.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

constexpr size_t kMaxRank = 8;

struct Args {
  IndexList indices;
  size_t rank = 0, axis = 0;
  int64_t dims[kMaxRank] = {};     // of the indices
  int64_t strides[kMaxRank] = {};  // of the data
  int64_t size = 0;                // of the data along the axis
};

int64_t Target(const void* opaque, const void* indices, int64_t i) {
  const Args& args = *static_cast<const Args*>(opaque);
  int64_t rest = i, to = args.indices.At(indices, i, args.size) * args.strides[args.axis];
  for (size_t d = args.rank; d-- > 0; rest /= args.dims[d]) {
    if (d != args.axis) to += rest % args.dims[d] * args.strides[d];
  }
  return to;
}

class ScatterElements : public PreparedKernel {
 public:
  ScatterElements(const Args& args, const ScatterPlan& plan, int threads)
      : args_(args), plan_(plan), threads_(threads) {}
  Status Check(std::span<const void* const> inputs) const override {
    return CheckIndices(args_.indices, inputs[1], {args_.size}, "ScatterElements");
  }
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* /*workspace*/,
           ThreadPool& pool) const override {
    CopyData(plan_, inputs[0], outputs[0], threads_, pool);
    ApplyUpdates(plan_, &args_, Target, inputs[1], inputs[2], outputs[0]);
  }

 private:
  Args args_;
  ScatterPlan plan_;
  int threads_;
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckScatter(problem));
  const Dims &data = problem.input(0).dims, &indices = problem.input(1).dims;
  if (data.size() != indices.size() || data.empty() || data.size() > kMaxRank) {
    return UserError("the ranks of {} and {} must be equal, from 1 to {}", ToString(data), ToString(indices), kMaxRank);
  }
  if (NormalizeAxis(problem.node->Int("axis", 0), data.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(data));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims &data = problem.input(0).dims, &indices = problem.input(1).dims;
  Args args;
  args.indices = MakeIndexList(problem.input(1));
  args.rank = data.size();
  args.axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", 0), data.size()));
  args.size = data[args.axis];
  const auto strides = ElementStrides(data);
  std::copy(indices.begin(), indices.end(), args.dims);
  std::copy(strides.begin(), strides.end(), args.strides);
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<ScatterElements>(args, MakeScatterPlan(problem, args.indices.count, 1), problem.threads));
}

}  // namespace

extern const KernelDef kernel_scatter_elements = {
    .name = "scatter_elements",
    .family = "scatter",
    .ops = {"ScatterElements", "Scatter"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
