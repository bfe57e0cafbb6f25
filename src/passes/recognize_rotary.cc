// recognize_rotary: rotary position embeddings from their parts, and RotaryEmbedding of ai.onnx, become Rotary. Pairs
// of the last axis are its two halves or neighbours, told by where the parts come from and not by how they are cut:
//
//   x * cos + turned(x) * sin            turned: (-b, a) of every pair (a, b), joined as x is
//   join(a * cos - b * sin, b * cos + a * sin)
//
// Where only the first elements of each head are turned and the others appended again, that is part of it. What is
// turned is, if it can be, the rows [B, S, H * D] before the head split, which is made anew behind it: so attention
// reads rows, and no head is transposed. Tables are read as they are, whether constant or computed from positions.
#include <algorithm>

#include "src/passes/all_passes.h"
#include "src/passes/attention_rows.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

constexpr int kDeepestPart = 4;  // nodes between a value and its half: Reshape, Split, Squeeze, ...

struct Rotation {
  ValueId x = kNoValue, cosine = kNoValue, sine = kNoValue;
  bool interleaved = false;
  int64_t turned = 0;  // elements of the last axis, from the first
};

int64_t LastDim(const Graph& graph, ValueId value) {
  const Shape* shape = ShapeOf(graph, value);
  return shape == nullptr || shape->empty() ? 0 : shape->back().Constant().value_or(0);
}

// One element of every pair of the last axis of `source`.
struct PairElement {
  ValueId source = kNoValue;
  int64_t index = 0;  // 0 or 1
  bool interleaved = false;
};

// `value` as such a part, read through exactly so many nodes.
std::optional<PairElement> MatchElement(const Graph& graph, ValueId value, int depth) {
  const auto view = TraceView(graph, value, {.select = true, .max_depth = depth});
  if (!view || view->depth != depth || view->selected.size() != 1 || view->source_axes.empty()) return std::nullopt;
  const Axis& last = view->source_axes.back();
  if (last.size() != 2 || view->axes.empty() || view->axes.back().size() != 1) return std::nullopt;
  const SelectedFactor& selected = view->selected[0];
  const bool interleaved = last[1].id == selected.id;
  if (!interleaved && last[0].id != selected.id) return std::nullopt;
  if (!(last[interleaved ? 1 : 0].size == Dim(2)) || view->axes.back()[0].id != last[interleaved ? 0 : 1].id) {
    return std::nullopt;
  }
  // The axes before the last one as they were.
  std::vector<Axis> leading(view->axes.begin(), view->axes.end() - 1);
  std::vector<Axis> before(view->source_axes.begin(), view->source_axes.end() - 1);
  if (FlatIds(leading) != FlatIds(before) || leading.size() != before.size()) return std::nullopt;
  return PairElement{view->source, selected.index, interleaved};
}

std::optional<PairElement> MatchElementOf(const Graph& graph, ValueId value, ValueId source) {
  for (int depth = 1; depth <= kDeepestPart; ++depth) {
    const auto element = MatchElement(graph, value, depth);
    if (element && element->source == source) return element;
  }
  return std::nullopt;
}

// The two values that `value` joins along the last axis: behind one another, or element by element.
struct Joined {
  ValueId first = kNoValue, second = kNoValue;
  bool interleaved = false;
};

// The value that got a last axis of size one.
ValueId WithoutLastAxis(const Graph& graph, ValueId value) {
  const NodeId producer = graph.value(value).producer;
  if (producer == kNoNode) return kNoValue;
  const Node& node = graph.node(producer);
  if (!node.Is("Unsqueeze") && !node.Is("Reshape")) return kNoValue;
  const Shape *from = ShapeOf(graph, node.input(0)), *to = ShapeOf(graph, value);
  if (from == nullptr || to == nullptr || to->size() != from->size() + 1 || !(to->back() == Dim(1))) return kNoValue;
  return std::equal(from->begin(), from->end(), to->begin()) ? node.input(0) : kNoValue;
}

