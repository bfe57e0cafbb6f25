#include "src/compiler/trace.h"

#include <algorithm>
#include <cmath>
#include <limits>
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
  ByName(const Graph& graph, const std::vector<Tensor>& values) : graph_(graph), values_(values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i].Defined()) ids_.emplace(graph.value(static_cast<ValueId>(i)).name, static_cast<ValueId>(i));
    }
  }
  ValueId IdOf(const std::string& name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? kNoValue : found->second;
  }
  // The value of this name, turned to channels last where the name says that the asker's is; undefined if there is
  // none.
  Tensor Find(const std::string& name) const {
    if (const ValueId id = IdOf(name); id != kNoValue) return values_[static_cast<size_t>(id)];
    const ValueId plain = IdOf(PlainName(name));
    if (plain == kNoValue) return {};
    const Tensor& tensor = values_[static_cast<size_t>(plain)];
    if (tensor.rank() < 3 || BitSize(tensor.dtype()) % 8 != 0) return {};
    return Transposed(tensor, ToChannelsLast(tensor.rank()));
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

  const Graph& graph_;
  const std::vector<Tensor>& values_;
  std::unordered_map<std::string, ValueId> ids_;
};

}  // namespace

Result<std::vector<Tensor>> TraceReference(const Graph& graph, const NamedTensors& inputs) {
  std::vector<Tensor> values(graph.NumValues());
  for (size_t i = 0; i < values.size(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    if (value.constant) values[i] = *value.constant;
  }
  for (ValueId input : graph.inputs) {
    const auto found = inputs.find(graph.value(input).name);
    if (found == inputs.end()) return UserError("input '{}' is missing", graph.value(input).name);
    values[static_cast<size_t>(input)] = found->second;
  }
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    std::vector<const Tensor*> operands;
    for (ValueId input : node.inputs) {
      operands.push_back(input == kNoValue ? nullptr : &values[static_cast<size_t>(input)]);
    }
    std::vector<DType> dtypes;
    for (ValueId output : node.outputs) {
      dtypes.push_back(output == kNoValue ? DType::kUndefined : graph.value(output).type.dtype);
    }
    TAMIS_ASSIGN_OR_RETURN(auto results, EvaluateNode(node, graph.Opset(node.domain), operands, dtypes));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) values[static_cast<size_t>(node.outputs[i])] = std::move(results[i]);
    }
  }
  return values;
}

ValueError ErrorOf(const Tensor& a, const Tensor& b) {
  if (!a.Defined() || !b.Defined() || a.dims() != b.dims()) return {kInfinity, kInfinity};
  if (IsFloat(a.dtype()) != IsFloat(b.dtype())) return {kInfinity, kInfinity};
  if (!IsFloat(a.dtype())) {
    if (a.dtype() != b.dtype()) return {kInfinity, kInfinity};
    const bool equal = a.NumBytes() == 0 || std::equal(a.raw(), a.raw() + a.NumBytes(), b.raw());
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

TracedOperand Describe(const Graph& graph, ValueId id, const Tensor& tensor) {
  TracedOperand operand;
  operand.name = graph.value(id).name;
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

double OutputError(const Graph& graph, const std::vector<Tensor>& values, const Graph& other,
                   const std::vector<Tensor>& expected) {
  const ByName reference(other, expected);
  double worst = 0;
  for (ValueId output : graph.outputs) {
    const Tensor wanted = reference.Find(graph.value(output).name);
    worst = std::max(worst, ErrorOf(values[static_cast<size_t>(output)], wanted).relative);
  }
  return worst;
}

std::optional<Parting> FindParting(const Graph& graph, const std::vector<Tensor>& values, const Graph& other,
                                   const std::vector<Tensor>& expected, double tolerance) {
  const ByName reference(other, expected);
  enum class Verdict : uint8_t { kUnknown, kAgrees, kDiffers };
  const auto judge = [&](ValueId id) {
    const Value& value = graph.value(id);
    if (value.IsConstant()) return Verdict::kAgrees;
    const Tensor wanted = reference.Find(value.name);
    if (!wanted.Defined()) return Verdict::kUnknown;
    return ErrorOf(values[static_cast<size_t>(id)], wanted).relative <= tolerance ? Verdict::kAgrees
                                                                                  : Verdict::kDiffers;
  };
  std::vector<ValueId> pending;
  std::set<ValueId> reached;  // lead to a wrong output, and aren't known to be right
  ValueId first = kNoValue;
  const auto earlier = [&](ValueId a, ValueId b) { return graph.value(a).producer < graph.value(b).producer; };
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
  parting.error = ErrorOf(values[static_cast<size_t>(first)], reference.Find(parting.value));
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
      parting.suspects.push_back(OperatorOf(suspect) + " -> " + graph.value(suspect.outputs[0]).name);
    }
  }
  return parting;
}

}  // namespace tamis
