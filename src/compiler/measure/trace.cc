#include "src/compiler/measure/trace.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ranges>
#include <set>
#include <unordered_map>

#include "src/ops/op_def.h"
#include "src/passes/channels_last.h"

namespace tamis {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string OperatorOf(const Node& node) {
  return node.domain.empty() ? node.op : node.domain + "." + node.op;
}

// Values of one graph by name, as the other may look for them.
class ByName {
 public:
  ByName(const Graph& graph, const Trace& values) : graph_(graph), values_(values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (IsMade(graph, static_cast<ValueId>(i)))
        ids_.emplace(graph.value(static_cast<ValueId>(i)).name, static_cast<ValueId>(i));
    }
  }
  ValueId IdOf(const std::string& name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? kNoValue : found->second;
  }
  // The value of this name, turned to channels last where the name says that the asker's is; nullopt if there is none.
  std::optional<Datum> Find(const std::string& name) const {
    if (const ValueId id = IdOf(name); id != kNoValue) return values_[static_cast<size_t>(id)];
    const ValueId plain = IdOf(PlainName(name));
    if (plain == kNoValue || !values_[static_cast<size_t>(plain)].IsTensor()) return std::nullopt;
    const Tensor& tensor = values_[static_cast<size_t>(plain)].tensor();
    if (tensor.rank() < 3 || BitSize(tensor.dtype()) % 8 != 0) return std::nullopt;
    return Datum(Transposed(tensor, ToChannelsLast(tensor.rank())));
  }
  const Node* MakerOf(const std::string& name) const {
    ValueId id = IdOf(name);
    if (id == kNoValue) id = IdOf(PlainName(name));
    const NodeId producer = id == kNoValue ? kNoNode : graph_.value(id).producer;
    return producer == kNoNode ? nullptr : &graph_.node(producer);
  }

 private:
  static std::string PlainName(const std::string& name) {
    const size_t suffix = name.rfind(kChannelsLastSuffix);
    return suffix == std::string::npos ? std::string() : name.substr(0, suffix);
  }

  // Whether the value has one in a trace: what nobody makes is left out.
  static bool IsMade(const Graph& graph, ValueId id) {
    const Value& value = graph.value(id);
    return value.constant || value.producer != kNoNode ||
           std::find(graph.inputs.begin(), graph.inputs.end(), id) != graph.inputs.end();
  }

  const Graph& graph_;
  const Trace& values_;
  std::unordered_map<std::string, ValueId> ids_;
};

Result<Trace> TraceGraph(const Graph& graph, std::span<const Datum> inputs, const BodyVisitor& visitor);

// Bodies of one node's regions, on what the graph around it holds.
class ReferenceRegions : public RegionRunner {
 public:
  ReferenceRegions(const Node& node, const Trace& outer, const BodyVisitor& visitor)
      : node_(node), outer_(outer), visitor_(visitor) {}

  Result<std::vector<Datum>> Run(size_t region_index, std::span<const Datum> inputs) override {
    const Region& region = node_.regions[region_index];
    const Graph& body = *region.body;
    std::vector<Datum> all(inputs.begin(), inputs.end());
    for (ValueId capture : region.captures) all.push_back(outer_[static_cast<size_t>(capture)]);
    if (all.size() != body.inputs.size()) {
      return InternalError("{} of {} '{}' is given {} inputs and takes {}", region.name, node_.op, node_.name,
                           all.size(), body.inputs.size());
    }
    auto values = TraceGraph(body, all, visitor_);
    if (!values.ok()) return values.status().WithContext(node_.op + "." + region.name);
    if (visitor_) visitor_(body, *values);
    std::vector<Datum> results;
    for (ValueId output : body.outputs) results.push_back((*values)[static_cast<size_t>(output)]);
    return results;
  }

 private:
  const Node& node_;
  const Trace& outer_;
  const BodyVisitor& visitor_;
};

