// MaxUnpool of f32 whose result has the size that the window gives: indices then are places in it.
#include <cstring>

#include "src/kernels/index_list.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

// One item: indices may point anywhere, and where two agree the last counts.
struct Args {
  IndexList indices;
  int64_t places = 0;
};

void Place(const Args& args, const void* const* inputs, void* const* outputs, int64_t /*begin*/, int64_t /*end*/,
           std::byte* /*scratch*/) {
  const auto* x = static_cast<const float*>(inputs[0]);
  auto* y = static_cast<float*>(outputs[0]);
  std::memset(y, 0, static_cast<size_t>(args.places) * sizeof(float));
  for (int64_t i = 0; i < args.indices.count; ++i) y[args.indices.At(inputs[1], i)] = x[i];
}

class MaxUnpool : public RangeKernel<Args> {
 public:
  using RangeKernel::RangeKernel;
  Status Check(std::span<const void* const> inputs) const override {
    for (int64_t i = 0; i < args().indices.count; ++i) {
      const int64_t index = args().indices.At(inputs[1], i);
      if (index < 0 || index >= args().places) {
        return UserError("MaxUnpool: index {} is outside [0, {})", index, args().places);
      }
    }
    return {};
  }
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.input(0).dtype != DType::kFloat32) return UserError("input 0 is not float32");
  TAMIS_RETURN_IF_ERROR(CheckIndexList(problem.input(1), "input 1 (indices)"));
  const Dims &x = problem.input(0).dims, &y = problem.outputs[0].dims;
  const size_t rank = x.size() - 2;
  const auto kernel = problem.node->Ints("kernel_shape");
  const auto strides = problem.node->Ints("strides", std::vector<int64_t>(rank, 1));
  const auto pads = problem.node->Ints("pads", std::vector<int64_t>(2 * rank, 0));
  if (kernel.size() != rank || strides.size() != rank || pads.size() != 2 * rank) {
    return UserError("the window does not fit {}", ToString(x));
  }
  for (size_t i = 0; i < rank; ++i) {
    if (y[i + 2] != (x[i + 2] - 1) * strides[i] + kernel[i] - pads[i] - pads[i + rank]) {
      return UserError("{} is larger than what the window gives", ToString(y));
    }
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Args args{MakeIndexList(problem.input(1)), Elements(problem.outputs[0])};
  return std::unique_ptr<PreparedKernel>(std::make_unique<MaxUnpool>(args, Place, 1, 1, 1));
}

}  // namespace

extern const KernelDef kernel_max_unpool = {
    .name = "max_unpool",
    .family = "rearrange",
    .ops = {"MaxUnpool"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
