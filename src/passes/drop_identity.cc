// drop_identity: removes what doesn't change a value. Identity, Dropout in inference, Cast to the same type, Transpose
// that keeps the order, Reshape, Expand, Flatten and Squeeze/Unsqueeze to the same shape, Slice of everything, Pad by
// nothing, Resize to the same size, Concat and Sum of one, Mul and Div by 1, Add and Sub of 0; and pairs: Transpose of
// Transpose, Unsqueeze after Squeeze.
#include <algorithm>
#include <numeric>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

bool IsInferenceDropout(const Graph& graph, const Node& node) {
  if (!node.Is("Dropout") || (node.outputs.size() > 1 && node.outputs[1] != kNoValue)) return false;
  if (graph.Opset() < 7) return node.Int("is_test", 0) != 0;
  if (node.input(2) == kNoValue) return true;
  const Tensor* training = graph.ConstantInput(node, 2);
  return training != nullptr && training->dtype() == DType::kBool && training->NumElements() == 1 &&
         *training->Data<uint8_t>() == 0;
}

bool AllZero(const std::vector<int64_t>& values) {
  return std::all_of(values.begin(), values.end(), [](int64_t v) { return v == 0; });
}

bool IsEmptyPad(const Graph& graph, const Node& node) {
  if (!node.Is("Pad")) return false;
  if (node.Has("pads")) return AllZero(node.Ints("pads"));
  const auto pads = KnownInts(graph, node.input(1));
  return pads && AllZero(*pads);
}

// Whether a Slice walks forwards: one that does and leaves no element out keeps their order.
bool IsForwardSlice(const Graph& graph, const Node& node) {
  if (!node.Is("Slice")) return false;
  if (node.input(4) == kNoValue) return true;
  const auto steps = KnownInts(graph, node.input(4));
  return steps && std::all_of(steps->begin(), steps->end(), [](int64_t step) { return step > 0; });
}

// Every output of an axis with scale one is the input at its place, in each mode. A scale that is not one may still
// give the same size.
bool KeepsPlacesAtSameSize(const Graph& graph, const Node& node) {
  if (!node.Is("Resize") || node.String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize") {
    return false;
  }
  if (node.input(3) != kNoValue) return true;
  const Tensor* scales = graph.ConstantInput(node, graph.Opset() < 11 ? 1 : 2);
  if (scales == nullptr || scales->dtype() != DType::kFloat32) return false;
  const auto values = scales->Span<float>();
  return std::all_of(values.begin(), values.end(), [](float scale) { return scale == 1; });
}

std::vector<int64_t> Permutation(const Graph& graph, const Node& node) {
  std::vector<int64_t> perm = node.Ints("perm");
  if (perm.empty()) {
    perm.resize(static_cast<size_t>(std::max<int64_t>(RankOf(graph, node.input(0)), 0)));
    std::iota(perm.rbegin(), perm.rend(), 0);
  }
  return perm;
}

bool IsNeutralArithmetic(const Graph& graph, const Node& node) {
  const auto match = MatchScalarOperand(graph, node);
  if (!match) return false;
  return match->constant == (node.Is("Add") || node.Is("Sub") ? 0 : 1);
}

// Whether output 0 is input 0 (or, of commutative arithmetic, the operand that *source names).
bool IsNoOp(const Graph& graph, const Node& node, ValueId* source) {
  *source = node.input(0);
  if (*source == kNoValue) return false;
  if (node.Is("Identity") || IsInferenceDropout(graph, node)) return true;
  if (node.Is("Concat") || node.Is("Sum") || node.Is("Max") || node.Is("Min") || node.Is("Mean")) {
    return node.inputs.size() == 1;
  }
  if (DTypeOf(graph, *source) != DTypeOf(graph, node.outputs[0])) return false;
  if (node.Is("Cast")) return DTypeOf(graph, *source) != DType::kUndefined;
  if (node.Is("Transpose")) {
    const auto perm = Permutation(graph, node);
    return !perm.empty() && std::is_sorted(perm.begin(), perm.end());
  }
  if (IsEmptyPad(graph, node)) return true;
  if (IsNeutralArithmetic(graph, node)) {
    *source = MatchScalarOperand(graph, node)->value;
    return true;
  }
  const bool view = node.Is("Reshape") || node.Is("Expand") || node.Is("Flatten") || node.Is("Squeeze") ||
                    node.Is("Unsqueeze") || IsForwardSlice(graph, node) || KeepsPlacesAtSameSize(graph, node);
  return view && SameShape(graph, *source, node.outputs[0]);
}

// Transpose(Transpose(x)) becomes one Transpose of x.
bool MergeTransposes(Rewriter& rewriter, NodeId id) {
  const Graph& graph = rewriter.graph();
  const Node& outer = graph.node(id);
  if (!outer.Is("Transpose")) return false;
  const Node* inner = Producer(graph, outer.input(0), "Transpose");
  if (inner == nullptr) return false;
  const auto first = Permutation(graph, *inner);
  const auto second = Permutation(graph, outer);
  if (first.empty() || first.size() != second.size()) return false;
  std::vector<int64_t> merged;
  for (int64_t axis : second) {
    if (axis < 0 || axis >= static_cast<int64_t>(first.size())) return false;
    merged.push_back(first[static_cast<size_t>(axis)]);
  }
  rewriter.Replace(id, MakeNode("Transpose", "", {inner->input(0)}, outer.outputs, {{"perm", merged}}, outer.name));
  return true;
}

// A view of a view of x with the shape of x is x.
bool UndoesView(const Graph& graph, const Node& node, ValueId* source) {
  const auto is_view = [](const Node& n) {
    return n.Is("Squeeze") || n.Is("Unsqueeze") || n.Is("Reshape") || n.Is("Flatten");
  };
  if (!is_view(node)) return false;
  const NodeId producer = graph.value(node.input(0)).producer;
  if (producer == kNoNode || !is_view(graph.node(producer))) return false;
  *source = graph.node(producer).input(0);
  return SameShape(graph, *source, node.outputs[0]);
}

}  // namespace

Status DropIdentity(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed || graph.node(id).outputs.empty()) continue;
    MergeTransposes(rewriter, id);
    ValueId source = kNoValue;
    const Node& node = graph.node(id);
    if (IsNoOp(graph, node, &source) || UndoesView(graph, node, &source)) {
      rewriter.ReplaceUses(node.outputs[0], source);
    }
  }
  return {};
}

}  // namespace tamis
