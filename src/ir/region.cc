#include "src/ir/region.h"

#include <algorithm>

namespace tamis {

FreeNames::FreeNames(const Graph& graph) {
  for (size_t i = 0; i < graph.NumValues(); ++i) next_.emplace(graph.value(static_cast<ValueId>(i)).name, 0);
}

std::string FreeNames::Like(const std::string& name) {
  const auto [taken, inserted] = next_.emplace(name, 0);
  if (inserted) return name;
  int next = taken->second;
  std::string candidate;
  do {
    candidate = name + "_" + std::to_string(next++);
  } while (!next_.emplace(candidate, 0).second);
  next_[name] = next;
  return candidate;
}

std::optional<size_t> KnownBranch(const Graph& graph, const Node& node) {
  if (!node.Is("If") || node.input(0) == kNoValue) return std::nullopt;
  const Value& condition = graph.value(node.inputs[0]);
  std::optional<int64_t> known;
  if (condition.constant) {
    if (condition.constant->dtype() != DType::kBool || condition.constant->NumElements() != 1) return std::nullopt;
    known = *condition.constant->Data<bool>() ? 1 : 0;
  } else if (condition.contents && condition.contents->size() == 1) {
    known = (*condition.contents)[0].Constant();
  }
  if (!known) return std::nullopt;
  const std::string_view wanted = *known != 0 ? "then_branch" : "else_branch";
  for (size_t i = 0; i < node.regions.size(); ++i) {
    if (node.regions[i].name == wanted && node.regions[i].body->outputs.size() >= node.outputs.size()) return i;
  }
  return std::nullopt;
}

std::vector<NodeId> InlineRegion(Graph& graph, NodeId id, size_t region_index, std::span<const ValueId> inputs,
                                 FreeNames* names) {
  Region region = std::move(graph.node(id).regions[region_index]);
  const std::vector<ValueId> outer = graph.node(id).outputs;
  Graph& body = *region.body;
  graph.RemoveNode(id);
  std::vector<ValueId> become(body.NumValues(), kNoValue);
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    become[static_cast<size_t>(body.inputs[i])] = i < inputs.size() ? inputs[i] : region.captures[i - inputs.size()];
  }
  // What a node of the body computes for an output of the region is that output; what an output only hands through
  // (an input, a constant, a value that another output already is) goes through an Identity.
  std::vector<std::pair<ValueId, ValueId>> handed_through;  // value of the body, output
  for (size_t i = 0; i < outer.size() && i < body.outputs.size(); ++i) {
    if (outer[i] == kNoValue) continue;
    ValueId& target = become[static_cast<size_t>(body.outputs[i])];
    if (target == kNoValue && body.value(body.outputs[i]).producer != kNoNode) {
      target = outer[i];
    } else {
      handed_through.emplace_back(body.outputs[i], outer[i]);
    }
  }
  for (size_t i = 0; i < become.size(); ++i) {
    if (become[i] != kNoValue) continue;
    Value value = std::move(body.value(static_cast<ValueId>(i)));
    value.name = names->Like(value.name);
    value.producer = kNoNode;
    become[i] = graph.AddValue(value.name, value.type);
    graph.value(become[i]) = std::move(value);
  }
  const auto rename = [&](std::vector<ValueId>& ids) {
    for (ValueId& v : ids) v = v == kNoValue ? kNoValue : become[static_cast<size_t>(v)];
  };
  std::vector<NodeId> added;
  for (NodeId inner : body.NodeIds()) {
    Node node = std::move(body.node(inner));
    rename(node.inputs);
    rename(node.outputs);
    for (Region& nested : node.regions) rename(nested.captures);
    added.push_back(graph.AddNode(std::move(node)));
  }
  for (const auto& [from, to] : handed_through) {
    Node identity;
    identity.op = "Identity";
    identity.inputs = {become[static_cast<size_t>(from)]};
    identity.outputs = {to};
    added.push_back(graph.AddNode(std::move(identity)));
  }
  return added;
}

void ShareConstants(const Graph& graph, Region& region) {
  Graph& body = *region.body;
  const size_t formal = body.inputs.size() - region.captures.size();
  std::vector<ValueId> kept_captures;
  std::vector<ValueId> kept_inputs(body.inputs.begin(), body.inputs.begin() + static_cast<std::ptrdiff_t>(formal));
  for (size_t i = 0; i < region.captures.size(); ++i) {
    const Value& outer = graph.value(region.captures[i]);
    const ValueId input = body.inputs[formal + i];
    if (!outer.constant) {
      kept_captures.push_back(region.captures[i]);
      kept_inputs.push_back(input);
      continue;
    }
    Value& inner = body.value(input);
    inner.type = outer.type;
    inner.constant = outer.constant;
    inner.constant_hash = outer.constant_hash;
    inner.contents.reset();
  }
  body.input_docs.resize(std::min(body.input_docs.size(), kept_inputs.size()));
  body.inputs = std::move(kept_inputs);
  region.captures = std::move(kept_captures);
}

}  // namespace tamis
