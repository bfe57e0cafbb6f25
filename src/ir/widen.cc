#include "src/ir/widen.h"

#include <algorithm>
#include <set>

namespace tamis {
namespace {

bool Holds(const Type& type, DType half) {
  return type.IsTensor() ? type.dtype == half : type.element != nullptr && Holds(*type.element, half);
}

Type Widened(const Type& type, DType half) {
  Type wide = type;
  if (type.IsTensor()) {
    if (type.dtype == half) wide.dtype = DType::kFloat32;
  } else if (type.element != nullptr) {
    wide.element = std::make_shared<const Type>(Widened(*type.element, half));
  }
  return wide;
}

// Operators whose operands' types are theirs to say.
bool KeepsTypes(const Node& node) {
  return node.Is("BitCast") || (!node.domain.empty() && node.domain != kTamisDomain);
}

class Widener {
 public:
  Widener(Graph& graph, DType half) : graph_(graph), half_(half) {}

  // `boundary`: whether inputs and outputs keep their dtypes.
  bool Run(bool boundary) {
    boundary_ = boundary;
    for (NodeId id : graph_.NodeIds()) KeepOperands(id);
    if (boundary) {
      for (ValueId id : std::vector<ValueId>(graph_.inputs)) KeepInput(id);
      const std::vector<ValueId> outputs = graph_.outputs;
      for (ValueId id : std::set<ValueId>(outputs.begin(), outputs.end())) KeepOutput(id, outputs);
    }
    bool changed = !kept_.empty();
    for (size_t i = 0; i < graph_.NumValues(); ++i) {
      const auto id = static_cast<ValueId>(i);
      if (kept_.count(id) == 0) changed = WidenValue(graph_.value(id)) || changed;
    }
    for (NodeId id : graph_.NodeIds()) changed = WidenNode(id) || changed;
    return changed;
  }

 private:
  ValueId AddCast(ValueId from, ValueId to, DType dtype) {
    Node cast;
    cast.op = "Cast";
    cast.inputs = {from};
    cast.outputs = {to};
    cast.attributes["to"] = static_cast<int64_t>(dtype);
    graph_.AddNode(std::move(cast));
    return to;
  }
  ValueId Beside(ValueId id, DType dtype) {
    Type type = graph_.value(id).type;
    type.dtype = dtype;
    return graph_.AddValue(graph_.FreshName(graph_.value(id).name), std::move(type));
  }
  bool IsHalf(ValueId id) const {
    return id != kNoValue && graph_.value(id).type.IsTensor() && graph_.value(id).type.dtype == half_;
  }

  void KeepOperands(NodeId id) {
    if (!KeepsTypes(graph_.node(id))) return;
    for (size_t i = 0; i < graph_.node(id).inputs.size(); ++i) {
      const ValueId input = graph_.node(id).inputs[i];
      if (!IsHalf(input)) continue;
      const ValueId narrow = Beside(input, half_);
      kept_.insert(narrow);
      AddCast(input, narrow, half_);
      graph_.node(id).inputs[i] = narrow;
    }
    for (size_t i = 0; i < graph_.node(id).outputs.size(); ++i) {
      const ValueId output = graph_.node(id).outputs[i];
      if (!IsHalf(output)) continue;
      const ValueId narrow = Beside(output, half_);
      kept_.insert(narrow);
      graph_.node(id).outputs[i] = narrow;
      graph_.value(narrow).producer = id;
      AddCast(narrow, output, DType::kFloat32);
    }
  }

  void KeepInput(ValueId id) {
    if (!IsHalf(id)) return;
    kept_.insert(id);
    const ValueId wide = Beside(id, DType::kFloat32);
    const std::vector<ValueId> outputs = graph_.outputs;
    graph_.ReplaceAllUses(id, wide);
    graph_.outputs = outputs;
    AddCast(id, wide, DType::kFloat32);
  }

