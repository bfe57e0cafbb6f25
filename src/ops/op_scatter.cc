#include "src/ops/op_scatter.h"

#include <cstring>
#include <functional>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {

Status CheckReduction(const InferContext& context) {
  const std::string reduction = context.node().String("reduction", "none");
  for (const char* known : {"none", "add", "mul", "max", "min"}) {
    if (reduction == known) return reduction == "none" ? Status() : CheckDType(context, 0, kNumbers);
  }
  return context.Error(fmt::format("reduction '{}' is not known; none, add, mul, max and min are", reduction));
}

namespace {

template <class W>
void Reduce(Tensor& output, const Tensor& updates, const std::vector<int64_t>& targets, int64_t run,
            const std::string& reduction) {
  const WideReader values(updates, updates.dims());
  for (size_t i = 0; i < targets.size(); ++i) {
    for (int64_t j = 0; j < run; ++j) {
      W a{}, b{};
      WideReader(output, output.dims()).Read<W>(targets[i] + j, std::span(&a, 1));
      values.Read<W>(static_cast<int64_t>(i) * run + j, std::span(&b, 1));
      if (reduction == "add") {
        a = Wrapping(a, b, std::plus<>());
      } else if (reduction == "mul") {
        a = Wrapping(a, b, std::multiplies<>());
      } else {
        a = reduction == "max" ? std::max(a, b) : std::min(a, b);
      }
      WriteWide<W>(output, targets[i] + j, std::span<const W>(&a, 1));
    }
  }
}

}  // namespace

void Scatter(EvalContext& context, const Tensor& updates, const std::vector<int64_t>& targets, int64_t run) {
  Tensor& output = context.outputs[0];
  const std::string reduction = context.node.String("reduction", "none");
  if (run == 0) return;
  if (reduction == "none") {
    const size_t element = ElementBytes(output);
    const size_t bytes = static_cast<size_t>(run) * element;
    for (size_t i = 0; i < targets.size(); ++i) {
      std::memcpy(output.raw() + static_cast<size_t>(targets[i]) * element, updates.raw() + i * bytes, bytes);
    }
    return;
  }
  switch (WideOf(output.dtype())) {
    case Wide::kDouble:
      return Reduce<double>(output, updates, targets, run, reduction);
    case Wide::kInt64:
      return Reduce<int64_t>(output, updates, targets, run, reduction);
    case Wide::kUint64:
      return Reduce<uint64_t>(output, updates, targets, run, reduction);
  }
}

}  // namespace tamis
