// Reductions over neighbouring axes, f32, f16 or bf16.
#include <limits>
#include <utility>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/reduce/cuda/reduce_rows.h"

namespace tamis::cuda {
namespace {

constexpr std::pair<std::string_view, ReduceKind> kKinds[] = {
    {"ReduceSum", ReduceKind::kSum}, {"ReduceMean", ReduceKind::kMean},           {"ReduceMax", ReduceKind::kMax},
    {"ReduceMin", ReduceKind::kMin}, {"ReduceSumSquare", ReduceKind::kSumSquare}, {"ReduceL2", ReduceKind::kL2}};

// Reduced axes [first, last): an attribute, or input 1 in newer opsets.
Result<std::pair<size_t, size_t>> Axes(const Problem& problem) {
  const Node& node = *problem.node;
  const size_t rank = problem.input(0).dims.size();
  std::vector<int64_t> axes = node.Ints("axes");
  if (problem.input(1).Present()) {
    if (problem.input(1).constant == nullptr) return UserError("input 1 (axes) is not constant");
    axes = problem.input(1).constant->ToInt64s();
  }
  if (axes.empty()) {
    if (node.Int("noop_with_empty_axes", 0) != 0) return UserError("no axes: nothing to reduce");
    return std::pair<size_t, size_t>{0, rank};
  }
  std::vector<bool> reduced(rank);
  for (const int64_t given : axes) {
    const int64_t axis = NormalizeAxis(given, rank);
    if (axis < 0) return UserError("axis {} does not lie within {}", given, ToString(problem.input(0).dims));
    reduced[static_cast<size_t>(axis)] = true;
  }
  size_t first = 0;
  while (!reduced[first]) ++first;
  size_t last = first;
  while (last < rank && reduced[last]) ++last;
  for (size_t i = last; i < rank; ++i) {
    if (reduced[i]) return UserError("the axes {} are not neighbours", ToString(axes));
  }
  return std::pair<size_t, size_t>{first, last};
}

Result<ReduceRowsArgs> Read(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &x = problem.input(0), &y = problem.outputs[0];
  if (!IsComputedFloat(x.dtype) || y.dtype != x.dtype) {
    return UserError("x is {} and the result {}", Name(x.dtype), Name(y.dtype));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto axes, Axes(problem));
  ReduceRowsArgs args;
  args.outer = Product(x.dims, 0, axes.first);
  args.rows = Product(x.dims, axes.first, axes.second);
  args.columns = Product(x.dims, axes.second, x.dims.size());
  args.dtype = x.dtype;
  for (const auto& [name, kind] : kKinds) {
    if (problem.node->op == name) args.kind = kind;
  }
  if (args.rows == 0 || args.outer * args.columns == 0) return UserError("x is empty");
  if (args.outer * args.columns > std::numeric_limits<int32_t>::max()) return UserError("2^31 results or more");
  return args;
}

class Reduce : public CudaKernel {
 public:
  explicit Reduce(const ReduceRowsArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    ReduceRowsArgs args = args_;
    args.x = in[0];
    args.y = out[0];
    return CudaStatus(LaunchReduceRows(args, stream), "reduce_cuda");
  }

 private:
  ReduceRowsArgs args_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const ReduceRowsArgs args, Read(problem));
  return args.rows > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const ReduceRowsArgs args, Read(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<Reduce>(args));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_reduce_cuda = {
    .name = "reduce_cuda",
    .family = "reduce",
    .ops = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare", "ReduceL2"},
    .supports = Supports,
    .prepare = Prepare};

}  // namespace tamis::cuda
