#include "src/kernels/conv_transpose/conv_transpose.h"

#include <algorithm>

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

constexpr int64_t kRowsOfProduct = 64;  // output channels times taps of an item, about

struct Request {
  SlidingWindow window;
  std::vector<int64_t> pad_begin;
};

Result<Request> ReadRequest(const Problem& problem) {
  const Dims &x = problem.input(0).dims, &weight = problem.input(1).dims, &y = problem.outputs[0].dims;
  if (x.size() < 3 || x.size() > 5 || weight.size() != x.size()) {
    return UserError("{} and {} do not have 1 to 3 spatial axes", ToString(x), ToString(weight));
  }
  NodeProblems problems;
  Request request;
  request.window = ReadWindow(*problem.node, {weight.begin() + 2, weight.end()}, WindowAttributes::kOnnx, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const SlidingWindow& window = request.window;
  const bool same = window.auto_pad == AutoPad::kSameUpper || window.auto_pad == AutoPad::kSameLower;
  std::vector<int64_t> extra = problem.node->Ints("output_padding");
  if (extra.empty()) extra.assign(window.rank(), 0);
  if (extra.size() != window.rank()) return UserError("output_padding does not fit the spatial axes");
  for (size_t i = 0; i < window.rank(); ++i) {
    int64_t pad = window.pads[i];
    if (same || problem.node->Has("output_shape")) {
      const int64_t full = window.strides[i] * (x[i + 2] - 1) + extra[i] + window.Extent(i);
      const int64_t total = std::max<int64_t>(full - y[i + 2], 0);
      pad = window.auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
    }
    request.pad_begin.push_back(pad);
  }
  return request;
}

// [C, M / group, taps] as [group][filter][tap][channel].
std::shared_ptr<const PackedBytes> Pack(const ConvTransposeArgs& args, const float* weight) {
  const int64_t rows = args.filters * args.taps;
  auto packed = std::make_shared<PackedBytes>(static_cast<size_t>(args.groups * rows * args.channels) * sizeof(float));
  auto* to = reinterpret_cast<float*>(packed->data());
  for (int64_t g = 0; g < args.groups; ++g) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t c = 0; c < args.channels; ++c) *to++ = weight[(g * args.channels + c) * rows + row];
    }
  }
  return packed;
}

class ConvTranspose : public RangeKernel<ConvTransposeArgs> {
 public:
  ConvTranspose(const ConvTransposeArgs& args, ConvTransposeBody body, int64_t items, int threads, size_t scratch,
                std::shared_ptr<const PackedWeight> weight)
      : RangeKernel(args, body, items, 1, threads, scratch), weight_(std::move(weight)) {}

 private:
  std::shared_ptr<const PackedWeight> weight_;
};

}  // namespace

Status SupportsConvTranspose(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  for (size_t i : {0, 1, 2}) {
    const Operand& operand = problem.input(i);
    if (operand.Present() && operand.dtype != DType::kFloat32) {
      return UserError("input {} is {}; float32 is supported", i, Name(operand.dtype));
    }
  }
  if (problem.input(1).constant == nullptr) return UserError("input 1 (weight) is not constant");
  return ReadRequest(problem).status();
}

double ConvTransposeFlops(const Problem& problem) {
  const Dims& weight = problem.input(1).dims;
  return 2.0 * static_cast<double>(Elements(problem.input(0))) * static_cast<double>(Product(weight, 1, weight.size()));
}

Result<std::unique_ptr<PreparedKernel>> PrepareConvTranspose(const Problem& problem, PackCache& cache,
                                                             ConvTransposeBody body) {
  TAMIS_ASSIGN_OR_RETURN(const Request request, ReadRequest(problem));
  const Dims &x = problem.input(0).dims, &weight = problem.input(1).dims, &y = problem.outputs[0].dims;
  const SlidingWindow& window = request.window;
  ConvTransposeArgs args;
  args.groups = problem.node->Int("group", 1);
  args.channels = weight[0] / args.groups;
  args.filters = weight[1];
  args.bias = problem.input(2).Present();
  args.taps = Product(weight, 2, weight.size());
  args.in_size = Product(x, 2, x.size());
  args.out_size = Product(y, 2, y.size());
  for (size_t i = 0; i < 3; ++i) {
    args.in[i] = args.out[i] = args.kernel[i] = args.stride[i] = args.dilation[i] = 1;
    const size_t skipped = 3 - window.rank();
    if (i < skipped) continue;
    const size_t axis = i - skipped;
    args.in[i] = x[axis + 2];
    args.out[i] = y[axis + 2];
    args.kernel[i] = window.kernel[axis];
    args.stride[i] = window.strides[axis];
    args.dilation[i] = window.dilations[axis];
    args.pad[i] = request.pad_begin[axis];
  }
  args.block = std::clamp<int64_t>(kRowsOfProduct / args.taps, 1, args.filters);
  args.blocks = (args.filters + args.block - 1) / args.block;
  const Operand& operand = problem.input(1);
  const auto packed = cache.Get(operand.constant_hash, fmt::format("conv_transpose/group{}", args.groups),
                                [&] { return Pack(args, operand.constant->Data<float>()); });
  args.weight = reinterpret_cast<const float*>(static_cast<const PackedBytes&>(*packed).data());
  const auto scratch = static_cast<size_t>((args.block * args.taps + args.channels) * kPixelChunk) * sizeof(float);
  const int64_t items = args.out_size == 0 ? 0 : x[0] * args.groups * args.blocks;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<ConvTranspose>(args, body, items, problem.threads, scratch, packed));
}

}  // namespace tamis
