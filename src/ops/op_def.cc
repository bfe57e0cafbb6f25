#include "src/ops/op_def.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "src/base/float16.h"
#include "src/ops/op_custom.h"

namespace tamis {

#define TAMIS_OP(name) extern const OpDef op_##name;
#include "src/ops/ops_list.inc"
#undef TAMIS_OP

namespace {

// "Conv 'conv1'", with the first output's name where the node has none.
std::string Describe(const Node& node, const Graph* graph) {
  std::string name = node.name;
  if (name.empty() && graph != nullptr && !node.outputs.empty() && node.outputs[0] != kNoValue) {
    name = graph->value(node.outputs[0]).name;
  }
  return node.op + " '" + name + "'";
}

bool IsHalf(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

Tensor ConvertFloat(const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return tensor;
  const Tensor wide = tensor.dtype() == DType::kFloat32 ? tensor : tensor.ToFloat32();
  if (dtype == DType::kFloat32) return wide;
  Tensor result(dtype, tensor.dims());
  const auto from = wide.Span<float>();
  if (dtype == DType::kFloat64) {
    std::copy(from.begin(), from.end(), result.Data<double>());
  } else {
    auto* to = result.Data<uint16_t>();
    std::transform(from.begin(), from.end(), to, dtype == DType::kBFloat16 ? FloatToBf16 : FloatToHalf);
  }
  return result;
}

Dim DataSymbol(const std::string& name, size_t axis) {
  return Dim::Symbol(fmt::format("{}.dim{}", name, axis));
}

// Whether a dimension certainly changes with the graph's inputs: it is a polynomial of their symbols.
bool FollowsInputs(const Graph& graph, const Dim& dim) {
  const auto is_input = [&](const std::string& symbol) {
    return std::any_of(graph.inputs.begin(), graph.inputs.end(), [&](ValueId id) {
      const Type& type = graph.value(id).type;
      return type.IsTensor() && type.has_rank &&
             std::find(type.shape.begin(), type.shape.end(), Dim::Symbol(symbol)) != type.shape.end();
    });
  };
  for (const DimTerm& term : dim.Terms()) {
    for (const DimFactor& factor : term.factors) {
      if (factor.op != DimOp::kSymbol || !is_input(factor.symbol)) return false;
    }
  }
  return !dim.IsConstant();
}

// Keeps what both sides know. What a file declares wins over a symbol that only says "depends on data" (see DataDim);
// two different constants contradict each other. A declared constant wins over an expression too, but for an
// output's that certainly changes with the inputs: exporters declare outputs with the sizes of their own run.
Status MergeShape(const Graph& graph, ValueId id, const Shape& declared, Shape* inferred) {
  if (declared.size() != inferred->size()) {
    return UserError("shape {} is declared but {} follows from the operator", ToString(declared), ToString(*inferred));
  }
  for (size_t i = 0; i < declared.size(); ++i) {
    Dim& dim = (*inferred)[i];
    const auto a = declared[i].Constant();
    const auto b = dim.Constant();
    if (a && b && *a != *b) {
      return UserError("shape {} is declared but {} follows from the operator", ToString(declared),
                       ToString(*inferred));
    }
    const bool follows = a && !b && graph.IsOutput(id) && FollowsInputs(graph, dim);
    if (!b && ((a && !follows) || dim == DataSymbol(graph.value(id).name, i))) dim = declared[i];
  }
  return {};
}

// Shapes of shapes of detectors grow without end: an expression that nobody could use any more gives way to a symbol.
// With concrete inputs the rules run again, so nothing is lost where it counts.
void BoundSizes(const InferContext& context, size_t output, Shape* shape) {
  constexpr size_t kMaxSize = 256;
  for (size_t axis = 0; axis < shape->size(); ++axis) {
    if (!(*shape)[axis].IsConstant() && (*shape)[axis].Size() > kMaxSize)
      (*shape)[axis] = context.DataDim(output, axis);
  }
}

Status Store(Graph& graph, const Node& node, InferContext& context) {
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Value& value = graph.value(node.outputs[i]);
    if (context.output_types[i]) {
      Type type = *context.output_types[i];
      if (type.IsTensor() && type.has_rank) BoundSizes(context, i, &type.shape);
      if (value.type.IsTensor() && type.IsTensor()) {
        if (value.type.has_rank && type.has_rank) {
          const Status status = MergeShape(graph, node.outputs[i], value.type.shape, &type.shape);
          if (!status.ok()) return status.WithContext(Describe(node, &graph) + ", output '" + value.name + "'");
        } else if (value.type.has_rank) {
          type.has_rank = true;
          type.shape = value.type.shape;
        }
      }
      value.type = std::move(type);
    }
    if (context.output_contents[i]) value.contents = std::move(context.output_contents[i]);
  }
  return {};
}

}  // namespace

InferContext::InferContext(const Graph& graph, const Node& node, int64_t opset)
    : output_types(node.outputs.size()),
      output_contents(node.outputs.size()),
      graph_(graph),
      node_(node),
      opset_(opset) {}

const Type* InferContext::InputType(size_t i) const {
  const ValueId id = node_.input(i);
  return id == kNoValue ? nullptr : &graph_.value(id).type;
}

const Shape* InferContext::InputShape(size_t i) const {
  const Type* type = InputType(i);
  return type != nullptr && type->IsTensor() && type->has_rank ? &type->shape : nullptr;
}

const Tensor* InferContext::InputConstant(size_t i) const {
  return graph_.ConstantInput(node_, i);
}

std::optional<std::vector<Dim>> InferContext::InputContents(size_t i) const {
  constexpr int64_t kMaxTracked = 64;  // shapes are short; longer integer tensors are data
  const ValueId id = node_.input(i);
  if (id == kNoValue) return std::nullopt;
  const Value& value = graph_.value(id);
  if (value.contents) return value.contents;
  if (!value.constant || !IsInteger(value.constant->dtype()) || BitSize(value.constant->dtype()) < 8 ||
      value.constant->NumElements() > kMaxTracked) {
    return std::nullopt;
  }
  std::vector<Dim> contents;
  for (int64_t element : value.constant->ToInt64s()) contents.emplace_back(element);
  return contents;
}

void InferContext::SetOutput(size_t i, Type type) {
  if (i < output_types.size()) output_types[i] = std::move(type);
}

void InferContext::SetOutputDType(size_t i, DType dtype) {
  Type type;
  type.dtype = dtype;
  SetOutput(i, std::move(type));
}

void InferContext::SetOutputContents(size_t i, std::vector<Dim> contents) {
  if (i < output_contents.size()) output_contents[i] = std::move(contents);
}

Dim InferContext::DataDim(size_t output, size_t axis) const {
  const ValueId id = output < node_.outputs.size() ? node_.outputs[output] : kNoValue;
  const std::string& name = id == kNoValue ? node_.name : graph_.value(id).name;
  return DataSymbol(name, axis);
}

Result<std::vector<Type>> InferContext::InferRegion(size_t i, std::span<const Type> types) {
  const Region& region = node_.regions[i];
  Graph& body = *region.body;
  const size_t captured = region.captures.size();
  if (body.inputs.size() != types.size() + captured) {
    return Error(fmt::format("{} has {} inputs, the operator gives it {}", region.name, body.inputs.size() - captured,
                             types.size()));
  }
  for (size_t k = 0; k < types.size(); ++k) {
    Value& input = body.value(body.inputs[k]);
    const bool known = !types[k].IsTensor() || types[k].dtype != DType::kUndefined;
    if (!known) continue;
    if (input.type.IsTensor() && types[k].IsTensor() && input.type.dtype != DType::kUndefined &&
        input.type.dtype != types[k].dtype) {
      return Error(fmt::format("{} declares its input '{}' as {}, but it is given {}", region.name, input.name,
                               input.type.ToString(), types[k].ToString()));
    }
    input.type = types[k];
  }
  for (size_t k = 0; k < captured; ++k) {
    Value& input = body.value(body.inputs[types.size() + k]);
    const Value& outer = graph_.value(region.captures[k]);
    input.type = outer.type;
    input.contents = outer.contents;
  }
  // What an inference for other types found, or the file declares for one iteration, need not hold for these.
  for (NodeId id : body.NodeIds()) {
    for (ValueId output : body.node(id).outputs) {
      if (output == kNoValue) continue;
      Value& value = body.value(output);
      value.contents.reset();
      if (!value.type.IsTensor()) continue;
      value.type.has_rank = false;
      value.type.shape.clear();
    }
  }
  TAMIS_RETURN_IF_ERROR(InferShapes(body).WithContext(region.name));
  std::vector<Type> results;
  for (ValueId output : body.outputs) results.push_back(body.value(output).type);
  return results;
}

Status InferContext::Error(const std::string& what) const {
  return UserError("{}: {}", Describe(node_, &graph_), what);
}

Status EvalContext::Error(const std::string& what) const {
  return UserError("{}: {}", Describe(node, nullptr), what);
}

Status DataContext::Error(const std::string& what) const {
  return UserError("{}: {}", Describe(node, nullptr), what);
}

std::span<const OpDef* const> AllOps() {
  static const std::vector<const OpDef*> kOps = {
#define TAMIS_OP(name) &op_##name,
#include "src/ops/ops_list.inc"
#undef TAMIS_OP
  };
  return kOps;
}

const OpDef* FindOp(std::string_view name, std::string_view domain) {
  using Key = std::pair<std::string_view, std::string_view>;
  struct Hash {
    size_t operator()(const Key& key) const {
      const std::hash<std::string_view> hash;
      return hash(key.first) + 31 * hash(key.second);
    }
  };
  static const auto* const kByName = [] {
    auto* map = new std::unordered_map<Key, const OpDef*, Hash>;
    for (const OpDef* op : AllOps()) (*map)[{op->name, op->domain}] = op;
    return map;
  }();
  if (domain == "ai.onnx") domain = "";
  const auto found = kByName->find({name, domain});
  return found == kByName->end() ? FindCustomOp(name, domain) : found->second;
}

Status InferNode(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const OpDef* op = FindOp(node.op, node.domain);
  if (op == nullptr) return UserError("{}: the operator is not known", Describe(node, &graph));
  InferContext context(graph, node, graph.Opset(node.domain));
  TAMIS_RETURN_IF_ERROR(op->infer(context));
  return Store(graph, node, context);
}

Status InferShapes(Graph& graph) {
  std::string problems;
  int count = 0;
  for (NodeId id : graph.NodeIds()) {
    const Status status = InferNode(graph, id);
    if (status.ok()) continue;
    if (count++ < 20) problems += (problems.empty() ? "" : "\n") + status.message();
  }
  if (count > 20) problems += "\n... and " + std::to_string(count - 20) + " more";
  if (count > 0) return Status(ErrorKind::kUser, problems);
  return {};
}

Result<std::vector<Tensor>> EvaluateNode(const Node& node, int64_t opset, std::span<const Tensor* const> inputs,
                                         std::span<const DType> output_dtypes) {
  const OpDef* op = FindOp(node.op, node.domain);
  if (op == nullptr) return UserError("{}: the operator is not known", Describe(node, nullptr));
  std::vector<const Tensor*> operands(inputs.begin(), inputs.end());
  std::vector<Tensor> widened(inputs.size());
  DType narrow = DType::kUndefined;
  if (op->widen_half) {
    for (size_t i = 0; i < operands.size(); ++i) {
      if (operands[i] == nullptr || !IsHalf(operands[i]->dtype())) continue;
      if (narrow == DType::kUndefined) narrow = operands[i]->dtype();
      widened[i] = operands[i]->ToFloat32();
      operands[i] = &widened[i];
    }
  }
  if (op->eval == nullptr) return UserError("{}: does not work on plain tensors alone", Describe(node, nullptr));
  EvalContext context{node, opset, operands, std::vector<Tensor>(node.outputs.size())};
  TAMIS_RETURN_IF_ERROR(op->eval(context));
  for (size_t i = 0; i < context.outputs.size(); ++i) {
    Tensor& output = context.outputs[i];
    const DType wanted = i < output_dtypes.size() ? output_dtypes[i] : narrow;
    if (output.Defined() && IsFloat(output.dtype()) && IsFloat(wanted)) output = ConvertFloat(output, wanted);
  }
  return std::move(context.outputs);
}

Result<std::vector<Datum>> EvaluateData(const Node& node, int64_t opset, std::span<const Datum* const> inputs,
                                        std::span<const DType> output_dtypes, RegionRunner* regions) {
  const OpDef* op = FindOp(node.op, node.domain);
  if (op == nullptr) return UserError("{}: the operator is not known", Describe(node, nullptr));
  const bool tensors_alone = std::all_of(inputs.begin(), inputs.end(),
                                         [](const Datum* datum) { return datum == nullptr || datum->IsTensor(); });
  if (op->eval_data != nullptr && (op->eval == nullptr || !tensors_alone)) {
    DataContext context{node, opset, inputs, std::vector<Datum>(node.outputs.size()), regions};
    TAMIS_RETURN_IF_ERROR(op->eval_data(context));
    return std::move(context.outputs);
  }
  std::vector<const Tensor*> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] != nullptr && !inputs[i]->IsTensor()) {
      return UserError("{}: input {} is {}, must be a tensor", Describe(node, nullptr), i,
                       inputs[i]->IsNone() ? "an empty optional" : "a sequence");
    }
    tensors.push_back(inputs[i] == nullptr ? nullptr : &inputs[i]->tensor());
  }
  TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> results, EvaluateNode(node, opset, tensors, output_dtypes));
  std::vector<Datum> data;
  for (Tensor& result : results) data.push_back(result.Defined() ? Datum(std::move(result)) : Datum());
  return data;
}

}  // namespace tamis
