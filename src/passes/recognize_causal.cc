// recognize_causal: an Attention whose mask hides keys by their place from the query (causal, sliding windows) gets
// that as attributes, so that kernels skip what is hidden; the mask keeps the rest (padding, biases) or goes. The mask
// may be computed with dynamic shapes: comparisons of ranges, triangles, and what joins and broadcasts them are
// understood. Offsets are from the first key, or, as with caches, from the last.
//
// Where everything that a query would see is hidden by finite scores, the softmax gives all keys the same weight, those
// behind it too: the attribute mean_masked keeps that.
//
// The f16 kernels of the GPU know no windows and no such means, so with that precision those masks stay.
#include <cmath>
#include <map>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"
#include "src/passes/visible_keys.h"

namespace tamis {
namespace {

class CausalRecogniser {
 public:
  CausalRecogniser(Graph& graph, const PassOptions& options)
      : graph_(graph), rewriter_(graph, options), options_(options) {}

  void Recognise(NodeId id) {
    const Node& node = graph_.node(id);
    const ValueId mask = node.input(3), output = node.outputs[0];
    const Shape *q = ShapeOf(graph_, node.input(0)), *k = ShapeOf(graph_, node.input(1));
    if (mask == kNoValue || node.Int("causal", 0) != 0 || q == nullptr || k == nullptr) return;
    const Dim &queries = (*q)[q->size() - 2], &keys = (*k)[k->size() - 2];
    auto found = masks_.find(mask);
    if (found == masks_.end()) found = masks_.emplace(mask, Read(mask, queries)).first;
    if (!found->second.visible) return;
    const VisibleKeys& visible = *found->second.visible;
    const auto offsets = OffsetsOf(visible.bounds, keys - queries);
    if (!offsets) {
      return options_.Missed(graph_, output, "causal mask", "how far a query sees is no constant, from either end");
    }
    std::map<std::string, Attribute> attributes = node.attributes;
    if (offsets->last) {
      attributes["causal"] = int64_t{1};
      attributes["causal_offset"] = *offsets->last;
    }
    if (offsets->first) {
      attributes["windowed"] = int64_t{1};
      attributes["window_offset"] = *offsets->first;
    }
    if (offsets->from_end) attributes["from_end"] = int64_t{1};
    const bool sees_first = !offsets->from_end && !offsets->first && offsets->last.value_or(-1) >= 0;
    if (!std::isinf(visible.hidden) && (!visible.rest.empty() || !sees_first)) attributes["mean_masked"] = int64_t{1};
    if (options_.precision == DType::kFloat16 && (offsets->first || attributes.count("mean_masked") != 0)) {
      return options_.Missed(graph_, output, "causal mask",
                             "the GPU's kernels know no windows and no means of hidden rows");
    }
    std::vector<ValueId> inputs(node.inputs.begin(), node.inputs.begin() + 3);
    const std::string name = node.name;  // nodes move when others are added
    if (const ValueId rest = Rest(mask); rest != kNoValue) inputs.push_back(rest);
    options_.Matched(graph_, output,
                     offsets->first       ? "attention in a window"
                     : inputs.size() == 3 ? "causal mask"
                                          : "causal part of a mask");
    rewriter_.Replace(id, MakeNode("Attention", kTamisDomain, inputs, {output}, attributes, name));
  }

 private:
  struct Mask {
    std::optional<VisibleKeys> visible;
    std::optional<ValueId> rest;  // once it is made
  };
  struct Offsets {
    std::optional<int64_t> first, last;
    bool from_end = false;
  };

  Mask Read(ValueId mask, const Dim& queries) const { return {MatchVisibleKeys(graph_, mask, queries), {}}; }

  static std::optional<Offsets> OffsetsOf(const KeyBounds& bounds, const Dim& end) {
    for (const bool from_end : {false, true}) {
      const Dim base = from_end ? end : Dim(0);
      Offsets offsets;
      offsets.from_end = from_end;
      if (bounds.last) offsets.last = (*bounds.last - base).Constant();
      if (bounds.first) offsets.first = (*bounds.first - base).Constant();
      if (bounds.last.has_value() == offsets.last.has_value() &&
          bounds.first.has_value() == offsets.first.has_value()) {
        return offsets;
      }
    }
    return std::nullopt;
  }

  // What the mask adds besides its bounds, made once for all that read it.
  ValueId Rest(ValueId mask) {
    Mask& entry = masks_.at(mask);
    const std::string name = graph_.value(mask).name;  // values move when others are added
    if (!entry.rest) entry.rest = MakeRest(*entry.visible, name);
    return *entry.rest;
  }

  ValueId MakeRest(const VisibleKeys& visible, const std::string& name) {
    ValueId all = kNoValue;
    for (const MaskCondition& condition : visible.rest) {
      ValueId value = condition.value;
      if (DTypeOf(graph_, value) != DType::kBool) {
        value =
            rewriter_.Append("Cast", "", {value}, {{"to", static_cast<int64_t>(DType::kBool)}}, name + "_condition");
      }
      if (!condition.when) value = rewriter_.Append("Not", "", {value}, {}, name + "_condition");
      all = all == kNoValue ? value : rewriter_.Append("And", "", {all, value}, {}, name + "_conditions");
    }
    if (all == kNoValue) return visible.addend;
    const ValueId shown =
        visible.addend != kNoValue ? visible.addend : rewriter_.AddConstant(name + "_shown", Tensor::Float(0));
    const ValueId hidden = rewriter_.AddConstant(name + "_hidden", Tensor::Float(static_cast<float>(visible.hidden)));
    Type type;
    type.dtype = DType::kFloat32;
    return rewriter_.Append("Where", "", {all, shown, hidden}, {}, name + "_rest", type);
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
  std::map<ValueId, Mask> masks_;
};

}  // namespace

Status RecognizeCausal(Graph& graph, const PassOptions& options) {
  CausalRecogniser recogniser(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed && graph.node(id).IsTamis("Attention")) recogniser.Recognise(id);
  }
  return {};
}

}  // namespace tamis