std::optional<Joined> MatchJoined(const Graph& graph, ValueId value) {
  const Node* reshape = Producer(graph, value, "Reshape");
  const Node* concat = Producer(graph, reshape != nullptr ? reshape->input(0) : value, "Concat");
  if (concat == nullptr || concat->inputs.size() != 2) return std::nullopt;
  const Shape *joined = ShapeOf(graph, concat->outputs[0]), *result = ShapeOf(graph, value);
  if (joined == nullptr || result == nullptr || joined->empty()) return std::nullopt;
  const int64_t rank = static_cast<int64_t>(joined->size()), axis = concat->Int("axis", 0);
  if (axis != -1 && axis != rank - 1) return std::nullopt;
  if (reshape == nullptr) return Joined{concat->input(0), concat->input(1), false};
  if (joined->size() != result->size() + 1 || !(joined->back() == Dim(2)) ||
      !std::equal(result->begin(), result->end() - 1, joined->begin())) {
    return std::nullopt;
  }
  const ValueId first = WithoutLastAxis(graph, concat->input(0)), second = WithoutLastAxis(graph, concat->input(1));
  if (first == kNoValue || second == kNoValue) return std::nullopt;
  return Joined{first, second, true};
}

// -v, however it is written.
ValueId Negated(const Graph& graph, ValueId value) {
  const NodeId producer = graph.value(value).producer;
  if (producer == kNoNode) return kNoValue;
  const Node& node = graph.node(producer);
  if (node.Is("Neg")) return node.input(0);
  const auto scaled = node.Is("Mul") ? MatchScalarOperand(graph, node) : std::nullopt;
  return scaled && scaled->constant == -1 ? scaled->value : kNoValue;
}

// Whether `value` is (-b, a) of the pairs (a, b) of x.
bool IsTurned(const Graph& graph, ValueId value, ValueId x, bool* interleaved) {
  const auto joined = MatchJoined(graph, value);
  const ValueId negated = joined ? Negated(graph, joined->first) : kNoValue;
  if (negated == kNoValue) return false;
  const auto b = MatchElementOf(graph, negated, x), a = MatchElementOf(graph, joined->second, x);
  *interleaved = joined->interleaved;
  return a && b && a->index == 0 && b->index == 1 && a->interleaved == joined->interleaved &&
         b->interleaved == joined->interleaved && SameShape(graph, value, x);
}

// x * cos + turned(x) * sin
std::optional<Rotation> MatchSum(const Graph& graph, const Node& sum) {
  for (size_t i : {size_t{0}, size_t{1}}) {
    const Node* straight = Producer(graph, sum.input(i), "Mul");
    const Node* crossed = Producer(graph, sum.input(1 - i), "Mul");
    if (straight == nullptr || crossed == nullptr) return std::nullopt;
    for (size_t j : {size_t{0}, size_t{1}}) {
      if (!MatchJoined(graph, crossed->input(j))) continue;
      for (size_t k : {size_t{0}, size_t{1}}) {
        Rotation rotation{straight->input(k), straight->input(1 - k), crossed->input(1 - j)};
        if (!IsTurned(graph, crossed->input(j), rotation.x, &rotation.interleaved)) continue;
        rotation.turned = LastDim(graph, rotation.x);
        return rotation;
      }
    }
  }
  return std::nullopt;
}

// The factor that multiplies `value` in one operand of the node; kNoValue if there is none.
ValueId FactorOf(const Graph& graph, ValueId product, ValueId value) {
  const Node* mul = Producer(graph, product, "Mul");
  return mul != nullptr ? OtherOperand(*mul, value).value_or(kNoValue) : kNoValue;
}

