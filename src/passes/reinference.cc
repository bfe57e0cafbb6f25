#include "src/passes/reinference.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <string_view>

#include "src/ops/op_def.h"

namespace tamis {
namespace {

bool SameType(const Type& a, const Type& b) {
  return a.IsTensor() && b.IsTensor() && a.dtype == b.dtype && a.has_rank == b.has_rank && a.shape == b.shape;
}

// Of what a rewrite may change about nodes. Values count by their names, which last while their numbers change, and by
// their dtypes; constants also by the place of their elements. Shapes are what inference makes of these.
class Hasher {
 public:
  // `values`: the hashes of the graph's values.
  explicit Hasher(const std::vector<uint64_t>* values) : values_(values) {}

  uint64_t value() const { return hash_; }

  void Add(uint64_t number) { hash_ = (hash_ ^ number) * 0x9e3779b97f4a7c15u + (hash_ >> 29); }
  void AddText(std::string_view text) { Add(std::hash<std::string_view>()(text)); }

  static uint64_t HashOf(const Value& value) {
    Hasher hasher(nullptr);
    hasher.AddText(value.name);
    hasher.Add(static_cast<uint64_t>(value.type.dtype));
    if (value.constant) hasher.AddTensor(*value.constant);
    return hasher.value();
  }

  void AddNode(const Node& node) {
    AddText(node.op);
    AddText(node.domain);
    AddCount(node.inputs);
    for (ValueId input : node.inputs) AddValue(input);
    AddCount(node.outputs);
    for (ValueId output : node.outputs) AddValue(output);
    for (const auto& [name, attribute] : node.attributes) {
      AddText(name);
      std::visit([this](const auto& value) { AddAttribute(value); }, attribute);
    }
    for (const Region& region : node.regions) {
      AddText(region.name);
      AddCount(region.captures);
      for (ValueId capture : region.captures) AddValue(capture);
      const std::vector<uint64_t> inner = HashesOfValues(*region.body);
      Hasher body(&inner);
      body.AddInterface(*region.body);
      for (NodeId id : region.body->NodeIds()) body.AddNode(region.body->node(id));
      Add(body.value());
    }
  }

  // The values that a graph takes and gives.
  void AddInterface(const Graph& graph) {
    AddCount(graph.inputs);
    for (ValueId input : graph.inputs) AddValue(input);
    AddCount(graph.outputs);
    for (ValueId output : graph.outputs) AddValue(output);
  }

  // Each value once and in order: nodes ask for theirs several times, from all over the memory of a large graph.
  static std::vector<uint64_t> HashesOfValues(const Graph& graph) {
    std::vector<uint64_t> hashes(graph.NumValues());
    for (size_t i = 0; i < hashes.size(); ++i) hashes[i] = HashOf(graph.value(static_cast<ValueId>(i)));
    return hashes;
  }

 private:
  void AddValue(ValueId id) { Add(id == kNoValue ? 0 : (*values_)[static_cast<size_t>(id)]); }
  template <class T>
  void AddCount(const std::vector<T>& items) {
    Add(items.size());
  }
  void AddTensor(const Tensor& tensor) {
    Add(static_cast<uint64_t>(tensor.dtype()));
    AddAttribute(tensor.dims());
    Add(reinterpret_cast<uintptr_t>(tensor.raw()));
  }
  void AddAttribute(int64_t value) { Add(static_cast<uint64_t>(value)); }
  void AddAttribute(float value) { Add(std::bit_cast<uint32_t>(value)); }
  void AddAttribute(const std::string& value) { AddText(value); }
  void AddAttribute(const Tensor& value) { AddTensor(value); }
  template <class T>
  void AddAttribute(const std::vector<T>& values) {
    AddCount(values);
    for (const T& value : values) AddAttribute(value);
  }

