#include "src/kernels/resize/resize.h"

#include <algorithm>
#include <cmath>

#include "src/kernels/operand_check.h"
#include "src/kernels/transpose/strided_copy.h"
#include "src/ops/op_resize.h"

namespace tamis {
namespace {

struct Request {
  ResizeOptions options;
  std::vector<ResizeAxis> axes;
};

// The float constant of an operand; undefined if it is omitted or empty.
Result<Tensor> Constant(const Problem& problem, size_t i, const char* what) {
  const Operand& operand = problem.input(i);
  if (!operand.Present() || Elements(operand) == 0) return Tensor();
  if (operand.constant == nullptr) return UserError("{} are not constant", what);
  return operand.constant->ToFloat32();
}

// The one factor of all axes that keeping the aspect ratio leaves.
Status KeepRatio(const Problem& problem, const std::vector<size_t>& at, Request* request) {
  if (request->options.policy == ResizePolicy::kStretch) return {};
  const Tensor* sizes = problem.input(3).constant;
  if (sizes == nullptr || sizes->NumElements() != static_cast<int64_t>(at.size())) {
    return UserError("the sizes are not constant");
  }
  const auto values = sizes->ToInt64s();
  double chosen = 0;
  for (size_t i = 0; i < at.size(); ++i) {
    const double scale = static_cast<double>(values[i]) / static_cast<double>(request->axes[at[i]].in);
    const bool least = request->options.policy == ResizePolicy::kNotLarger;
    chosen = i == 0 ? scale : least ? std::min(chosen, scale) : std::max(chosen, scale);
  }
  for (size_t axis : at) request->axes[axis].scale = chosen;
  return {};
}

Result<Request> ReadRequest(const Problem& problem) {
  const bool old = problem.node->op == "Upsample" || problem.inputs.size() == 2;  // of opset 10
  NodeProblems problems;
  Request request;
  request.options = ReadResizeOptions(*problem.node, old, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Dims &in = problem.input(0).dims, &out = problem.outputs[0].dims;
  for (size_t axis = 0; axis < in.size(); ++axis) {
    if (in[axis] == 0) return UserError("an empty axis");
    request.axes.push_back({in[axis], out[axis], static_cast<double>(out[axis]) / static_cast<double>(in[axis])});
  }
  std::vector<size_t> at;
  for (int64_t axis : problem.node->Ints("axes")) {
    const int64_t resolved = NormalizeAxis(axis, in.size());
    if (resolved < 0) return UserError("the axis does not lie within {}", ToString(in));
    at.push_back(static_cast<size_t>(resolved));
  }
  if (!problem.node->Has("axes")) {
    for (size_t axis = 0; axis < in.size(); ++axis) at.push_back(axis);
  }
  TAMIS_ASSIGN_OR_RETURN(Tensor scales, Constant(problem, old ? 1 : 2, "the scales"));
  if (const auto attribute = problem.node->Floats("scales"); !scales.Defined() && !attribute.empty()) {
    const auto count = static_cast<int64_t>(attribute.size());
    scales = Tensor::Of<float>(DType::kFloat32, {count}, std::span<const float>(attribute));
  }
  if (!scales.Defined()) {
    TAMIS_RETURN_IF_ERROR(KeepRatio(problem, at, &request));
    return request;
  }
  if (scales.NumElements() != static_cast<int64_t>(at.size())) return UserError("the scales do not fit the axes");
  for (size_t i = 0; i < at.size(); ++i) {
    const float scale = scales.Data<float>()[i];
    if (!(scale > 0) || !std::isfinite(scale)) return UserError("a scale of {}", scale);
    request.axes[at[i]].scale = static_cast<double>(scale);
  }
  return request;
}

class Resize : public RangeKernel<ResizeArgs> {
 public:
  struct Tables {
    std::vector<int64_t> index[kMaxResizeRank];
    std::vector<float> weight[kMaxResizeRank];
  };
  Resize(const ResizeArgs& args, ResizeBody body, int64_t rows, int64_t grain, int threads,
         std::unique_ptr<Tables> tables)
      : RangeKernel(args, body, rows, grain, threads, ScratchFloats(args) * sizeof(float)),
        tables_(std::move(tables)) {}

 private:
  static size_t ScratchFloats(const ResizeArgs& args) {
    if (args.kept_axis < 0) return static_cast<size_t>(args.in_row);
    return static_cast<size_t>(kMaxKeptRows * ((args.out[args.rank - 1] * args.inner + 15) / 16 * 16));
  }
  std::unique_ptr<Tables> tables_;
};

// How many times each element of the last axis stands, if all do equally often and in order; else 0.
int64_t RepeatOf(const ResizeTable& table, int64_t in, int64_t out) {
  if (table.identity || in == 0 || out % in != 0) return 0;
  const int64_t repeat = out / in;
  for (int64_t i = 0; i < out; ++i) {
    if (table.index[i] != i / repeat) return 0;
  }
  return repeat;
}

// Lets the last axis that changes be the last one, if others change too. (If it is the only one, its neighbours are
// whole rows, which are blended as they lie.)
void JoinTrailingAxes(const Dims& in, ResizeArgs* args) {
  const int changing = static_cast<int>(
      std::count_if(args->tables, args->tables + args->rank, [](const ResizeTable& table) { return !table.identity; }));
  if (changing < 2) return;
  for (; args->tables[args->rank - 1].identity; --args->rank) args->inner *= args->out[args->rank - 1];
  args->in_row = in[static_cast<size_t>(args->rank - 1)] * args->inner;
}

}  // namespace

Status SupportsResize(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Dims& dims = problem.input(0).dims;
  if (dims.empty() || dims.size() > kMaxResizeRank) return UserError("ranks 1 to {} are supported", kMaxResizeRank);
  const auto request = ReadRequest(problem);
  if (!request.ok()) return request.status();
  if (request->options.coordinates == ResizeCoordinates::kCropAndResize) {
    return UserError("tf_crop_and_resize is not supported");
  }
  if (request->options.mode == ResizeMode::kNearest) return CheckMovable(problem.input(0).dtype);
  if (problem.input(0).dtype != DType::kFloat32) {
    return UserError("input 0 is {}; float32 is supported in modes linear and cubic", Name(problem.input(0).dtype));
  }
  return {};
}

double ResizeFlops(const Problem& problem) {
  return 16.0 * static_cast<double>(Elements(problem.outputs[0]));
}

Result<std::unique_ptr<PreparedKernel>> PrepareResize(const Problem& problem, ResizeBody body) {
  TAMIS_ASSIGN_OR_RETURN(const Request request, ReadRequest(problem));
  const Dims &in = problem.input(0).dims, &out = problem.outputs[0].dims;
  const auto strides = ElementStrides(in);
  auto tables = std::make_unique<Resize::Tables>();
  ResizeArgs args;
  args.rank = static_cast<int>(in.size());
  args.in_row = in.back();
  args.element = BitSize(problem.input(0).dtype) / 8;
  args.copies = request.options.mode == ResizeMode::kNearest;
  int64_t taps_each = 1;
  for (size_t axis = 0; axis < in.size(); ++axis) {
    args.out[axis] = out[axis];
    args.strides[axis] = strides[axis];
    if (request.axes[axis].Identity(request.options)) continue;
    ResizeTaps taps = TapsOf(request.options, request.axes[axis]);
    tables->index[axis] = std::move(taps.index);
    tables->weight[axis].assign(taps.weight.begin(), taps.weight.end());
    args.tables[axis] = {tables->index[axis].data(), tables->weight[axis].data(), taps.taps, false};
    taps_each *= taps.taps;
  }
  if (!args.copies) JoinTrailingAxes(in, &args);
  const int last = args.rank - 1;
  if (args.copies) {
    args.repeat = RepeatOf(args.tables[last], in.back(), out.back());
  } else if (!args.tables[last].identity) {
    int changing = 0;
    for (int axis = 0; axis < last; ++axis) {
      if (args.tables[axis].identity) continue;
      ++changing;
      args.kept_axis = axis;
    }
    if (changing != 1 || args.tables[args.kept_axis].taps > kMaxKeptRows) args.kept_axis = -1;
  }
  const int64_t row = args.out[last] * args.inner;
  const int64_t rows = row == 0 ? 0 : Elements(problem.outputs[0]) / row;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<Resize>(args, body, rows, GrainFor(row * taps_each), problem.threads, std::move(tables)));
}

}  // namespace tamis
