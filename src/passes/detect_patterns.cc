// detect_patterns: marks constant weights of matrix products and convolutions, int8 ones too, that follow 2:4. A weight
// that is short enough for every group to hold anyway (last axis of one or two) is not marked: nothing was pruned
// there.
#include "src/passes/detect_patterns.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "src/passes/all_passes.h"

namespace tamis {
namespace {

constexpr int64_t kGroup = 4;
constexpr int64_t kKept = 2;
// Operators whose input 1 is a weight.
constexpr std::array<std::string_view, 5> kWithWeight = {"Linear", "ChannelsLastConv", "QuantizedLinear",
                                                         "QuantizedConv", "DynamicQuantizedLinear"};

// Stops, with what it has counted, once more than `most_broken` groups are broken.
template <class T>
PatternCheck Check(const Tensor& weight, T magnitude_mask, int64_t most_broken) {
  PatternCheck check;
  const int64_t columns = weight.dim(-1);
  const int64_t rows = columns == 0 ? 0 : weight.NumElements() / columns;
  int64_t zeros = 0;
  for (int64_t row = 0; row < rows && check.broken_groups <= most_broken; ++row) {
    const T* elements = weight.Data<T>() + row * columns;
    for (int64_t begin = 0; begin < columns; begin += kGroup) {
      int64_t kept = 0;
      const int64_t end = std::min(columns, begin + kGroup);
      for (int64_t i = begin; i < end; ++i) kept += (elements[i] & magnitude_mask) != 0;
      zeros += end - begin - kept;
      if (kept > kKept && check.broken_groups++ == 0) check.first_broken = check.groups;
      ++check.groups;
    }
  }
  check.holds = check.broken_groups == 0;
  check.zero_fraction = rows == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(rows * columns);
  return check;
}

PatternCheck CheckUpTo(const Tensor& weight, int64_t most_broken) {
  // Elements as bits: a zero of either sign has no magnitude bits.
  if (weight.dtype() == DType::kFloat32) return Check<uint32_t>(weight, 0x7fffffffu, most_broken);
  if (weight.dtype() == DType::kInt8) return Check<uint8_t>(weight, uint8_t{0xff}, most_broken);
  return Check<uint16_t>(weight, uint16_t{0x7fff}, most_broken);
}

bool IsCheckable(const Tensor* weight) {
  return weight != nullptr && weight->rank() >= 2 && weight->dim(-1) > kKept && weight->NumElements() > 0 &&
         (weight->dtype() == DType::kFloat32 || weight->dtype() == DType::kBFloat16 ||
          weight->dtype() == DType::kFloat16 || weight->dtype() == DType::kInt8);
}

template <class F>
void ForEachWeight(const Graph& graph, F&& f) {
  std::vector<bool> seen(graph.NumValues(), false);
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (std::none_of(kWithWeight.begin(), kWithWeight.end(), [&](auto op) { return node.IsTamis(op); })) continue;
    if (!IsCheckable(graph.ConstantInput(node, 1)) || seen[static_cast<size_t>(node.inputs[1])]) continue;
    seen[static_cast<size_t>(node.inputs[1])] = true;
    f(node.inputs[1]);
  }
}

}  // namespace

PatternCheck CheckTwoFour(const Tensor& weight) {
  return CheckUpTo(weight, std::numeric_limits<int64_t>::max());
}

bool HoldsTwoFour(const Tensor& weight) {
  return CheckUpTo(weight, 0).holds;
}

std::vector<std::string> PatternNotes(const Graph& graph) {
  std::vector<std::string> notes;
  ForEachWeight(graph, [&](ValueId id) {
    const Value& value = graph.value(id);
    const int64_t columns = value.constant->dim(-1);
    const int64_t per_row = (columns + kGroup - 1) / kGroup;
    const int64_t most_broken = value.constant->NumElements() / columns * per_row / 10;
    const PatternCheck check = CheckUpTo(*value.constant, most_broken);
    if (check.holds || check.broken_groups > most_broken || check.zero_fraction < 0.4) return;
    const int64_t row = *check.first_broken / per_row;
    const int64_t begin = *check.first_broken % per_row * kGroup;
    notes.push_back(
        fmt::format("weight '{}' is nearly 2:4: {} of {} groups have more than two non-zeros, the first in row {}, "
                    "elements {} to {}",
                    value.origin ? value.origin->initializer : value.name, check.broken_groups, check.groups, row,
                    begin, std::min(columns, begin + kGroup) - 1));
  });
  return notes;
}

Status DetectPatterns(Graph& graph, const PassOptions&) {
  ForEachWeight(graph, [&](ValueId id) {
    if (HoldsTwoFour(*graph.value(id).constant)) graph.value(id).pattern = Pattern::kTwoFour;
  });
  return {};
}

}  // namespace tamis