Result<Trace> TraceGraph(const Graph& graph, std::span<const Datum> inputs, const BodyVisitor& visitor) {
  Trace values(graph.NumValues());
  for (size_t i = 0; i < values.size(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    if (value.constant) values[i] = *value.constant;
  }
  for (size_t i = 0; i < inputs.size(); ++i) values[static_cast<size_t>(graph.inputs[i])] = inputs[i];
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    std::vector<const Datum*> operands;
    for (ValueId input : node.inputs) {
      operands.push_back(input == kNoValue ? nullptr : &values[static_cast<size_t>(input)]);
    }
    std::vector<DType> dtypes;
    for (ValueId output : node.outputs) {
      dtypes.push_back(output == kNoValue ? DType::kUndefined : graph.value(output).type.dtype);
    }
    ReferenceRegions regions(node, values, visitor);
    TAMIS_ASSIGN_OR_RETURN(auto results, EvaluateData(node, graph.Opset(node.domain), operands, dtypes, &regions));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) values[static_cast<size_t>(node.outputs[i])] = std::move(results[i]);
    }
  }
  return values;
}

ValueError TensorError(const Tensor& a, const Tensor& b) {
  if (!a.Defined() || !b.Defined() || a.dims() != b.dims()) return {kInfinity, kInfinity};
  if (IsFloat(a.dtype()) != IsFloat(b.dtype())) return {kInfinity, kInfinity};
  if (!IsFloat(a.dtype())) {
    if (a.dtype() != b.dtype()) return {kInfinity, kInfinity};
    const bool equal = a.dtype() == DType::kString
                           ? std::ranges::equal(a.Span<std::string>(), b.Span<std::string>())
                           : a.NumBytes() == 0 || std::equal(a.raw(), a.raw() + a.NumBytes(), b.raw());
    return equal ? ValueError{} : ValueError{1, kInfinity};
  }
  const Tensor left = a.ToFloat32(), right = b.ToFloat32();
  double difference = 0, magnitude = 0;
  for (int64_t i = 0; i < left.NumElements(); ++i) {
    const double x = left.Data<float>()[i], y = right.Data<float>()[i];
    if (std::isfinite(y)) magnitude = std::max(magnitude, std::abs(y));
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double d = std::abs(x - y);
    difference = std::max(difference, std::isnan(d) ? kInfinity : d);
  }
  return {difference, magnitude > 0 ? difference / magnitude : difference};
}

}  // namespace

ValueId FirstOutput(const Node& node) {
  const auto found = std::find_if(node.outputs.begin(), node.outputs.end(), [](ValueId v) { return v != kNoValue; });
  return found == node.outputs.end() ? kNoValue : *found;
}

Result<Trace> TraceReference(const Graph& graph, const NamedTensors& inputs, const BodyVisitor& visitor) {
  std::vector<Datum> given;
  for (ValueId input : graph.inputs) {
    const Value& value = graph.value(input);
    if (!value.type.IsTensor()) {
      return UserError("input '{}' is {}: only networks whose inputs are all tensors can be traced", value.name,
                       value.type.ToString());
    }
    const auto found = inputs.find(value.name);
    if (found == inputs.end()) return UserError("input '{}' is missing", value.name);
    given.emplace_back(found->second);
  }
  return TraceGraph(graph, given, visitor);
}

ValueError ErrorOf(const Datum& a, const Datum& b) {
  if (a.kind() != b.kind()) return {kInfinity, kInfinity};
  if (a.IsTensor()) return TensorError(a.tensor(), b.tensor());
  if (a.elements().size() != b.elements().size()) return {kInfinity, kInfinity};
  ValueError worst;
  for (size_t i = 0; i < a.elements().size(); ++i) {
    const ValueError error = ErrorOf(a.elements()[i], b.elements()[i]);
    worst = {std::max(worst.absolute, error.absolute), std::max(worst.relative, error.relative)};
  }
  return worst;
}

