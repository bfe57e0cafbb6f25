#include "src/runtime/specialize.h"

#include <algorithm>

#include "src/base/hash.h"
#include "src/ir/region.h"
#include "src/ops/op_def.h"
#include "src/ops/op_random.h"

namespace tamis {
namespace {

// ONNX's own spelling, which onnxruntime's users know.
std::string TypeText(const Type& type) {
  if (!type.IsTensor()) {
    const char* kind = type.kind == Type::Kind::kSequence ? "seq" : "optional";
    return fmt::format("{}({})", kind, type.element ? TypeText(*type.element) : "?");
  }
  std::string_view name = Name(type.dtype);
  if (type.dtype == DType::kFloat32) name = "float";
  if (type.dtype == DType::kFloat64) name = "double";
  return fmt::format("tensor({})", name);
}

TensorSpec MakeSpec(const Value& value) {
  TensorSpec spec;
  spec.name = value.name;
  spec.type = TypeText(value.type);
  const Type* type = &value.type;
  if (type->kind == Type::Kind::kOptional) {
    spec.optional = true;
    if (type->element) type = type->element.get();
  }
  if (type->kind == Type::Kind::kSequence) {
    spec.sequence = true;
    if (type->element) type = type->element.get();
  }
  spec.dtype = type->dtype;
  spec.has_rank = type->has_rank;
  for (const Dim& dim : type->shape) {
    const auto constant = dim.Constant();
    spec.dims.push_back(constant.value_or(-1));
    std::string name = constant ? std::string() : dim.ToString();
    if (name.ends_with('?') && dim == Dim::Symbol(name)) name.pop_back();  // as the file has it
    spec.dim_names.push_back(std::move(name));
  }
  return spec;
}

std::vector<TensorSpec> MakeSpecs(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<TensorSpec> specs;
  for (ValueId id : ids) specs.push_back(MakeSpec(graph.value(id)));
  return specs;
}

constexpr int64_t kMaxFoldedElements = int64_t{1} << 24;

bool CanFold(const Graph& graph, const Node& node) {
  if (!node.regions.empty() || IsRandom(node)) return false;
  if (const OpDef* op = FindOp(node.op, node.domain); op == nullptr || op->eval == nullptr) return false;
  for (ValueId id : node.inputs) {
    if (id != kNoValue && !graph.value(id).constant) return false;
  }
  for (ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    const Type& type = graph.value(id).type;
    const auto dims = type.IsTensor() && type.has_rank ? ConstantDims(type.shape) : std::nullopt;
    if (dims && (NumElements(*dims) < 0 || NumElements(*dims) > kMaxFoldedElements)) return false;
  }
  return true;
}

template <class T>
Tensor Integers(DType dtype, const Dims& dims, const std::vector<int64_t>& elements) {
  Tensor tensor(dtype, dims);
  std::transform(elements.begin(), elements.end(), tensor.Data<T>(), [](int64_t v) { return static_cast<T>(v); });
  return tensor;
}

// A value whose elements shape inference found becomes a constant of its dtype.
void FoldContents(Value& value) {
  if (!value.contents || value.constant || !value.type.IsTensor() || !value.type.has_rank) return;
  const auto dims = ConstantDims(value.type.shape);
  if (!dims || NumElements(*dims) != static_cast<int64_t>(value.contents->size())) return;
  const auto elements = ConstantDims(*value.contents);
  if (!elements) return;
  if (value.type.dtype == DType::kInt64) value.constant = Integers<int64_t>(DType::kInt64, *dims, *elements);
  if (value.type.dtype == DType::kInt32) value.constant = Integers<int32_t>(DType::kInt32, *dims, *elements);
  if (value.type.dtype == DType::kBool) value.constant = Integers<bool>(DType::kBool, *dims, *elements);
}

class Specializer {
 public:
  // In the main graph a fold or an inference that fails is an error; in a body, which may never run, the node stays.
  Specializer(Graph& graph, bool body) : graph_(graph), body_(body) {}

  Status Run(const std::vector<NodeId>& ids) {
    for (NodeId id : ids) {
      if (const auto branch = KnownBranch(graph_, graph_.node(id))) {
        if (!names_) names_.emplace(graph_);
        TAMIS_RETURN_IF_ERROR(Run(InlineRegion(graph_, id, *branch, {}, &*names_)));
        continue;
      }
      TAMIS_RETURN_IF_ERROR(RunNode(id));
    }
    return {};
  }

 private:
  Status RunNode(NodeId id) {
    if (CanFold(graph_, graph_.node(id))) {
      const Status status = Fold(id);
      if (status.ok()) return {};
      if (!body_) return status;
    }
    for (Region& region : graph_.node(id).regions) ShareConstants(graph_, region);
    // What a body must be able to compute, the operator that holds it has asked above; the rest need never run.
    const Status inferred = InferNode(graph_, id);
    if (!inferred.ok()) {
      if (body_) return {};
      ForgetShapes(id);
      if (!InferNode(graph_, id).ok()) return inferred;
    }
    for (Region& region : graph_.node(id).regions) {
      Graph& inner = *region.body;
      TAMIS_RETURN_IF_ERROR(Specializer(inner, true).Run(inner.NodeIds()).WithContext(region.name));
      TAMIS_RETURN_IF_ERROR(inner.Sort());
    }
    bool all_known = true;
    for (ValueId output : graph_.node(id).outputs) {
      if (output == kNoValue) continue;
      FoldContents(graph_.value(output));
      all_known = all_known && graph_.value(output).constant.has_value();
    }
    if (all_known) graph_.RemoveNode(id);
    return {};
  }