  void KeepOutput(ValueId id, const std::vector<ValueId>& outputs) {
    if (!IsHalf(id) || kept_.count(id) != 0) return;
    kept_.insert(id);
    const NodeId producer = graph_.value(id).producer;
    const ValueId wide = Beside(id, DType::kFloat32);
    graph_.ReplaceAllUses(id, wide);
    graph_.outputs = outputs;
    if (producer == kNoNode) {  // a constant
      graph_.value(wide).constant = graph_.value(id).constant->ToFloat32();
      return;
    }
    for (ValueId& output : graph_.node(producer).outputs) {
      if (output == id) output = wide;
    }
    graph_.value(wide).producer = producer;
    AddCast(wide, id, half_);
  }

  bool WidenValue(Value& value) {
    if (!Holds(value.type, half_)) return false;
    value.type = Widened(value.type, half_);
    if (value.constant && value.constant->dtype() == half_) {
      value.constant = value.constant->ToFloat32();
      value.constant_hash = 0;
    }
    return true;
  }

  bool WidenNode(NodeId id) {
    bool changed = false;
    for (Region& region : graph_.node(id).regions) changed = Widener(*region.body, half_).Run(false) || changed;
    Node& node = graph_.node(id);
    const bool keeps = KeepsTypes(node) || std::any_of(node.outputs.begin(), node.outputs.end(),
                                                       [&](ValueId output) { return kept_.count(output) != 0; });
    if (keeps) return changed;
    for (auto& [key, attribute] : node.attributes) {
      if (auto* tensor = std::get_if<Tensor>(&attribute); tensor != nullptr && tensor->dtype() == half_) {
        *tensor = tensor->ToFloat32();
        changed = true;
      }
    }
    for (const char* key : {"output_dtype", "to", "dtype", "softmax_precision"}) {
      if (node.Int(key, 0) != static_cast<int64_t>(half_)) continue;
      node.attributes[key] = static_cast<int64_t>(DType::kFloat32);
      changed = true;
    }
    if (node.Is("Cast") && !(boundary_ && graph_.IsOutput(node.outputs[0])) &&
        graph_.value(node.inputs[0]).type.dtype == graph_.value(node.outputs[0]).type.dtype) {
      graph_.ReplaceAllUses(node.outputs[0], node.inputs[0]);
      graph_.RemoveNode(id);
    }
    return changed;
  }

  Graph& graph_;
  const DType half_;
  bool boundary_ = true;
  std::set<ValueId> kept_;
};

}  // namespace

bool HoldsInside(const Graph& graph, DType half) {
  bool held = false;
  for (size_t i = 0; i < graph.NumValues() && !held; ++i) held = Holds(graph.value(static_cast<ValueId>(i)).type, half);
  const auto in_bodies = [&] {
    for (NodeId id : graph.NodeIds()) {
      for (const Region& region : graph.node(id).regions) {
        if (HoldsInside(*region.body, half)) return true;
      }
    }
    return false;
  };
  if (!held) return in_bodies();
  const auto users = graph.Users();
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Value& value = graph.value(id);
    if (!Holds(value.type, half)) continue;
    const bool output = graph.IsOutput(id);
    const bool input = std::find(graph.inputs.begin(), graph.inputs.end(), id) != graph.inputs.end();
    const bool is_cast = value.producer != kNoNode && graph.node(value.producer).Is("Cast");
    const bool only_cast =
        std::all_of(users[i].begin(), users[i].end(), [&](NodeId user) { return graph.node(user).Is("Cast"); });
    const bool unused = users[i].empty() && !output;  // of a node that is gone
    if (!unused && !(input && only_cast) && !(output && is_cast && users[i].empty())) return true;
  }
  return in_bodies();
}

bool Widen(Graph& graph, DType half) {
  if (!HoldsInside(graph, half)) return false;
  for (const auto* ends : {&graph.inputs, &graph.outputs}) {
    for (ValueId id : *ends) {
      if (!graph.value(id).type.IsTensor() && Holds(graph.value(id).type, half)) return false;
    }
  }
  if (!Widener(graph, half).Run(true)) return false;
  TAMIS_ASSERT(graph.Sort().ok());
  graph.Compact();
  return true;
}

}  // namespace tamis