TracedOperand Describe(const Graph& graph, ValueId id, const Datum& datum) {
  TracedOperand operand;
  operand.name = graph.value(id).name;
  if (!datum.IsTensor()) {
    operand.kind = datum.IsSequence() ? "sequence" : "nothing";
    operand.dims = {static_cast<int64_t>(datum.elements().size())};
    return operand;
  }
  const Tensor& tensor = datum.tensor();
  operand.dtype = tensor.dtype();
  operand.dims = tensor.dims();
  operand.constant = graph.value(id).IsConstant();
  if (!IsFloat(tensor.dtype()) && !IsInteger(tensor.dtype())) return operand;
  double min = kInfinity, max = -kInfinity;
  const auto take = [&](double x) {
    if (!std::isfinite(x)) {
      ++operand.not_finite;
      return;
    }
    min = std::min(min, x);
    max = std::max(max, x);
  };
  if (IsFloat(tensor.dtype())) {
    const Tensor wide = tensor.ToFloat32();
    for (float x : wide.Span<float>()) take(x);
  } else {
    for (int64_t x : tensor.ToInt64s()) take(static_cast<double>(x));
  }
  if (min <= max) operand.min = min, operand.max = max;
  return operand;
}

double OutputError(const Graph& graph, const Trace& values, const Graph& other, const Trace& expected) {
  const ByName reference(other, expected);
  double worst = 0;
  for (ValueId output : graph.outputs) {
    const auto wanted = reference.Find(graph.value(output).name);
    const double error = wanted ? ErrorOf(values[static_cast<size_t>(output)], *wanted).relative : kInfinity;
    worst = std::max(worst, error);
  }
  return worst;
}

std::optional<Parting> FindParting(const Graph& graph, const Trace& values, const Graph& other, const Trace& expected,
                                   double tolerance) {
  const ByName reference(other, expected);
  enum class Verdict : uint8_t { kUnknown, kAgrees, kDiffers };
  const auto judge = [&](ValueId id) {
    const Value& value = graph.value(id);
    if (value.IsConstant()) return Verdict::kAgrees;
    const auto wanted = reference.Find(value.name);
    if (!wanted) return Verdict::kUnknown;
    return ErrorOf(values[static_cast<size_t>(id)], *wanted).relative <= tolerance ? Verdict::kAgrees
                                                                                   : Verdict::kDiffers;
  };
  std::vector<ValueId> pending;
  std::set<ValueId> reached;  // lead to a wrong output, and aren't known to be right
  ValueId first = kNoValue;
  const auto earlier = [&](ValueId a, ValueId b) {
    return std::pair(graph.value(a).producer, a) < std::pair(graph.value(b).producer, b);
  };
  const auto visit = [&](ValueId id) {
    if (id == kNoValue || graph.value(id).producer == kNoNode || reached.count(id) != 0) return;
    const Verdict verdict = judge(id);
    if (verdict == Verdict::kAgrees) return;
    reached.insert(id);
    pending.push_back(id);
    if (verdict == Verdict::kDiffers && (first == kNoValue || earlier(id, first))) first = id;
  };
  for (ValueId output : graph.outputs) {
    if (judge(output) == Verdict::kDiffers) visit(output);
  }
  while (!pending.empty()) {
    const Node& node = graph.node(graph.value(pending.back()).producer);
    pending.pop_back();
    for (ValueId input : node.inputs) visit(input);
    for (const Region& region : node.regions) {
      for (ValueId capture : region.captures) visit(capture);
    }
  }
  if (first == kNoValue) return std::nullopt;
  const NodeId maker = graph.value(first).producer;
  const Node& node = graph.node(maker);
  Parting parting;
  parting.value = graph.value(first).name;
  parting.error = ErrorOf(values[static_cast<size_t>(first)], *reference.Find(parting.value));
  parting.op = OperatorOf(node);
  parting.node = node.name;
  parting.kernel = "reference";
  if (const Node* made = reference.MakerOf(parting.value)) parting.other_op = OperatorOf(*made);
  for (ValueId input : node.inputs) {
    if (input != kNoValue) parting.inputs.push_back(Describe(graph, input, values[static_cast<size_t>(input)]));
  }
  std::set<NodeId> suspects;
  for (ValueId id : reached) {
    if (graph.value(id).producer <= maker) suspects.insert(graph.value(id).producer);
  }
  if (suspects.size() > 1) {
    for (NodeId id : suspects) {
      const Node& suspect = graph.node(id);
      const ValueId output = FirstOutput(suspect);
      parting.suspects.push_back(OperatorOf(suspect) + " -> " +
                                 (output == kNoValue ? suspect.name : graph.value(output).name));
    }
  }
  return parting;
}

}  // namespace tamis
