#include "src/compiler/permute/permute_trace.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "src/compiler/permute/permute_rules.h"
#include "src/passes/match.h"

namespace tamis {

bool ChannelLabel::Has(int64_t axis) const {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

size_t ChannelLabel::PlaceOf(int64_t axis) const {
  return static_cast<size_t>(std::find(axes.begin(), axes.end(), axis) - axes.begin());
}

int64_t FlatIndex(std::span<const int64_t> dims, std::span<const int64_t> at) {
  int64_t flat = 0;
  for (size_t i = 0; i < dims.size(); ++i) flat = flat * dims[i] + at[i];
  return flat;
}

ChannelTrace::ChannelTrace(const Graph& graph)
    : graph_(graph), labels_(graph.NumValues()), why_(graph.NumValues(), "what makes them has no channels") {
  for (const ValueId input : graph.inputs) why_[static_cast<size_t>(input)] = "they are the network's input";
  for (const NodeId id : graph.NodeIds()) Visit(id);
  MeetOutputs();
  AgreeOnShared();
}

std::string ChannelTrace::NameOf(const Node& node) {
  return node.name.empty() ? node.op : node.op + " '" + node.name + "'";
}

const std::string& ChannelTrace::WhyUnlabelled(ValueId value) const {
  static const std::string none;
  return Of(value) != nullptr ? none : why_[static_cast<size_t>(value)];
}

const ChannelLabel* ChannelTrace::Of(ValueId value) const {
  if (value == kNoValue) return nullptr;
  const ChannelLabel& label = labels_[static_cast<size_t>(value)];
  return label.space == kNoSpace ? nullptr : &label;
}

void ChannelTrace::Set(ValueId value, ChannelLabel label) {
  if (value == kNoValue || label.axes.empty()) return;
  labels_[static_cast<size_t>(value)] = std::move(label);
}

void ChannelTrace::Pin(ValueId value, const std::string& reason) {
  if (const ChannelLabel* label = Of(value)) spaces_.Pin(label->space, reason);
}

void ChannelTrace::PinInput(NodeId id, size_t input, const std::string& what) {
  Pin(graph_.node(id).inputs[input], NameOf(graph_.node(id)) + " " + what);
}

void ChannelTrace::PinInputs(NodeId id, const std::string& what) {
  for (size_t i = 0; i < graph_.node(id).inputs.size(); ++i) PinInput(id, i, what);
}

void ChannelTrace::Bind(ChannelBinding binding) {
  bindings_.push_back(std::move(binding));
}

int64_t ChannelTrace::DimOf(ValueId value, int64_t axis) const {
  const Type& type = graph_.value(value).type;
  if (!type.has_rank || axis < 0 || axis >= static_cast<int64_t>(type.shape.size())) return -1;
  return type.shape[static_cast<size_t>(axis)].Constant().value_or(-1);
}

std::vector<int64_t> ChannelTrace::DimsOf(const ChannelLabel& label, ValueId value) const {
  std::vector<int64_t> dims;
  for (const int64_t axis : label.axes) dims.push_back(DimOf(value, axis));
  return dims;
}

void ChannelTrace::BinBy(const ChannelLabel& label, std::span<const int64_t> dims,
                         const std::vector<bool>& coordinates) {
  std::vector<int64_t> widths(dims.begin(), dims.end());
  for (size_t i = 0; i < widths.size(); ++i) widths[i] = coordinates[i] ? widths[i] : 1;
  std::vector<int32_t> bins(static_cast<size_t>(spaces_.size(label.space)));
  ForCoordinates(dims, [&](int64_t flat, std::span<const int64_t> at) {
    std::vector<int64_t> kept(at.begin(), at.end());
    for (size_t i = 0; i < kept.size(); ++i) kept[i] = coordinates[i] ? kept[i] : 0;
    bins[static_cast<size_t>(flat)] = static_cast<int32_t>(FlatIndex(widths, kept));
  });
  spaces_.Bin(label.space, std::move(bins));
}

bool ChannelTrace::MeetOperand(NodeId id, size_t input, const ChannelLabel& label, std::span<const int64_t> dims,
                               int64_t rank) {
  const ValueId operand = graph_.node(id).input(input);
  if (operand == kNoValue) return true;
  const int64_t own_rank = RankOf(graph_, operand), shift = rank - own_rank;
  if (own_rank < 0 || shift < 0) return false;
  std::vector<bool> covered(label.axes.size(), false);
  for (size_t i = 0; i < label.axes.size(); ++i) {
    const int64_t axis = label.axes[i] - shift;
    if (axis < 0) continue;
    const int64_t dim = DimOf(operand, axis);
    if (dim != 1 && dim != dims[i]) return false;
    covered[i] = dim != 1;
  }
  const bool all = std::find(covered.begin(), covered.end(), false) == covered.end();
  const bool any = std::find(covered.begin(), covered.end(), true) != covered.end();
  ChannelLabel own = {label.space, label.axes};
  for (int64_t& axis : own.axes) axis -= shift;
  if (const ChannelLabel* other = Of(operand)) {
    std::vector<int64_t> mine = own.axes, its = other->axes;
    std::sort(mine.begin(), mine.end());
    std::sort(its.begin(), its.end());
    if (all && mine == its) {
      if (own.axes == other->axes) {
        spaces_.Relate(label.space, other->space);
        return true;
      }
      const std::vector<int64_t> its_dims = DimsOf(*other, operand);
      ChannelSpaces::Pairs pairs;
      ForCoordinates(dims, [&](int64_t flat, std::span<const int64_t> at) {
        std::vector<int64_t> turned;
        for (const int64_t axis : other->axes) {
          turned.push_back(at[own.PlaceOf(axis)]);
        }
        pairs.emplace_back(static_cast<int32_t>(flat), static_cast<int32_t>(FlatIndex(its_dims, turned)));
      });
      spaces_.Relate(label.space, other->space, std::move(pairs));
      return true;
    }
    Pin(operand, NameOf(graph_.node(id)) + " joins them with channels along another axis");
  } else if (all && graph_.value(operand).IsConstant()) {
    Bind({id, input, ChannelBinding::Role::kVector, own});
    return true;
  }
  if (any) BinBy(label, dims, covered);
  return true;
}

void ChannelTrace::Visit(NodeId id) {
  const Node& node = graph_.node(id);
  const ChannelRule rule = node.regions.empty() ? FindChannelRule(node) : nullptr;
  const std::string unknown = "nothing is known of " + NameOf(node) + ", which reads them";
  if (rule != nullptr) {
    rule(*this, id);
  } else {
    for (const ValueId input : node.inputs) Pin(input, unknown);
    for (const Region& region : node.regions) {
      for (const ValueId captured : region.captures) Pin(captured, unknown);
    }
  }
  std::string why = "they come from " + NameOf(node) + ", after which channels can't be told";
  if (rule != nullptr && !node.inputs.empty()) {
    // The reason lies further up where a value without channels was only passed on.
    for (const ValueId input : node.inputs) {
      if (input == kNoValue || graph_.value(input).IsConstant() || Of(input) != nullptr) continue;
      why = why_[static_cast<size_t>(input)];
      break;
    }
  }
  for (const ValueId output : node.outputs) {
    if (output != kNoValue) why_[static_cast<size_t>(output)] = why;
  }
}

// One lookup turns channels back that lie along one axis.
void ChannelTrace::MeetOutputs() {
  for (size_t i = 0; i < graph_.outputs.size(); ++i) {
    const ChannelLabel* label = Of(graph_.outputs[i]);
    if (label == nullptr) continue;
    if (label->axes.size() == 1) {
      outputs_.push_back({i, *label});
    } else {
      Pin(graph_.outputs[i], "they are the network's output, along several axes");
    }
  }
}

// A weight that several nodes read stays one weight: all its readers' spaces move alike, and where one of them has
// none, it stays.
void ChannelTrace::AgreeOnShared() {
  std::vector<int64_t> readers(graph_.NumValues(), 0);
  for (const NodeId id : graph_.NodeIds()) {
    const Node& node = graph_.node(id);
    for (const ValueId input : node.inputs) {
      if (input != kNoValue) ++readers[static_cast<size_t>(input)];
    }
    for (const Region& region : node.regions) {
      for (const ValueId captured : region.captures) ++readers[static_cast<size_t>(captured)];
    }
  }
  for (const ValueId output : graph_.outputs) ++readers[static_cast<size_t>(output)];
  using Part = std::tuple<ValueId, std::vector<int64_t>, int64_t>;
  std::map<Part, std::vector<const ChannelBinding*>> parts;
  for (const ChannelBinding& binding : bindings_) {
    if (binding.role == ChannelBinding::Role::kVector) continue;
    parts[{graph_.node(binding.node).inputs[binding.input], binding.label.axes, binding.first_row}].push_back(&binding);
  }
  for (const auto& [part, bindings] : parts) {
    const ValueId weight = std::get<0>(part);
    const ChannelBinding& first = *bindings[0];
    for (const ChannelBinding* other : bindings) {
      if (other == &first) continue;
      const bool alike = other->rows == first.rows && other->first_channel == first.first_channel &&
                         spaces_.size(other->label.space) == spaces_.size(first.label.space);
      if (alike) {
        spaces_.Relate(first.label.space, other->label.space);
        continue;
      }
      const std::string reason = "'" + graph_.value(weight).name + "' is read in different ways";
      spaces_.Pin(first.label.space, reason);
      spaces_.Pin(other->label.space, reason);
    }
    if (static_cast<int64_t>(bindings.size()) == readers[static_cast<size_t>(weight)]) continue;
    spaces_.Pin(first.label.space, "'" + graph_.value(weight).name + "' has another reader whose channels stay");
  }
}

}  // namespace tamis
