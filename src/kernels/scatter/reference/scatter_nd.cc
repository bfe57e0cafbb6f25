// ScatterND: tuples of indices point at runs of the data.
#include "src/kernels/scatter/scatter.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

constexpr size_t kMaxDepth = 8;

struct Args {
  IndexList indices;
  int64_t depth = 0;
  int64_t sizes[kMaxDepth] = {}, strides[kMaxDepth] = {};  // of the axes that a tuple addresses; in elements
};

int64_t Target(const void* opaque, const void* indices, int64_t i) {
  const Args& args = *static_cast<const Args*>(opaque);
  int64_t to = 0;
  for (int64_t d = 0; d < args.depth; ++d) {
    to += args.indices.At(indices, i * args.depth + d, args.sizes[d]) * args.strides[d];
  }
  return to;
}

class ScatterNd : public PreparedKernel {
 public:
  ScatterNd(const Args& args, const ScatterPlan& plan, int threads) : args_(args), plan_(plan), threads_(threads) {}
  Status Check(std::span<const void* const> inputs) const override {
    if (args_.depth == 0 || plan_.updates == 0) return {};
    return CheckIndices(args_.indices, inputs[1], Dims(args_.sizes, args_.sizes + args_.depth), "ScatterND");
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
  const int64_t tuples = Product(indices, 0, indices.size() - 1);
  const int64_t run = Product(data, static_cast<size_t>(args.depth), data.size());
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<ScatterNd>(args, MakeScatterPlan(problem, tuples, run), problem.threads));
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
};

}  // namespace tamis
