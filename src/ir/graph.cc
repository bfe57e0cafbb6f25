#include "src/ir/graph.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <queue>

namespace tamis {

std::string Type::ToString() const {
  switch (kind) {
    case Kind::kSequence:
      return "sequence(" + (element ? element->ToString() : std::string("?")) + ")";
    case Kind::kOptional:
      return "optional(" + (element ? element->ToString() : std::string("?")) + ")";
    case Kind::kTensor:
      break;
  }
  return std::string(Name(dtype)) + (has_rank ? tamis::ToString(shape) : std::string("[...]"));
}

std::string_view Name(Pattern pattern) {
  return pattern == Pattern::kTwoFour ? "2:4" : "dense";
}

namespace {
template <class T>
const T* Find(const Node& node, const std::string& key) {
  const auto found = node.attributes.find(key);
  return found == node.attributes.end() ? nullptr : std::get_if<T>(&found->second);
}
}  // namespace

int64_t Node::Int(const std::string& key, int64_t fallback) const {
  const auto* value = Find<int64_t>(*this, key);
  return value ? *value : fallback;
}
float Node::Float(const std::string& key, float fallback) const {
  const auto* value = Find<float>(*this, key);
  return value ? *value : fallback;
}
std::string Node::String(const std::string& key, const std::string& fallback) const {
  const auto* value = Find<std::string>(*this, key);
  return value ? *value : fallback;
}
std::vector<int64_t> Node::Ints(const std::string& key, const std::vector<int64_t>& fallback) const {
  const auto* value = Find<std::vector<int64_t>>(*this, key);
  return value ? *value : fallback;
}
std::vector<float> Node::Floats(const std::string& key) const {
  const auto* value = Find<std::vector<float>>(*this, key);
  return value ? *value : std::vector<float>{};
}
const Tensor* Node::TensorAttribute(const std::string& key) const {
  return Find<Tensor>(*this, key);
}

namespace {
// One more than the number n that a name "<anything>_<n>" ends in, as FreshName would write it; 0 for other names.
int64_t NumberAfter(std::string_view name) {
  constexpr size_t kMostDigits = 15;  // FreshName never gets to larger ones
  const size_t underscore = name.rfind('_');
  if (underscore == std::string_view::npos) return 0;
  const std::string_view digits = name.substr(underscore + 1);
  if (digits.empty() || digits.size() > kMostDigits || (digits.size() > 1 && digits[0] == '0')) return 0;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() && digits[0] != '-' ? number + 1 : 0;
}
}  // namespace

Graph Graph::Clone() const {
  Graph copy;
  copy.name = name;
  copy.opsets = opsets;
  copy.inputs = inputs;
  copy.outputs = outputs;
  copy.input_docs = input_docs;
  copy.values_ = values_;
  copy.fresh_counter_ = fresh_counter_;
  copy.nodes_.reserve(nodes_.size());
  for (const Node& node : nodes_) {
    Node n;
    n.op = node.op;
    n.domain = node.domain;
    n.name = node.name;
    n.inputs = node.inputs;
    n.outputs = node.outputs;
    n.attributes = node.attributes;
    n.removed = node.removed;
    for (const Region& region : node.regions) {
      n.regions.push_back({region.name, std::make_unique<Graph>(region.body->Clone()), region.captures});
    }
    copy.nodes_.push_back(std::move(n));
  }
  return copy;
}

int64_t Graph::Opset(const std::string& domain) const {
  const auto found = opsets.find(domain);
  return found == opsets.end() ? 1 : found->second;
}

size_t Graph::NumNodes() const {
  return static_cast<size_t>(std::count_if(nodes_.begin(), nodes_.end(), [](const Node& n) { return !n.removed; }));
}

ValueId Graph::AddValue(std::string value_name, Type type) {
  fresh_counter_ = std::max(fresh_counter_, NumberAfter(value_name));
  Value value;
  value.name = std::move(value_name);
  value.type = std::move(type);
  values_.push_back(std::move(value));
  return static_cast<ValueId>(values_.size()) - 1;
}

ValueId Graph::AddConstant(std::string value_name, Tensor tensor) {
  const ValueId id = AddValue(std::move(value_name), Type::Tensor(tensor.dtype(), ToShape(tensor.dims())));
  values_.back().constant = std::move(tensor);
  return id;
}

NodeId Graph::AddNode(Node node) {
  const auto id = static_cast<NodeId>(nodes_.size());
  for (ValueId output : node.outputs) {
    if (output != kNoValue) value(output).producer = id;
  }
  nodes_.push_back(std::move(node));
  return id;
}

void Graph::RemoveNode(NodeId id) {
  Node& n = node(id);
  for (ValueId output : n.outputs) {
    if (output != kNoValue && value(output).producer == id) value(output).producer = kNoNode;
  }
  n.removed = true;
}

void Graph::ReplaceAllUses(ValueId from, ValueId to) {
  for (Node& n : nodes_) {
    if (n.removed) continue;
    std::replace(n.inputs.begin(), n.inputs.end(), from, to);
    for (Region& region : n.regions) std::replace(region.captures.begin(), region.captures.end(), from, to);
  }
  std::replace(outputs.begin(), outputs.end(), from, to);
}

std::vector<NodeId> Graph::NodeIds() const {
  std::vector<NodeId> ids;
  ids.reserve(nodes_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].removed) ids.push_back(static_cast<NodeId>(i));
  }
  return ids;
}