// join(a * cos - b * sin, b * cos + a * sin)
std::optional<Rotation> MatchJoin(const Graph& graph, ValueId value) {
  const auto joined = MatchJoined(graph, value);
  const Node* real = joined ? Producer(graph, joined->first, "Sub") : nullptr;
  const Node* imaginary = joined ? Producer(graph, joined->second, "Add") : nullptr;
  if (real == nullptr || imaginary == nullptr) return std::nullopt;
  const Node* cosine = Producer(graph, real->input(0), "Mul");
  for (size_t i : {size_t{0}, size_t{1}}) {
    if (cosine == nullptr) break;
    const ValueId a = cosine->input(i), table = cosine->input(1 - i);
    for (int depth = 1; depth <= kDeepestPart; ++depth) {
      const auto first = MatchElement(graph, a, depth);
      if (!first || first->index != 0 || first->interleaved != joined->interleaved) continue;
      const Node* sine = Producer(graph, real->input(1), "Mul");
      for (size_t j : {size_t{0}, size_t{1}}) {
        if (sine == nullptr) break;
        const ValueId b = sine->input(j), other = sine->input(1 - j);
        const auto second = MatchElementOf(graph, b, first->source);
        if (!second || second->index != 1 || second->interleaved != joined->interleaved) continue;
        for (size_t k : {size_t{0}, size_t{1}}) {
          if (FactorOf(graph, imaginary->input(k), b) != table ||
              FactorOf(graph, imaginary->input(1 - k), a) != other) {
            continue;
          }
          return Rotation{first->source, table, other, joined->interleaved, LastDim(graph, first->source)};
        }
      }
    }
  }
  return std::nullopt;
}

// [begin, end) of the last axis of a value.
struct Range {
  ValueId source = kNoValue;
  int64_t begin = 0, end = 0;
};

std::optional<Range> MatchRange(const Graph& graph, ValueId value) {
  const NodeId producer = value == kNoValue ? kNoNode : graph.value(value).producer;
  if (producer == kNoNode) return std::nullopt;
  const Node& node = graph.node(producer);
  const int64_t rank = RankOf(graph, node.input(0)), size = LastDim(graph, node.input(0));
  if (node.Is("Split")) {
    const int64_t axis = node.Int("axis", 0);
    Range range{node.input(0), 0, 0};
    for (ValueId part : node.outputs) {
      range.begin = std::exchange(range.end, range.end + LastDim(graph, part));
      if (part == value) return axis == -1 || axis == rank - 1 ? std::optional(range) : std::nullopt;
    }
  }
  if (!node.Is("Slice") || size == 0) return std::nullopt;
  const auto one = [&](const char* attribute, size_t input, std::optional<int64_t> absent) -> std::optional<int64_t> {
    const auto values = node.Has(attribute) ? std::optional(node.Ints(attribute)) : KnownInts(graph, node.input(input));
    if (values) return values->size() == 1 ? std::optional((*values)[0]) : std::nullopt;
    return node.input(input) == kNoValue ? absent : std::nullopt;
  };
  const auto begin = one("starts", 1, {}), end = one("ends", 2, {}), axis = one("axes", 3, 0),
             step = one("steps", 4, 1);
  if (!begin || !end || !axis || step != 1 || (*axis != -1 && *axis != rank - 1)) return std::nullopt;
  const auto bound = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
  return Range{node.input(0), bound(*begin), bound(*end)};
}

class RotaryRecogniser {
 public:
  RotaryRecogniser(Graph& graph, const PassOptions& options)
      : graph_(graph), rewriter_(graph, options), options_(options) {}

  void Recognise(NodeId id) {
    const Node& node = graph_.node(id);
    if (node.Is("RotaryEmbedding")) return Lower(id);
    if (node.outputs.size() != 1 || DTypeOf(graph_, node.outputs[0]) != DType::kFloat32) return;
    std::optional<Rotation> rotation;
    if (node.Is("Add")) rotation = MatchSum(graph_, node);
    if (node.Is("Concat") || node.Is("Reshape")) rotation = MatchJoin(graph_, node.outputs[0]);
    if (!rotation || rotation->turned < 2) return;
    const ValueId output = node.outputs[0];
    if (!rewriter_.ConeIsPrivate(id, {rotation->x, rotation->cosine, rotation->sine})) {
      return options_.Missed(graph_, output, "Rotary", "another node reads a part of it");
    }
    const auto [root, x] = WithTheRest(id, *rotation);
    const bool heads_first = FitsTables(x, *rotation, 1);
    if (!heads_first && !FitsTables(x, *rotation, 2)) {
      return options_.Missed(graph_, output, "Rotary", "x isn't four axes with one row of cosines for each position");
    }
    const Shape shape = *ShapeOf(graph_, x);
    const auto heads = shape[heads_first ? 1 : 2].Constant(), size = shape[3].Constant();
    if (!heads || !size) return options_.Missed(graph_, output, "Rotary", "the number or size of heads isn't known");
    options_.Matched(graph_, graph_.node(root).outputs[0],
                     rotation->turned < *size ? "Rotary of a part of each head"
                     : rotation->interleaved  ? "Rotary of neighbours"
                                              : "Rotary");
    const int64_t axis = heads_first ? 1 : 2;
    const std::vector<ValueId> tables = {Table(rotation->cosine, axis), Table(rotation->sine, axis)};
    Replace(root, x, heads_first, *heads, *size, tables, *rotation);
  }