  // What the file declares where no shape could be inferred (behind a Squeeze of whatever has size 1) was believed, and
  // may hold only for the sizes that the exporter traced.
  void ForgetShapes(NodeId id) {
    for (const ValueId output : graph_.node(id).outputs) {
      if (output == kNoValue || !graph_.value(output).type.IsTensor()) continue;
      graph_.value(output).type.has_rank = false;
      graph_.value(output).type.shape.clear();
    }
  }

  // Evaluates a node all of whose inputs are constants.
  Status Fold(NodeId id) {
    const Node& node = graph_.node(id);
    std::vector<const Tensor*> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) inputs.push_back(graph_.ConstantInput(node, i));
    TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> results, EvaluateNode(node, graph_.Opset(node.domain), inputs));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      Value& value = graph_.value(node.outputs[i]);
      value.type = Type::Tensor(results[i].dtype(), ToShape(results[i].dims()));
      value.constant = std::move(results[i]);
    }
    graph_.RemoveNode(id);
    return {};
  }

  Graph& graph_;
  std::optional<FreeNames> names_;  // made when the first branch is inlined
  const bool body_;
};

}  // namespace

std::vector<TensorSpec> InputSpecs(const Graph& graph) {
  return MakeSpecs(graph, graph.inputs);
}
std::vector<TensorSpec> OutputSpecs(const Graph& graph) {
  return MakeSpecs(graph, graph.outputs);
}

Result<std::map<std::string, int64_t>> BindSymbols(const Graph& graph, const std::vector<Dims>& input_dims) {
  std::map<std::string, int64_t> binding;
  std::map<std::string, std::string> bound_by;
  std::string problems;
  const auto complain = [&](const std::string& text) { problems += (problems.empty() ? "" : "; ") + text; };
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& value = graph.value(graph.inputs[i]);
    const Shape& shape = value.type.shape;
    // Elements of a sequence have shapes of their own; an input of unknown rank takes any.
    if (!value.type.IsTensor() || !value.type.has_rank) continue;
    if (shape.size() != input_dims[i].size()) {
      complain(fmt::format("input '{}' has shape {}, the network wants {}", value.name, ToString(input_dims[i]),
                           ToString(shape)));
      continue;
    }
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const int64_t actual = input_dims[i][axis];
      if (const auto constant = shape[axis].Constant()) {
        if (*constant != actual) {
          complain(fmt::format("input '{}' has shape {}, the network wants {} (dimension {} must be {})", value.name,
                               ToString(input_dims[i]), ToString(shape), axis, *constant));
        }
        continue;
      }
      const std::string symbol = shape[axis].ToString();
      const auto [it, inserted] = binding.emplace(symbol, actual);
      if (inserted) bound_by[symbol] = value.name;
      if (it->second != actual) {
        complain(fmt::format("'{}' is {} in input '{}' and {} in input '{}'; they must agree", symbol, it->second,
                             bound_by[symbol], actual, value.name));
      }
    }
  }
  if (!problems.empty()) return UserError("{}", problems);
  return binding;
}

Result<std::vector<Dims>> BoundInputDims(const Graph& graph, const std::map<std::string, int64_t>& binding) {
  std::vector<Dims> all;
  for (ValueId id : graph.inputs) {
    const Value& value = graph.value(id);
    Dims dims;
    for (const Dim& dim : value.type.shape) {
      const auto size = dim.Evaluate(binding);
      if (!size) return UserError("dimension '{}' of input '{}' has no value", dim.ToString(), value.name);
      dims.push_back(*size);
    }
    all.push_back(std::move(dims));
  }
  return all;
}

Result<Graph> Specialize(const Graph& graph, const std::vector<Dims>& input_dims) {
  TAMIS_ASSIGN_OR_RETURN(const auto binding, BindSymbols(graph, input_dims));
  Graph concrete = graph.Clone();
  std::map<std::string, Dim> substitution;
  for (const auto& [symbol, size] : binding) substitution.emplace(symbol, Dim(size));
  for (size_t i = 0; i < concrete.NumValues(); ++i) {
    Value& value = concrete.value(static_cast<ValueId>(i));
    for (Dim& dim : value.type.shape) {
      if (!dim.IsConstant()) dim = dim.Substitute(substitution);
    }
    if (value.producer != kNoNode) {
      // Inferred again below; what is still symbolic after the substitution would only blur it.
      value.contents.reset();
      if (!ConstantDims(value.type.shape)) value.type.has_rank = false;
    }
  }
  for (size_t i = 0; i < concrete.inputs.size(); ++i) {
    Type& type = concrete.value(concrete.inputs[i]).type;
    if (type.IsTensor()) type = Type::Tensor(type.dtype, ToShape(input_dims[i]));
  }
  TAMIS_RETURN_IF_ERROR(Specializer(concrete, false).Run(concrete.NodeIds()));
  TAMIS_RETURN_IF_ERROR(concrete.Sort());
  concrete.Compact();
  return concrete;
}

Result<Graph> SpecializeAt(const Graph& graph, const std::map<std::string, int64_t>& binding) {
  TAMIS_ASSIGN_OR_RETURN(const auto dims, BoundInputDims(graph, binding));
  return Specialize(graph, dims);
}

void HashConstants(Graph& graph) {
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    Value& value = graph.value(static_cast<ValueId>(i));
    if (value.constant && value.constant_hash == 0) value.constant_hash = HashTensor(*value.constant);
  }
  for (NodeId id : graph.NodeIds()) {
    for (Region& region : graph.node(id).regions) HashConstants(*region.body);
  }
}

}  // namespace tamis
