#include "src/passes/rewriter.h"

#include <algorithm>
#include <set>

namespace tamis {

Rewriter::Rewriter(Graph& graph) : graph_(graph) {
  Grow();
  for (NodeId id : graph_.NodeIds()) Count(graph_.node(id), 1);
  for (ValueId value : graph_.outputs) ++uses_[static_cast<size_t>(value)];
}

void Rewriter::Grow() {
  for (size_t i = uses_.size(); i < graph_.NumValues(); ++i) ++names_[graph_.value(static_cast<ValueId>(i)).name];
  uses_.resize(graph_.NumValues(), 0);
}

int Rewriter::Uses(ValueId value) const {
  return static_cast<size_t>(value) < uses_.size() ? uses_[static_cast<size_t>(value)] : 0;
}

std::vector<NodeId> Rewriter::Users(ValueId value) const {
  std::vector<NodeId> users;
  for (NodeId id : graph_.NodeIds()) {
    const Node& node = graph_.node(id);
    for (ValueId input : node.inputs) {
      if (input == value) users.push_back(id);
    }
    for (const Region& region : node.regions) {
      for (ValueId capture : region.captures) {
        if (capture == value) users.push_back(id);
      }
    }
  }
  return users;
}

bool Rewriter::ConeIsPrivate(NodeId root, const std::vector<ValueId>& leaves) const {
  constexpr size_t kLargestPattern = 64;
  std::set<NodeId> cone = {root};
  std::map<ValueId, int> reads;
  std::vector<NodeId> pending = {root};
  while (!pending.empty()) {
    const Node& node = graph_.node(pending.back());
    pending.pop_back();
    const bool shaped = node.Is("Reshape") || node.Is("Expand") || node.Is("Squeeze") || node.Is("Unsqueeze");
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (input == kNoValue || (shaped && i > 0) || graph_.value(input).producer == kNoNode) continue;
      if (std::find(leaves.begin(), leaves.end(), input) != leaves.end()) continue;
      ++reads[input];
      if (cone.insert(graph_.value(input).producer).second) pending.push_back(graph_.value(input).producer);
      if (cone.size() > kLargestPattern) return false;
    }
  }
  return std::all_of(reads.begin(), reads.end(), [&](const auto& read) { return Uses(read.first) == read.second; });
}

void Rewriter::Count(const Node& node, int by) {
  for (ValueId input : node.inputs) {
    if (input != kNoValue) uses_[static_cast<size_t>(input)] += by;
  }
  for (const Region& region : node.regions) {
    for (ValueId capture : region.captures) uses_[static_cast<size_t>(capture)] += by;
  }
}

// Removes the producers of `values` that nobody reads any more, and what only they read.
void Rewriter::Drop(const std::vector<ValueId>& values) {
  std::vector<ValueId> pending = values;
  while (!pending.empty()) {
    const ValueId value = pending.back();
    pending.pop_back();
    if (value == kNoValue || Uses(value) > 0) continue;
    const NodeId producer = graph_.value(value).producer;
    if (producer == kNoNode) continue;
    const Node& node = graph_.node(producer);
    const bool read = std::any_of(node.outputs.begin(), node.outputs.end(),
                                  [&](ValueId output) { return output != kNoValue && Uses(output) > 0; });
    if (read) continue;
    Count(node, -1);
    pending.insert(pending.end(), node.inputs.begin(), node.inputs.end());
    for (const Region& region : node.regions) {
      pending.insert(pending.end(), region.captures.begin(), region.captures.end());
    }
    graph_.RemoveNode(producer);
  }
}

void Rewriter::Replace(NodeId id, Node node) {
  Grow();
  Node old = std::move(graph_.node(id));
  Count(node, 1);
  Count(old, -1);
  for (ValueId output : old.outputs) {
    if (output != kNoValue) graph_.value(output).producer = kNoNode;
  }
  for (ValueId output : node.outputs) {
    if (output != kNoValue) graph_.value(output).producer = id;
  }
  graph_.node(id) = std::move(node);
  std::vector<ValueId> freed = old.inputs;
  for (const Region& region : old.regions) freed.insert(freed.end(), region.captures.begin(), region.captures.end());
  Drop(freed);
}

