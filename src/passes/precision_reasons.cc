#include "src/passes/precision_reasons.h"

#include <algorithm>
#include <array>

#include "src/passes/match.h"

namespace tamis {
namespace {

template <size_t N>
bool IsOneOf(const Node& node, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), node.op) != names.end();
}

}  // namespace

std::string_view RiskOf(const Graph& graph, const Node& node) {
  if (!node.domain.empty()) return "";
  constexpr std::array<std::string_view, 6> kGrowing = {"Exp", "Pow", "Sinh", "Cosh", "Reciprocal", "Softplus"};
  constexpr std::array<std::string_view, 3> kRoots = {"Log", "Sqrt", "Erf"};
  constexpr std::array<std::string_view, 4> kSoftmax = {"Softmax", "LogSoftmax", "Hardmax", "ReduceLogSumExp"};
  constexpr std::array<std::string_view, 9> kSums = {"ReduceSum",    "ReduceMean",      "ReduceL1",
                                                     "ReduceL2",     "ReduceProd",      "CumSum",
                                                     "ReduceLogSum", "ReduceSumSquare", "GlobalLpPool"};
  constexpr std::array<std::string_view, 5> kNorms = {"InstanceNormalization", "GroupNormalization",
                                                      "BatchNormalization", "LpNormalization", "LRN"};
  constexpr std::array<std::string_view, 3> kAngles = {"Sin", "Cos", "Tan"};
  if (IsOneOf(node, kGrowing)) return "its results may leave the range";
  if (IsOneOf(node, kRoots)) return "its results lose too many digits";
  if (IsOneOf(node, kSoftmax)) return "a softmax";
  if (IsOneOf(node, kNorms)) return "a normalisation";
  if (IsOneOf(node, kAngles)) return "angles beyond a few turns lose their digits";
  if (!IsOneOf(node, kSums)) return "";
  // A sum of few elements is as exact as an addition.
  constexpr int64_t kFew = 8;
  const auto axes = ReduceAxes(graph, node);
  const Shape* shape = ShapeOf(graph, node.input(0));
  if (axes && shape != nullptr && node.op != "CumSum") {
    Dim count(1);
    for (int64_t axis : *axes) count = count * (*shape)[static_cast<size_t>(axis)];
    if (count.Constant().value_or(kFew + 1) <= kFew) return "";
  }
  return "a sum over many elements";
}

bool ContinuesRisk(const Node& node) {
  return node.Is("Add") || node.Is("Sub") || node.Is("Mul") || node.Is("Div") || node.Is("Neg");
}

bool IsOfOnePixel(const Graph& graph, const Node& node) {
  if (!node.IsTamis("ChannelsLastConv")) return false;
  const Shape* shape = ShapeOf(graph, node.outputs[0]);  // batch, pixels, channels
  return shape != nullptr && shape->size() > 2 &&
         std::all_of(shape->begin() + 1, shape->end() - 1, [](const Dim& dim) { return dim.Constant() == 1; });
}

}  // namespace tamis
