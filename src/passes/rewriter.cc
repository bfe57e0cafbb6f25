#include "src/passes/rewriter.h"

#include <algorithm>
#include <functional>
#include <set>

namespace tamis {

namespace {

uint64_t HashOf(std::string_view name) {
  return std::hash<std::string_view>()(name);
}

template <class Visit>
void VisitReads(const Node& node, Visit visit) {
  for (ValueId input : node.inputs) {
    if (input != kNoValue) visit(input);
  }
  for (const Region& region : node.regions) {
    for (ValueId capture : region.captures) visit(capture);
  }
}

}  // namespace

Rewriter::Rewriter(Graph& graph, const PassOptions& options) : graph_(graph), edited_(options.edited) {
  Grow();
  reader_pool_.reserve(2 * graph_.NumNodeSlots());
  for (NodeId id : graph_.NodeIds()) Add(id, graph_.node(id));
  is_output_.resize(graph_.NumValues(), false);
  for (ValueId value : graph_.outputs) {
    ++uses_[static_cast<size_t>(value)];
    is_output_[static_cast<size_t>(value)] = true;
  }
}

void Rewriter::Grow() {
  uses_.resize(graph_.NumValues(), 0);
  first_reader_.resize(graph_.NumValues(), kNoReader);
}

void Rewriter::AddReader(ValueId value, NodeId node) {
  int32_t& first = first_reader_[static_cast<size_t>(value)];
  reader_pool_.push_back({node, first});
  first = static_cast<int32_t>(reader_pool_.size()) - 1;
}

int Rewriter::Uses(ValueId value) const {
  return static_cast<size_t>(value) < uses_.size() ? uses_[static_cast<size_t>(value)] : 0;
}

std::vector<NodeId> Rewriter::Users(ValueId value) const {
  if (static_cast<size_t>(value) >= first_reader_.size()) return {};
  std::vector<NodeId> readers;
  std::vector<int32_t> places;
  for (int32_t at = first_reader_[static_cast<size_t>(value)]; at != kNoReader;) {
    const Reader& reader = reader_pool_[static_cast<size_t>(at)];
    readers.push_back(reader.node);
    places.push_back(at);
    at = reader.next;
  }
  std::sort(readers.begin(), readers.end());
  readers.erase(std::unique(readers.begin(), readers.end()), readers.end());
  std::vector<NodeId> users;
  std::erase_if(readers, [&](NodeId id) {
    const size_t before = users.size();
    if (!graph_.node(id).removed) {
      VisitReads(graph_.node(id), [&](ValueId read) {
        if (read == value) users.push_back(id);
      });
    }
    return users.size() == before;
  });
  int32_t* link = &first_reader_[static_cast<size_t>(value)];
  for (size_t i = 0; i < readers.size(); ++i) {
    *link = places[i];
    Reader& reader = reader_pool_[static_cast<size_t>(places[i])];
    reader.node = readers[i];
    link = &reader.next;
  }
  *link = kNoReader;
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

void Rewriter::Add(NodeId id, const Node& node) {
  VisitReads(node, [&](ValueId read) {
    ++uses_[static_cast<size_t>(read)];
    AddReader(read, id);
  });
}

void Rewriter::Subtract(const Node& node) {
  VisitReads(node, [&](ValueId read) { --uses_[static_cast<size_t>(read)]; });
}

void Rewriter::MoveReads(ValueId from, ValueId to) {
  int moved = 0;
  for (NodeId id : Users(from)) {
    Node& node = graph_.node(id);
    std::replace(node.inputs.begin(), node.inputs.end(), from, to);
    for (Region& region : node.regions) std::replace(region.captures.begin(), region.captures.end(), from, to);
    AddReader(to, id);
    ++moved;
  }
  uses_[static_cast<size_t>(to)] += moved;
  uses_[static_cast<size_t>(from)] -= moved;
  Edited();
  first_reader_[static_cast<size_t>(from)] = kNoReader;
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
    Subtract(node);
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
  Add(id, node);
  Subtract(old);
  for (ValueId output : old.outputs) {
    if (output != kNoValue) graph_.value(output).producer = kNoNode;
  }
  for (ValueId output : node.outputs) {
    if (output != kNoValue) graph_.value(output).producer = id;
  }
  graph_.node(id) = std::move(node);
  Edited();
  std::vector<ValueId> freed = old.inputs;
  for (const Region& region : old.regions) freed.insert(freed.end(), region.captures.begin(), region.captures.end());
  Drop(freed);
}

NodeId Rewriter::Append(Node node) {
  Grow();
  Edited();
  const auto id = static_cast<NodeId>(graph_.NumNodeSlots());
  Add(id, node);
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
  if (!IsOutput(from)) {
    MoveReads(from, to);
    Drop({from});
    return true;
  }
  const NodeId producer = graph_.value(to).producer;
  if (producer == kNoNode || IsOutput(to)) return false;
  if (old != kNoNode) {
    // The old producer may read `to`; it goes first, so that it doesn't end up reading its own output.
    const Node& node = graph_.node(old);
    if (node.outputs.size() != 1 || old == producer) return false;
    Subtract(node);
    std::vector<ValueId> freed = node.inputs;
    graph_.RemoveNode(old);
    freed.erase(std::remove(freed.begin(), freed.end(), to), freed.end());
    ++uses_[static_cast<size_t>(to)];  // keeps the new producer while the rest is dropped
    Drop(freed);
    --uses_[static_cast<size_t>(to)];
  }
  MoveReads(to, from);
  auto& outputs = graph_.node(producer).outputs;
  std::replace(outputs.begin(), outputs.end(), to, from);
  graph_.value(to).producer = kNoNode;
  graph_.value(from).producer = producer;
  Edited();
  return true;
}

void Rewriter::SetInput(NodeId id, size_t index, ValueId value) {
  Grow();
  ValueId& input = graph_.node(id).inputs[index];
  const ValueId old = input;
  input = value;
  Edited();
  if (value != kNoValue) {
    ++uses_[static_cast<size_t>(value)];
    AddReader(value, id);
  }
  if (old == kNoValue) return;
  --uses_[static_cast<size_t>(old)];
  Drop({old});
}

std::string Rewriter::FreeName(const std::string& base) {
  names_.Reserve(graph_.NumValues());
  for (; named_ < graph_.NumValues(); ++named_) names_.Add(HashOf(graph_.value(static_cast<ValueId>(named_)).name));
  if (!names_.Contains(HashOf(base))) return base;
  for (int& last = last_number_[base];;) {
    std::string candidate = base + "_" + std::to_string(++last);
    if (!names_.Contains(HashOf(candidate))) return candidate;
  }
}

ValueId Rewriter::AddConstant(const std::string& base, Tensor tensor) {
  Edited();
  return graph_.AddConstant(FreeName(base), std::move(tensor));
}

ValueId Rewriter::ChangedConstant(ValueId value, Tensor tensor) {
  if (Uses(value) > 1 || IsOutput(value)) return AddConstant(graph_.value(value).name, std::move(tensor));
  Value& changed = graph_.value(value);
  Edited();
  changed.type = Type::Tensor(tensor.dtype(), ToShape(tensor.dims()));
  changed.contents.reset();
  changed.constant = std::move(tensor);
  return value;
}

}  // namespace tamis
