#include "src/kernels/reduce/reduce.h"

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

constexpr int64_t kChunk = 256;  // columns: the unit that threads share when there is little else

// Reduced axes [first, last). ONNX has them as an attribute or, since opset 13 or 18, as input 1.
Result<std::pair<size_t, size_t>> Axes(const Problem& problem) {
  const Node& node = *problem.node;
  const size_t rank = problem.input(0).dims.size();
  if (node.domain == kTamisDomain) {
    if (rank < 3) return UserError("x of rank {} has no spatial axes", rank);
    return std::pair<size_t, size_t>{1, rank - 1};
  }
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

}  // namespace

Status SupportsReduce(const Problem& problem) {
  const bool pool = problem.node->op == "ChannelsLastGlobalAveragePool";
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, pool ? kTamisDomain : ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0 (x)"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  const auto axes = Axes(problem);
  return axes.ok() ? Status() : axes.status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareReduce(const Problem& problem, ReduceBody body) {
  const Dims& dims = problem.input(0).dims;
  TAMIS_ASSIGN_OR_RETURN(const auto axes, Axes(problem));
  ReduceArgs args;
  args.rows = Product(dims, axes.first, axes.second);
  args.columns = Product(dims, axes.second, dims.size());
  args.chunk = std::min(kChunk, std::max<int64_t>(args.columns, 1));
  args.chunks = (args.columns + args.chunk - 1) / args.chunk;
  args.factor = problem.node->op == "ReduceSum" ? 1.0f : 1.0f / static_cast<float>(args.rows);
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<ReduceArgs>>(
      args, body, Product(dims, 0, axes.first) * args.chunks, GrainFor(args.rows * args.chunk), problem.threads));
}

double ReduceFlops(const Problem& problem) {
  return static_cast<double>(Elements(problem.input(0)));
}

}  // namespace tamis
