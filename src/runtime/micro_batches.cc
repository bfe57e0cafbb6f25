#include "src/runtime/micro_batches.h"

#include <algorithm>
#include <map>

#include "src/kernels/problem.h"
#include "src/ops/op_def.h"
#include "src/runtime/batch_entries.h"

namespace tamis {
namespace {

using Kind = BatchEntries::Kind;
// More values at a cut are copies of activations that the caches don't hold either.
constexpr size_t kMostResults = 2;

size_t Index(ValueId id) {
  return static_cast<size_t>(id);
}

// Entries of axis 0 of the first input that has one; 0: there is none.
int64_t BatchOf(const Graph& concrete) {
  for (const ValueId id : concrete.inputs) {
    const auto dims = ConstantDims(concrete.value(id).type.shape);
    if (dims && !dims->empty()) return dims->front();
  }
  return 0;
}

// Nodes with a cut result that the `results` follow from, in order.
std::vector<NodeId> LayersBefore(const Graph& graph, const BatchEntries& entries, std::span<const ValueId> results) {
  std::vector<bool> wanted(graph.NumValues(), false);
  for (const ValueId id : results) wanted[Index(id)] = true;
  std::vector<NodeId> layers;
  const std::vector<NodeId> order = graph.NodeIds();
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const Node& node = graph.node(*at);
    if (node.outputs.size() != 1 || node.outputs[0] == kNoValue) continue;
    if (!wanted[Index(node.outputs[0])] || entries.Of(node.outputs[0]) != Kind::kCut) continue;
    for (const ValueId input : node.inputs) {
      if (input != kNoValue) wanted[Index(input)] = true;
    }
    layers.push_back(*at);
  }
  std::reverse(layers.begin(), layers.end());
  return layers;
}

// The cut values that have these names; empty if one is missing.
std::vector<ValueId> FindResults(const Graph& graph, const BatchEntries& entries, std::span<const std::string> names) {
  std::map<std::string_view, ValueId> by_name;
  for (const NodeId id : graph.NodeIds()) {
    for (const ValueId value : graph.node(id).outputs) {
      if (value != kNoValue) by_name[graph.value(value).name] = value;
    }
  }
  std::vector<ValueId> results;
  for (const std::string& name : names) {
    const auto found = by_name.find(name);
    if (found == by_name.end() || entries.Of(found->second) != Kind::kCut) return {};
    results.push_back(found->second);
  }
  return results;
}

// The type of one part.
Type PartOf(Type type, int64_t parts) {
  type.shape[0] = Dim(*type.shape[0].Constant() / parts);
  return type;
}

// A file may give the batch a number of its own in a Reshape: in a part its results are so many fewer.
void NameDimensions(Graph& body, Node* reshape) {
  const auto dims = ConstantDims(body.value(reshape->outputs[0]).type.shape);
  Tensor target(DType::kInt64, {static_cast<int64_t>(dims->size())});
  std::copy(dims->begin(), dims->end(), target.Data<int64_t>());
  reshape->inputs[1] = body.AddConstant(body.value(reshape->outputs[0]).name + ".part", std::move(target));
  reshape->attributes["allowzero"] = int64_t{1};
}

// The layers for one part. `outer` receives the graph's values that the body's inputs stand for, `cut` whether each is
// cut.
std::unique_ptr<Graph> MakeBody(const Graph& graph, const BatchEntries& entries, int64_t parts,
                                std::span<const NodeId> layers, std::span<const ValueId> results,
                                std::vector<ValueId>* outer, std::vector<int64_t>* cut) {
  auto body = std::make_unique<Graph>();
  body->opsets = graph.opsets;
  std::map<ValueId, ValueId> known;
  const auto add = [&](ValueId id) {
    const Value& value = graph.value(id);
    const bool is_cut = entries.Of(id) == Kind::kCut;
    return known[id] = body->AddValue(value.name, is_cut ? PartOf(value.type, parts) : value.type);
  };
  const auto inner = [&](ValueId id) {
    if (id == kNoValue) return kNoValue;
    if (const auto found = known.find(id); found != known.end()) return found->second;
    const ValueId copy = add(id);
    const Value& value = graph.value(id);
    Value& made = body->value(copy);
    made.constant = value.constant;
    made.constant_hash = value.constant_hash;
    made.pattern = value.pattern;
    if (!value.constant) {
      body->inputs.push_back(copy);
      outer->push_back(id);
      cut->push_back(entries.Of(id) == Kind::kCut ? 1 : 0);
    }
    return copy;
  };
  for (const NodeId id : layers) {
    const Node& node = graph.node(id);
    Node copy;
    copy.op = node.op;
    copy.domain = node.domain;
    copy.name = node.name;
    copy.attributes = node.attributes;
    const bool reshapes = node.Is("Reshape");
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      copy.inputs.push_back(reshapes && i == 1 ? kNoValue : inner(node.inputs[i]));
    }
    copy.outputs = {add(node.outputs[0])};
    if (reshapes) NameDimensions(*body, &copy);
    body->AddNode(std::move(copy));
  }
  for (const ValueId id : results) body->outputs.push_back(known[id]);
  return body;
}