 private:
  // RotaryEmbedding of ai.onnx; positions choose rows of its caches.
  void Lower(NodeId id) {
    const Node& node = graph_.node(id);
    const ValueId x = node.input(0), positions = node.input(3);
    const Shape* shape = ShapeOf(graph_, x);
    if (shape == nullptr || DTypeOf(graph_, x) != DType::kFloat32) return;
    const bool packed = shape->size() == 3;
    const auto heads = packed ? std::optional(node.Int("num_heads", 0)) : (*shape)[1].Constant();
    if (!heads || *heads < 1) return;
    const auto size = (packed ? Dim::FloorDiv((*shape)[2], Dim(*heads)) : (*shape)[3]).Constant();
    if (!size) return;
    Rotation rotation;
    rotation.interleaved = node.Int("interleaved", 0) != 0;
    rotation.turned = node.Int("rotary_embedding_dim", 0) > 0 ? node.Int("rotary_embedding_dim", 0) : *size;
    std::vector<ValueId> tables = {node.input(1), node.input(2)};
    const std::string name = graph_.value(node.outputs[0]).name;
    options_.Matched(graph_, node.outputs[0], "RotaryEmbedding");
    if (positions != kNoValue) {
      for (ValueId& table : tables) {
        table = rewriter_.Append("Gather", "", {table, positions}, {{"axis", int64_t{0}}}, name + "_angles");
      }
    }
    if (!packed) return Replace(id, x, true, *heads, *size, tables, rotation);
    rewriter_.Replace(id, RotaryNode({x, tables[0], tables[1]}, {graph_.node(id).outputs[0]}, *heads, rotation));
  }

  // Where the rotation is of the first elements of each head and the others follow it unturned: the node that joins
  // them, and the whole head.
  std::pair<NodeId, ValueId> WithTheRest(NodeId id, const Rotation& rotation) const {
    const std::pair<NodeId, ValueId> alone = {id, rotation.x};
    const ValueId output = graph_.node(id).outputs[0];
    const auto first = MatchRange(graph_, rotation.x);
    const std::vector<NodeId> readers = rewriter_.Users(output);
    if (!first || first->begin != 0 || readers.size() != 1 || rewriter_.IsOutput(output)) return alone;
    const Node& concat = graph_.node(readers[0]);
    const int64_t rank = RankOf(graph_, output), axis = concat.Int("axis", 0);
    if (!concat.Is("Concat") || concat.inputs.size() != 2 || concat.input(0) != output ||
        (axis != -1 && axis != rank - 1)) {
      return alone;
    }
    const auto rest = MatchRange(graph_, concat.input(1));
    const bool fits = rest && rest->source == first->source && rest->begin == first->end &&
                      rest->end == LastDim(graph_, first->source);
    return fits ? std::pair{readers[0], first->source} : alone;
  }

  // Whether both tables have one row of angles for each position of x [B, ., ., D], whose axis `heads` they lack.
  bool FitsTables(ValueId x, const Rotation& rotation, size_t heads) const {
    const Shape* shape = ShapeOf(graph_, x);
    if (shape == nullptr || shape->size() != 4 || !SameShape(graph_, rotation.cosine, rotation.sine)) return false;
    const Shape& table = *ShapeOf(graph_, rotation.cosine);
    if (DTypeOf(graph_, rotation.cosine) != DType::kFloat32 || DTypeOf(graph_, rotation.sine) != DType::kFloat32) {
      return false;
    }
    const size_t positions = 3 - heads;
    if (table.size() > 4 || table.size() + positions < 4) return false;
    Shape aligned(4 - table.size(), Dim(1));
    aligned.insert(aligned.end(), table.begin(), table.end());
    const bool width = aligned[3] == Dim(rotation.turned) || aligned[3] == Dim(rotation.turned / 2);
    return aligned[heads] == Dim(1) && aligned[positions] == (*shape)[positions] && width &&
           (aligned[0] == Dim(1) || aligned[0] == (*shape)[0]);
  }