std::vector<std::vector<NodeId>> Graph::Users() const {
  std::vector<std::vector<NodeId>> users(values_.size());
  for (NodeId id : NodeIds()) {
    for (ValueId input : node(id).inputs) {
      if (input != kNoValue) users[static_cast<size_t>(input)].push_back(id);
    }
    for (const Region& region : node(id).regions) {
      for (ValueId capture : region.captures) users[static_cast<size_t>(capture)].push_back(id);
    }
  }
  return users;
}

bool Graph::IsOutput(ValueId id) const {
  return std::find(outputs.begin(), outputs.end(), id) != outputs.end();
}

const Tensor* Graph::ConstantInput(const Node& n, size_t i) const {
  const ValueId id = n.input(i);
  if (id == kNoValue || !value(id).constant) return nullptr;
  return &*value(id).constant;
}

std::string Graph::FreshName(const std::string& base) {
  return base + "_" + std::to_string(fresh_counter_++);  // AddValue keeps the counter above every number in use
}

namespace {

bool IsInOrder(const Graph& graph) {
  for (size_t i = 0; i < graph.NumNodeSlots(); ++i) {
    const Node& n = graph.node(static_cast<NodeId>(i));
    if (n.removed) continue;
    const auto comes_before = [&](ValueId v) {
      const NodeId producer = v == kNoValue ? kNoNode : graph.value(v).producer;
      return producer == kNoNode || (static_cast<size_t>(producer) < i && !graph.node(producer).removed);
    };
    const auto knows_producer = [&](ValueId v) {
      return v == kNoValue || graph.value(v).producer == static_cast<NodeId>(i);
    };
    if (!std::all_of(n.inputs.begin(), n.inputs.end(), comes_before)) return false;
    if (!std::all_of(n.outputs.begin(), n.outputs.end(), knows_producer)) return false;
    for (const Region& region : n.regions) {
      if (!std::all_of(region.captures.begin(), region.captures.end(), comes_before)) return false;
    }
  }
  return true;
}

Result<std::vector<NodeId>> TopologicalOrder(const Graph& graph) {
  // Kahn's algorithm, always taking the ready node that came first, so that what is in order stays as it is.
  std::vector<int> missing(graph.NumNodeSlots(), 0);
  std::priority_queue<NodeId, std::vector<NodeId>, std::greater<>> ready;
  const auto users = graph.Users();
  const std::vector<NodeId> ids = graph.NodeIds();
  for (NodeId id : ids) {
    int count = 0;
    auto depends = [&](ValueId v) {
      if (v != kNoValue && graph.value(v).producer != kNoNode) ++count;
    };
    for (ValueId v : graph.node(id).inputs) depends(v);
    for (const Region& region : graph.node(id).regions)
      std::for_each(region.captures.begin(), region.captures.end(), depends);
    missing[static_cast<size_t>(id)] = count;
    if (count == 0) ready.push(id);
  }
  std::vector<NodeId> order;
  order.reserve(ids.size());
  while (!ready.empty()) {
    const NodeId id = ready.top();
    ready.pop();
    order.push_back(id);
    for (ValueId output : graph.node(id).outputs) {
      if (output == kNoValue) continue;
      for (NodeId user : users[static_cast<size_t>(output)]) {
        if (--missing[static_cast<size_t>(user)] == 0) ready.push(user);
      }
    }
  }
  if (order.size() == ids.size()) return order;
  std::string names;
  int listed = 0;
  for (NodeId id : ids) {
    if (missing[static_cast<size_t>(id)] == 0 || listed == 8) continue;
    const Node& n = graph.node(id);
    names +=
        (listed++ ? ", " : "") + n.op + " '" +
        (n.name.empty() && !n.outputs.empty() && n.outputs[0] != kNoValue ? graph.value(n.outputs[0]).name : n.name) +
        "'";
  }
  return UserError("the graph has a cycle through or before these nodes: {}", names);
}

}  // namespace