// Whether the operators' own rules give the parts' shapes.
bool ShapesHold(Graph& body) {
  for (const NodeId id : body.NodeIds()) {
    if (!InferNode(body, id).ok()) return false;
  }
  return true;
}

}  // namespace

std::vector<MicroBatchCut> MicroBatchCuts(const Graph& concrete, int64_t entries) {
  std::vector<MicroBatchCut> cuts;
  const int64_t parts = PartsOfBatch(concrete, entries);
  if (parts < 2) return cuts;
  const BatchEntries kinds(concrete, BatchOf(concrete), parts);
  const auto users = concrete.Users();
  std::vector<size_t> readers(concrete.NumValues(), 0);  // that are not before the cut yet
  for (size_t i = 0; i < readers.size(); ++i) {
    readers[i] = users[i].size() + (concrete.IsOutput(static_cast<ValueId>(i)) ? 1 : 0);
  }
  std::vector<ValueId> open;  // results of layers before the cut that others read
  std::vector<std::string> layers;
  for (const NodeId id : concrete.NodeIds()) {
    const Node& node = concrete.node(id);
    if (node.outputs.size() != 1 || node.outputs[0] == kNoValue || kinds.Of(node.outputs[0]) != Kind::kCut) continue;
    for (const ValueId input : node.inputs) {
      if (input != kNoValue) --readers[Index(input)];
    }
    layers.push_back(concrete.value(node.outputs[0]).name);
    open.push_back(node.outputs[0]);
    std::erase_if(open, [&](ValueId value) { return readers[Index(value)] == 0; });
    if (layers.size() < 2 || open.empty() || open.size() > kMostResults || IsView(node)) continue;
    MicroBatchCut& cut = cuts.emplace_back();
    cut.spec.entries = entries;
    for (const ValueId value : open) cut.spec.results.push_back(concrete.value(value).name);
    cut.layers = layers;
  }
  return cuts;
}

std::optional<Graph> PartOfNetwork(const Graph& concrete, int64_t entries) {
  const std::vector<MicroBatchCut> cuts = MicroBatchCuts(concrete, entries);
  if (cuts.empty()) return std::nullopt;
  const int64_t parts = PartsOfBatch(concrete, entries);
  const BatchEntries kinds(concrete, BatchOf(concrete), parts);
  const std::vector<ValueId> results = FindResults(concrete, kinds, cuts.back().spec.results);
  std::vector<ValueId> outer;
  std::vector<int64_t> cut;
  const auto body = MakeBody(concrete, kinds, parts, LayersBefore(concrete, kinds, results), results, &outer, &cut);
  if (!ShapesHold(*body)) return std::nullopt;
  for (const ValueId id : outer) {
    const Value& value = concrete.value(id);
    if (value.producer != kNoNode && IsInteger(value.type.dtype)) return std::nullopt;
  }
  return std::move(*body);
}

int64_t PartsOfBatch(const Graph& concrete, int64_t entries) {
  const int64_t batch = BatchOf(concrete);
  return entries < 1 || batch % entries != 0 ? 1 : std::max<int64_t>(batch / entries, 1);
}

int64_t EntriesTogether(const Graph& concrete, int threads) {
  const int64_t batch = BatchOf(concrete);
  int64_t entries = std::max<int64_t>(threads / 2, 1);
  while (entries > 1 && batch % entries != 0) --entries;
  return entries < batch ? entries : 0;
}

bool FormMicroBatches(Graph& concrete, const MicroBatchSpec& spec) {
  const int64_t parts = PartsOfBatch(concrete, spec.entries);
  if (parts < 2 || spec.results.empty()) return false;
  const BatchEntries entries(concrete, BatchOf(concrete), parts);
  const std::vector<ValueId> results = FindResults(concrete, entries, spec.results);
  if (results.empty()) return false;
  const std::vector<NodeId> layers = LayersBefore(concrete, entries, results);
  // Nobody else may read what lies between.
  std::vector<bool> inside(concrete.NumNodeSlots(), false);
  for (const NodeId id : layers) inside[static_cast<size_t>(id)] = true;
  const auto users = concrete.Users();
  for (const NodeId id : layers) {
    const ValueId value = concrete.node(id).outputs[0];
    if (std::find(results.begin(), results.end(), value) != results.end()) continue;
    const auto& readers = users[Index(value)];
    const auto is_inside = [&](NodeId reader) { return inside[static_cast<size_t>(reader)]; };
    if (concrete.IsOutput(value) || !std::all_of(readers.begin(), readers.end(), is_inside)) return false;
  }

  std::vector<ValueId> outer;
  std::vector<int64_t> cut;
  auto body = MakeBody(concrete, entries, parts, layers, results, &outer, &cut);
  if (!ShapesHold(*body)) return false;
  Node node;
  node.op = std::string(kMicroBatches);
  node.domain = std::string(kTamisDomain);
  node.name = concrete.node(layers.back()).name;
  node.inputs = std::move(outer);
  node.outputs = results;
  node.attributes["parts"] = parts;
  node.attributes["cut_inputs"] = std::move(cut);
  node.regions.push_back({"layers", std::move(body), {}});
  for (const NodeId id : layers) concrete.RemoveNode(id);
  concrete.AddNode(std::move(node));
  return concrete.Sort().ok();
}

}  // namespace tamis