  // The table without its axis for heads, which is axis `heads` of four.
  ValueId Table(ValueId table, int64_t heads) {
    const int64_t rank = RankOf(graph_, table), axis = heads - (4 - rank);
    if (axis < 0 || (axis == 0 && rank == 3)) return table;  // none, or in the place of the batch
    if (const Node* unsqueeze = Producer(graph_, table, "Unsqueeze")) {
      const auto axes =
          unsqueeze->Has("axes") ? std::optional(unsqueeze->Ints("axes")) : KnownInts(graph_, unsqueeze->input(1));
      if (axes && axes->size() == 1 && ((*axes)[0] == axis || (*axes)[0] == axis - rank)) return unsqueeze->input(0);
    }
    std::vector<ValueId> inputs = {table};
    std::map<std::string, Attribute> attributes;
    if (graph_.Opset() < 13) {
      attributes["axes"] = std::vector<int64_t>{axis};
    } else {
      inputs.push_back(rewriter_.AddConstant("heads_axis", Tensor::Int64s(std::vector<int64_t>{axis})));
    }
    Shape shape = *ShapeOf(graph_, table);
    shape.erase(shape.begin() + axis);
    return rewriter_.Append("Squeeze", "", inputs, attributes, graph_.value(table).name + "_rows",
                            Type::Tensor(DType::kFloat32, shape));
  }

  static Node RotaryNode(std::vector<ValueId> inputs, std::vector<ValueId> outputs, int64_t heads,
                         const Rotation& rotation) {
    std::map<std::string, Attribute> attributes = {{"num_heads", heads}, {"rotary_dim", rotation.turned}};
    if (rotation.interleaved) attributes["interleaved"] = int64_t{1};
    return MakeNode("Rotary", kTamisDomain, std::move(inputs), std::move(outputs), std::move(attributes));
  }

  // Puts the rotation of x [B, H, S, D], or [B, S, H, D], in the place of the node `root`.
  void Replace(NodeId root, ValueId x, bool heads_first, int64_t heads, int64_t size,
               const std::vector<ValueId>& tables, const Rotation& rotation) {
    const ValueId output = graph_.node(root).outputs[0];
    const std::string name = graph_.value(output).name + "_rotary";
    const auto rotate = [&](ValueId rows) {
      const Node node = RotaryNode({rows, tables[0], tables[1]}, {}, heads, rotation);
      return rewriter_.Append(node.op, kTamisDomain, node.inputs, node.attributes, name, graph_.value(rows).type);
    };
    if (!heads_first) {
      const auto ints = [&](const std::vector<int64_t>& values) {
        return rewriter_.AddConstant(name + "_shape", Tensor::Int64s(values));
      };
      const Shape shape = *ShapeOf(graph_, x);
      const ValueId rows = rewriter_.Append("Reshape", "", {x, ints({0, 0, heads * size})}, {}, name + "_rows",
                                            Type::Tensor(DType::kFloat32, {shape[0], shape[1], Dim(heads * size)}));
      const ValueId turned = rotate(rows);
      return rewriter_.Replace(root, MakeNode("Reshape", "", {turned, ints({0, 0, heads, size})}, {output}));
    }
    const auto rows = MatchAttentionRows(graph_, x, false);
    if (rows && !rows->heads_first && rows->view.scale == 1 && rows->shared == Dim(1) &&
        rows->head_count == Dim(heads) && rows->head_size == Dim(size)) {
      return SplitHeads(rewriter_, root, rotate(MakeRows(rewriter_, *rows)), heads, size);
    }
    rewriter_.Replace(root, RotaryNode({x, tables[0], tables[1]}, {output}, heads, rotation));
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
};

}  // namespace

Status RecognizeRotary(Graph& graph, const PassOptions& options) {
  RotaryRecogniser recogniser(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed) recogniser.Recognise(id);
  }
  return {};
}

}  // namespace tamis
