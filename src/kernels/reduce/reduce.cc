#include "src/kernels/reduce/reduce.h"

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

constexpr int64_t kChunk = 256;  // columns: the unit that threads share when there is little else

struct Operator {
  std::string_view name;
  ReduceKind kind;
  ReduceFinish finish = ReduceFinish::kNone;
};

const Operator* Find(const Node& node) {
  static constexpr Operator kOperators[] = {{"ReduceSum", ReduceKind::kSum},
                                            {"ReduceMean", ReduceKind::kSum, ReduceFinish::kScale},
                                            {"ChannelsLastGlobalAveragePool", ReduceKind::kSum, ReduceFinish::kScale},
                                            {"GlobalAveragePool", ReduceKind::kSum, ReduceFinish::kScale},
                                            {"GlobalMaxPool", ReduceKind::kMaximum},
                                            {"GlobalLpPool", ReduceKind::kSquares, ReduceFinish::kRoot},
                                            {"ReduceMax", ReduceKind::kMaximum},
                                            {"ReduceMin", ReduceKind::kMinimum},
                                            {"ReduceProd", ReduceKind::kProduct},
                                            {"ReduceL1", ReduceKind::kMagnitudes},
                                            {"ReduceL2", ReduceKind::kSquares, ReduceFinish::kRoot},
                                            {"ReduceSumSquare", ReduceKind::kSquares},
                                            {"ReduceLogSum", ReduceKind::kSum, ReduceFinish::kLog},
                                            {"ReduceLogSumExp", ReduceKind::kLogSumExp}};
  for (const Operator& op : kOperators) {
    if (op.name == node.op) return &op;
  }
  return nullptr;
}

bool IsPool(const Node& node) {
  return node.op[0] == 'G';
}

// Which axes are reduced. ONNX has them as an attribute or, since opset 13 or 18, as input 1.
Result<std::vector<bool>> ReducedAxes(const Problem& problem) {
  const Node& node = *problem.node;
  const size_t rank = problem.input(0).dims.size();
  std::vector<bool> reduced(rank);
  if (node.domain == kTamisDomain || IsPool(node)) {
    if (rank < 3) return UserError("x of rank {} has no spatial axes", rank);
    const size_t first = IsPool(node) ? 2 : 1;
    std::fill(reduced.begin() + static_cast<int64_t>(first), reduced.end() - (IsPool(node) ? 0 : 1), true);
    return reduced;
  }
  std::vector<int64_t> axes = node.Ints("axes");
  if (problem.input(1).Present()) {
    if (problem.input(1).constant == nullptr) return UserError("input 1 (axes) is not constant");
    axes = problem.input(1).constant->ToInt64s();
  }
  if (axes.empty()) {
    std::fill(reduced.begin(), reduced.end(), node.Int("noop_with_empty_axes", 0) == 0);
    return reduced;
  }
  for (const int64_t given : axes) {
    const int64_t axis = NormalizeAxis(given, rank);
    if (axis < 0) return UserError("axis {} does not lie within {}", given, ToString(problem.input(0).dims));
    reduced[static_cast<size_t>(axis)] = true;
  }
  return reduced;
}

struct Segment {
  int64_t dim, stride;
  bool reduced;
};

std::vector<Segment> Merge(const Dims& dims, const std::vector<bool>& reduced) {
  std::vector<Segment> segments;  // innermost first
  int64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0; stride *= dims[i]) {
    if (dims[i] == 1) continue;
    if (!segments.empty() && segments.back().reduced == reduced[i]) {
      segments.back().dim *= dims[i];
    } else {
      segments.push_back({dims[i], stride, reduced[i]});
    }
  }
  return segments;
}

// Outermost first, so that items follow one another in memory.
ReduceLoops LoopsOf(const std::vector<Segment>& segments, bool reduced) {
  ReduceLoops loops;
  for (size_t i = segments.size(); i-- > 0;) {
    if (segments[i].reduced != reduced) continue;
    loops.dims[loops.rank] = segments[i].dim;
    loops.strides[loops.rank++] = segments[i].stride;
    loops.count *= segments[i].dim;
  }
  return loops;
}

}  // namespace

Status CheckReduce(const Problem& problem) {
  const Node& node = *problem.node;
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, node.op == "ChannelsLastGlobalAveragePool" ? kTamisDomain : ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (node.op == "GlobalLpPool" && node.Int("p", 2) != 2) return UserError("a norm of order {}", node.Int("p", 2));
  TAMIS_ASSIGN_OR_RETURN(const auto reduced, ReducedAxes(problem));
  // A loop of each kind goes to the rows or columns; as many again are left.
  if (Merge(problem.input(0).dims, reduced).size() > 2 * kMaxReduceLoops) {
    return UserError("more than {} changes between axes that are reduced and that stay", 2 * kMaxReduceLoops);
  }
  return {};
}

Result<ReduceArgs> MakeReduceArgs(const Problem& problem) {
  const Node& node = *problem.node;
  const Operator& op = *Find(node);
  const Dims& dims = problem.input(0).dims;
  TAMIS_ASSIGN_OR_RETURN(const auto reduced, ReducedAxes(problem));
  std::vector<Segment> segments = Merge(dims, reduced);
  ReduceArgs args;
  args.kind = op.kind;
  args.finish = op.finish;
  int64_t count = 1;
  for (const Segment& segment : segments) count *= segment.reduced ? segment.dim : 1;
  args.factor = 1.0f / static_cast<float>(count);
  if (!segments.empty()) {
    (segments.front().reduced ? args.run : args.columns) = segments.front().dim;
    segments.erase(segments.begin());
  }
  for (size_t i = 0; i < segments.size(); ++i) {
    if (!segments[i].reduced) continue;
    args.rows = segments[i].dim;
    args.row_stride = segments[i].stride;
    segments.erase(segments.begin() + static_cast<int64_t>(i));
    break;
  }
  args.outer = LoopsOf(segments, false);
  args.terms = LoopsOf(segments, true);
  args.chunk = std::min(kChunk, std::max<int64_t>(args.columns, 1));
  args.chunks = (args.columns + args.chunk - 1) / args.chunk;
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  return args;
}

int64_t ReduceItems(const ReduceArgs& args) {
  return args.outer.count * args.chunks;
}

int64_t ReduceGrain(const ReduceArgs& args) {
  return GrainFor(args.terms.count * args.rows * args.run * args.chunk);
}

Status SupportsReduce(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckReduce(problem));
  const Operator& op = *Find(*problem.node);
  if (op.kind == ReduceKind::kSum && op.finish != ReduceFinish::kLog) {
    TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0 (x)"));
    return CheckF32OrBf16(problem.outputs[0], "output 0");
  }
  if (problem.input(0).dtype != DType::kFloat32 || problem.outputs[0].dtype != DType::kFloat32) {
    return UserError("reduces float32, not {}", Name(problem.input(0).dtype));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PrepareReduce(const Problem& problem, ReduceBody body) {
  TAMIS_ASSIGN_OR_RETURN(const ReduceArgs args, MakeReduceArgs(problem));
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<ReduceArgs>>(args, body, ReduceItems(args), ReduceGrain(args), problem.threads));
}

double ReduceFlops(const Problem& problem) {
  return static_cast<double>(Elements(problem.input(0)));
}

}  // namespace tamis
