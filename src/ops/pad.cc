#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_types.h"

namespace tamis {
namespace {

// Elements added before and after each axis; negative numbers cut. nullopt where computed at run time.
using Amount = std::pair<Dim, Dim>;
Result<std::optional<std::vector<Amount>>> ReadPads(const InferContext& context, size_t rank) {
  TAMIS_ASSIGN_OR_RETURN(const IntList pads, ReadInts(context, 1, "pads"));
  TAMIS_ASSIGN_OR_RETURN(IntList axes, ReadInts(context, 3, "axes"));
  if (!pads.given) return context.Error("the pads are missing");
  if (!pads.known || (axes.given && !axes.constant)) return std::optional<std::vector<Amount>>();
  if (!axes.given) {
    for (size_t axis = 0; axis < rank; ++axis) axes.constants.push_back(static_cast<int64_t>(axis));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto at, ResolvedAxes(context, axes.constants, static_cast<int64_t>(rank)));
  if (pads.values.size() != 2 * at.size()) {
    return context.Error(
        fmt::format("{} pads are given, {} axes need {}", pads.values.size(), at.size(), 2 * at.size()));
  }
  std::vector<Amount> amounts(rank);
  for (size_t i = 0; i < at.size(); ++i) {
    amounts[static_cast<size_t>(at[i])] = {pads.values[i], pads.values[i + at.size()]};
    for (const Dim& dim : {pads.values[i], pads.values[i + at.size()]}) {
      const int64_t amount = dim.Constant().value_or(0);
      if (amount < -kMaxElements || amount > kMaxElements)
        return context.Error(fmt::format("a pad of {} is not possible", amount));
    }
  }
  return std::optional(std::move(amounts));
}

// Inputs from opset 11 on: data, pads, constant_value?, axes? (18); attributes pads and value before.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 4));
  const std::string mode = context.node().String("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") {
    return context.Error(fmt::format("mode '{}' is not known; constant, reflect, edge and wrap are", mode));
  }
  if (context.HasInput(2)) TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, 2));
  if (!context.HasInput(1) && context.node().Has("value")) TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(const auto amounts, ReadPads(context, shape->size()));
  if (!amounts) return SetShape(context, 0, context.InputDType(0), DataShape(context, 0, shape->size()));
  Shape result;
  for (size_t i = 0; i < shape->size(); ++i) {
    const auto& [before, after] = (*amounts)[i];
    const auto size = (*shape)[i].Constant();
    const int64_t widest = std::max(before.Constant().value_or(0), after.Constant().value_or(0));
    if (size && mode != "constant" &&
        widest > (mode == "reflect" ? std::max<int64_t>(*size - 1, 0)
                  : *size > 0       ? widest
                                    : 0)) {
      return context.Error(fmt::format("{} elements can't be padded by {} in mode {}", *size, widest, mode));
    }
    result.push_back((*shape)[i] + before + after);
  }
  return SetShape(context, 0, context.InputDType(0), std::move(result));
}

// Where element i of a padded axis comes from; -1 for the constant.
int64_t SourceOf(int64_t i, int64_t size, const std::string& mode) {
  if (i >= 0 && i < size) return i;
  if (mode == "constant") return -1;
  if (mode == "reflect") return i < 0 ? -i : 2 * (size - 1) - i;
  if (mode == "wrap") return (i % size + size) % size;
  return std::clamp<int64_t>(i, 0, size - 1);
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Tensor& data = *context.input(0);
  Tensor& output = context.outputs[0];
  const size_t element = ElementBytes(data);
  TAMIS_ASSIGN_OR_RETURN(const auto amounts, ReadPads(*bound->infer, data.dims().size()));
  TAMIS_ASSIGN_OR_RETURN(Tensor filler, Allocate(context, data.dtype(), {}));
  if (context.input(2) != nullptr) {
    if (context.input(2)->NumElements() != 1) return context.Error("the padding value must be a scalar");
    filler = *context.input(2);
  } else if (context.node.Has("value")) {
    const double value = context.node.Float("value", 0);
    WriteWide<double>(filler, 0, std::span<const double>(&value, 1));
  }
  if (output.NumElements() == 0) return {};
  const std::string mode = context.node.String("mode", "constant");
  const auto strides = RowMajorStrides(data.dims());
  std::vector<std::vector<int64_t>> sources(strides.size());
  for (size_t axis = 0; axis < strides.size(); ++axis) {
    const int64_t before = (*amounts)[axis].first.Constant().value_or(0);
    for (int64_t i = 0; i < output.dims()[axis]; ++i) {
      const int64_t source = SourceOf(i - before, data.dims()[axis], mode);
      if (source >= data.dims()[axis]) return context.Error("the pads cut more than there is");
      sources[axis].push_back(source < 0 ? -1 : source * strides[axis]);
    }
  }
  for (int64_t i = 0; i < output.NumElements(); ++i) {
    int64_t rest = i;
    int64_t from = 0;
    for (size_t axis = strides.size(); axis-- > 0 && from >= 0; rest /= output.dims()[axis]) {
      const int64_t offset = sources[axis][static_cast<size_t>(rest % output.dims()[axis])];
      from = offset < 0 ? -1 : from + offset;
    }
    const std::byte* source = from < 0 ? filler.raw() : data.raw() + static_cast<size_t>(from) * element;
    std::memcpy(output.raw() + static_cast<size_t>(i) * element, source, element);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor data = SampleFloats(1, {2, 3});
  const Tensor pads = Tensor::Int64s(std::vector<int64_t>{1, 2, 0, -1});
  const std::string reflect = "reflect", edge = "edge";
  return {{{data, pads, Tensor::Float(9)}, {}}, {{data, pads}, {{"mode", reflect}}}, {{data, pads}, {{"mode", edge}}}};
}

}  // namespace

extern const OpDef op_pad = {.name = "Pad",
                             .domain = "",
                             .since_opset = 1,
                             .infer = Infer,
                             .eval = EvalMoved<Eval>,
                             .test_cases = Cases,
                             .widen_half = false};

}  // namespace tamis