Status Graph::Sort() {
  if (IsInOrder(*this)) {
    if (std::erase_if(nodes_, [](const Node& n) { return n.removed; }) == 0) return {};
  } else {
    TAMIS_ASSIGN_OR_RETURN(const std::vector<NodeId> order, TopologicalOrder(*this));
    std::vector<Node> sorted;
    sorted.reserve(order.size());
    for (NodeId id : order) sorted.push_back(std::move(node(id)));
    nodes_ = std::move(sorted);
  }
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (ValueId output : nodes_[i].outputs) {
      if (output != kNoValue) value(output).producer = static_cast<NodeId>(i);
    }
  }
  return {};
}

void Graph::Compact() {
  std::vector<bool> live_value(values_.size(), false);
  for (ValueId id : outputs) live_value[static_cast<size_t>(id)] = true;
  for (auto it = nodes_.rbegin(); it != nodes_.rend(); ++it) {
    if (it->removed) continue;
    const bool used = std::any_of(it->outputs.begin(), it->outputs.end(),
                                  [&](ValueId v) { return v != kNoValue && live_value[static_cast<size_t>(v)]; });
    if (!used) {
      it->removed = true;
      continue;
    }
    auto mark = [&](ValueId v) {
      if (v != kNoValue) live_value[static_cast<size_t>(v)] = true;
    };
    for (ValueId v : it->inputs) mark(v);
    for (const Region& region : it->regions) std::for_each(region.captures.begin(), region.captures.end(), mark);
  }
  const size_t slots = nodes_.size();
  std::erase_if(nodes_, [](const Node& n) { return n.removed; });
  for (ValueId id : inputs) live_value[static_cast<size_t>(id)] = true;
  for (const Node& n : nodes_) {
    for (ValueId v : n.outputs) {
      if (v != kNoValue) live_value[static_cast<size_t>(v)] = true;
    }
  }
  if (slots == nodes_.size() && std::find(live_value.begin(), live_value.end(), false) == live_value.end()) return;
  // In place: another array of them would push the rest of a large graph out of the caches.
  std::vector<ValueId> renumbered(values_.size(), kNoValue);
  size_t kept = 0;
  for (size_t i = 0; i < values_.size(); ++i) {
    if (!live_value[i]) continue;
    renumbered[i] = static_cast<ValueId>(kept);
    if (kept != i) values_[kept] = std::move(values_[i]);
    ++kept;
  }
  values_.erase(values_.begin() + static_cast<ptrdiff_t>(kept), values_.end());
  auto renumber = [&](std::vector<ValueId>& ids) {
    for (ValueId& id : ids) id = id == kNoValue ? kNoValue : renumbered[static_cast<size_t>(id)];
  };
  renumber(inputs);
  renumber(outputs);
  for (Value& v : values_) v.producer = kNoNode;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    renumber(nodes_[i].inputs);
    renumber(nodes_[i].outputs);
    for (Region& region : nodes_[i].regions) renumber(region.captures);
    for (ValueId v : nodes_[i].outputs) {
      if (v != kNoValue) value(v).producer = static_cast<NodeId>(i);
    }
  }
}