NodeId Rewriter::Append(Node node) {
  Grow();
  Count(node, 1);
  return graph_.AddNode(std::move(node));
}

ValueId Rewriter::Append(std::string op, std::string_view domain, std::vector<ValueId> inputs,
                         std::map<std::string, Attribute> attributes, const std::string& name, Type type) {
  const ValueId output = graph_.AddValue(FreeName(name), std::move(type));
  Append(MakeNode(std::move(op), domain, std::move(inputs), {output}, std::move(attributes)));
  return output;
}

bool Rewriter::ReplaceUses(ValueId from, ValueId to) {
  if (from == to) return true;
  Grow();
  const NodeId old = graph_.value(from).producer;
  if (!graph_.IsOutput(from)) {
    graph_.ReplaceAllUses(from, to);
    uses_[static_cast<size_t>(to)] += uses_[static_cast<size_t>(from)];
    uses_[static_cast<size_t>(from)] = 0;
    Drop({from});
    return true;
  }
  const NodeId producer = graph_.value(to).producer;
  if (producer == kNoNode || graph_.IsOutput(to)) return false;
  if (old != kNoNode) {
    // The old producer may read `to`; it goes first, so that it doesn't end up reading its own output.
    const Node& node = graph_.node(old);
    if (node.outputs.size() != 1 || old == producer) return false;
    Count(node, -1);
    std::vector<ValueId> freed = node.inputs;
    graph_.RemoveNode(old);
    freed.erase(std::remove(freed.begin(), freed.end(), to), freed.end());
    ++uses_[static_cast<size_t>(to)];  // keeps the new producer while the rest is dropped
    Drop(freed);
    --uses_[static_cast<size_t>(to)];
  }
  graph_.ReplaceAllUses(to, from);
  uses_[static_cast<size_t>(from)] += uses_[static_cast<size_t>(to)];
  uses_[static_cast<size_t>(to)] = 0;
  auto& outputs = graph_.node(producer).outputs;
  std::replace(outputs.begin(), outputs.end(), to, from);
  graph_.value(to).producer = kNoNode;
  graph_.value(from).producer = producer;
  return true;
}

void Rewriter::SetInput(NodeId id, size_t index, ValueId value) {
  Grow();
  ValueId& input = graph_.node(id).inputs[index];
  const ValueId old = input;
  if (value != kNoValue) ++uses_[static_cast<size_t>(value)];
  input = value;
  if (old == kNoValue) return;
  --uses_[static_cast<size_t>(old)];
  Drop({old});
}

std::string Rewriter::FreeName(const std::string& base) {
  Grow();
  if (names_.count(base) == 0) return base;
  for (int& next = names_[base];; ++next) {
    std::string candidate = base + "_" + std::to_string(next);
    if (names_.count(candidate) == 0) return candidate;
  }
}

ValueId Rewriter::AddConstant(const std::string& base, Tensor tensor) {
  return graph_.AddConstant(FreeName(base), std::move(tensor));
}

ValueId Rewriter::ChangedConstant(ValueId value, Tensor tensor) {
  if (Uses(value) > 1 || graph_.IsOutput(value)) return AddConstant(graph_.value(value).name, std::move(tensor));
  Value& changed = graph_.value(value);
  changed.type = Type::Tensor(tensor.dtype(), ToShape(tensor.dims()));
  changed.contents.reset();
  changed.constant = std::move(tensor);
  return value;
}

Node MakeNode(std::string op, std::string_view domain, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
              std::map<std::string, Attribute> attributes, std::string name) {
  Node node;
  node.op = std::move(op);
  node.domain = std::string(domain);
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  node.attributes = std::move(attributes);
  node.name = std::move(name);
  return node;
}

}  // namespace tamis