  const std::vector<uint64_t>* values_;
  uint64_t hash_ = 0;
};

uint64_t HashOf(const Node& node, const std::vector<uint64_t>& values) {
  Hasher hasher(&values);
  hasher.AddNode(node);
  return hasher.value();
}

uint64_t Combined(const Graph& graph, const std::vector<uint64_t>& nodes, const std::vector<uint64_t>& values) {
  Hasher hasher(&values);
  hasher.AddInterface(graph);
  for (uint64_t node : nodes) hasher.Add(node);
  return hasher.value();
}

// `*has_regions`: whether any node has regions.
std::vector<uint64_t> HashesOfNodes(const Graph& graph, const std::vector<uint64_t>& values, bool* has_regions) {
  *has_regions = false;
  std::vector<uint64_t> hashes;
  const std::vector<NodeId> ids = graph.NodeIds();
  hashes.reserve(ids.size());
  for (NodeId id : ids) {
    hashes.push_back(HashOf(graph.node(id), values));
    *has_regions = *has_regions || !graph.node(id).regions.empty();
  }
  return hashes;
}

HashSet SetOf(const std::vector<uint64_t>& hashes) {
  HashSet set;
  set.Reserve(hashes.size());
  for (uint64_t hash : hashes) set.Add(hash);
  return set;
}

// As InferShapes lists them.
class InferenceProblems {
 public:
  void Add(const Status& status) {
    if (status.ok()) return;
    if (count_++ < kListed) text_ += (text_.empty() ? "" : "\n") + status.message();
  }
  Status ToStatus() const {
    if (count_ == 0) return {};
    return Status(ErrorKind::kUser,
                  count_ > kListed ? fmt::format("{}\n... and {} more", text_, count_ - kListed) : text_);
  }

 private:
  static constexpr int kListed = 20;
  std::string text_;
  int count_ = 0;
};

}  // namespace

bool Reinference::ReadsChanged(const Node& node) const {
  const auto changed = [&](ValueId v) { return v != kNoValue && changed_[static_cast<size_t>(v)]; };
  return std::any_of(node.inputs.begin(), node.inputs.end(), changed) ||
         std::any_of(node.regions.begin(), node.regions.end(), [&](const Region& region) {
           return std::any_of(region.captures.begin(), region.captures.end(), changed);
         });
}

Status Reinference::Visit(NodeId id, bool wanted, bool* inferred) {
  const Node& node = graph_.node(id);
  const bool infer = wanted || ReadsChanged(node);
  if (inferred != nullptr) *inferred = infer;
  if (!infer) return {};
  std::vector<std::pair<Type, std::optional<std::vector<Dim>>>> before;
  for (ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    before.emplace_back(graph_.value(output).type, graph_.value(output).contents);
  }
  TAMIS_RETURN_IF_ERROR(InferNode(graph_, id));
  size_t i = 0;
  for (ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    const auto& [type, contents] = before[i++];
    const Value& value = graph_.value(output);
    if (!SameType(type, value.type) || contents != value.contents) Changed(output);
  }
  return {};
}

Result<InferredState> InferredState::Infer(Graph& graph) {
  TAMIS_RETURN_IF_ERROR(InferShapes(graph));
  return Of(graph);
}

InferredState InferredState::Of(const Graph& graph) {
  InferredState state;
  const std::vector<uint64_t> values = Hasher::HashesOfValues(graph);
  const std::vector<uint64_t> nodes = HashesOfNodes(graph, values, &state.has_regions_);
  state.graph_ = Combined(graph, nodes, values);
  state.nodes_ = SetOf(nodes);
  return state;
}

Result<bool> InferredState::Update(Graph& graph) {
  std::vector<uint64_t> values = Hasher::HashesOfValues(graph);
  std::vector<uint64_t> hashes = HashesOfNodes(graph, values, &has_regions_);
  if (Combined(graph, hashes, values) == graph_) return false;
  Reinference reinference(graph);
  InferenceProblems problems;
  const std::vector<NodeId> ids = graph.NodeIds();
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool known = nodes_.Contains(hashes[i]);
    bool inferred = false;
    problems.Add(reinference.Visit(ids[i], !known, &inferred));
    if (!inferred) continue;
    const Node& node = graph.node(ids[i]);
    for (ValueId output : node.outputs) {
      if (output != kNoValue) values[static_cast<size_t>(output)] = Hasher::HashOf(graph.value(output));
    }
    hashes[i] = HashOf(node, values);
  }
  TAMIS_RETURN_IF_ERROR(problems.ToStatus());
  graph_ = Combined(graph, hashes, values);
  nodes_ = SetOf(hashes);
  return true;
}

}  // namespace tamis