Status Graph::Verify() const {
  std::vector<bool> defined(values_.size(), false);
  const auto in_range = [&](ValueId v) { return v >= 0 && static_cast<size_t>(v) < values_.size(); };
  for (ValueId v : inputs) {
    if (!in_range(v)) return InternalError("graph input id {} is out of range", v);
    if (defined[static_cast<size_t>(v)]) return InternalError("graph input '{}' is listed twice", value(v).name);
    defined[static_cast<size_t>(v)] = true;
  }
  for (size_t i = 0; i < values_.size(); ++i) {
    if (values_[i].constant) defined[i] = true;
  }
  for (NodeId id : NodeIds()) {
    const Node& n = node(id);
    auto check = [&](ValueId v) -> Status {
      if (v == kNoValue) return {};
      if (!in_range(v)) return InternalError("node {} '{}' reads value id {} out of range", n.op, n.name, v);
      if (!defined[static_cast<size_t>(v)]) {
        return InternalError("node {} '{}' reads '{}' before it is defined", n.op, n.name, value(v).name);
      }
      return {};
    };
    for (ValueId v : n.inputs) TAMIS_RETURN_IF_ERROR(check(v));
    for (const Region& region : n.regions) {
      for (ValueId v : region.captures) TAMIS_RETURN_IF_ERROR(check(v));
      TAMIS_RETURN_IF_ERROR(region.body->Verify().WithContext(n.op + "." + region.name));
    }
    for (ValueId v : n.outputs) {
      if (v == kNoValue) continue;
      if (!in_range(v)) return InternalError("node {} '{}' writes value id {} out of range", n.op, n.name, v);
      if (defined[static_cast<size_t>(v)]) return InternalError("value '{}' is defined twice", value(v).name);
      if (value(v).producer != id) return InternalError("value '{}' does not know its producer", value(v).name);
      defined[static_cast<size_t>(v)] = true;
    }
  }
  for (ValueId v : outputs) {
    if (!in_range(v) || !defined[static_cast<size_t>(v)]) return InternalError("graph output id {} is not defined", v);
  }
  return {};
}

std::string Graph::ToString() const {
  std::string text = "graph " + name + "\n";
  for (ValueId v : inputs) text += "  input  " + value(v).name + ": " + value(v).type.ToString() + "\n";
  for (NodeId id : NodeIds()) {
    const Node& n = node(id);
    text += "  ";
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      if (n.outputs[i] == kNoValue) continue;
      text += (i ? ", " : "") + value(n.outputs[i]).name + ": " + value(n.outputs[i]).type.ToString();
    }
    text += " = " + (n.domain.empty() ? std::string() : n.domain + ".") + n.op + "(";
    for (size_t i = 0; i < n.inputs.size(); ++i) {
      text += (i ? ", " : "") + (n.inputs[i] == kNoValue ? std::string("-") : value(n.inputs[i]).name);
    }
    text += ")\n";
  }
  for (ValueId v : outputs) text += "  output " + value(v).name + ": " + value(v).type.ToString() + "\n";
  return text;
}

}  // namespace tamis
