#include "src/ops/op_bind.h"

#include <algorithm>
#include <new>

namespace tamis {

Result<std::unique_ptr<BoundNode>> BindInputs(const EvalContext& context) {
  auto bound = std::make_unique<BoundNode>();
  Graph& graph = bound->graph;
  graph.opsets[context.node.domain] = context.opset;
  Node node;
  node.op = context.node.op;
  node.domain = context.node.domain;
  node.name = context.node.name;
  node.attributes = context.node.attributes;
  for (const Tensor* input : context.inputs) {
    const bool present = input != nullptr && input->Defined();
    node.inputs.push_back(present ? graph.AddConstant("", *input) : kNoValue);
  }
  for (size_t i = 0; i < context.outputs.size(); ++i) node.outputs.push_back(graph.AddValue(""));
  const NodeId id = graph.AddNode(std::move(node));
  bound->infer = std::make_unique<InferContext>(graph, graph.node(id), context.opset);
  const OpDef* op = FindOp(context.node.op, context.node.domain);
  if (op == nullptr) return context.Error("the operator is not known");
  TAMIS_RETURN_IF_ERROR(op->infer(*bound->infer));
  return bound;
}

Result<std::unique_ptr<BoundNode>> Bind(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(auto bound, BindInputs(context));
  for (const Tensor* input : context.inputs) {
    if (input == nullptr || !input->Defined() || BitSize(input->dtype()) >= 8) continue;
    return context.Error(fmt::format("elements of type {} are not supported", Name(input->dtype())));
  }
  for (size_t i = 0; i < context.outputs.size(); ++i) {
    const auto& type = bound->infer->output_types[i];
    if (!type) return context.Error(fmt::format("the operator has no output {}", i));
    const auto dims = type->has_rank ? ConstantDims(type->shape) : std::nullopt;
    if (!dims) return context.Error(fmt::format("the dimensions of output {} do not follow from the inputs", i));
    TAMIS_ASSIGN_OR_RETURN(context.outputs[i], Allocate(context, type->dtype, *dims));
  }
  return bound;
}

Result<Tensor> Allocate(const EvalContext& context, DType dtype, Dims dims) {
  const int64_t count = NumElements(dims);
  if (count < 0 || count > kMaxElements) {
    return context.Error(fmt::format("a result of dimensions {} has more than 2^33 elements", ToString(dims)));
  }
  if (BitSize(dtype) < 8) return context.Error(fmt::format("elements of type {} are not supported", Name(dtype)));
  try {
    return Tensor(dtype, std::move(dims));
  } catch (const std::bad_alloc&) {
    return RuntimeError("no memory for a result of {} elements of type {}", count, Name(dtype));
  }
}

namespace {

std::string Describe(unsigned allowed) {
  std::string text;
  const auto add = [&](const char* word) { text += (text.empty() ? "" : " or ") + std::string(word); };
  if (allowed & kFloats) add("float");
  if (allowed & kIntegers) add("integer");
  if (allowed & kBools) add("bool");
  if (allowed & 8) add("a type of less than 16 bits");
  if (allowed & 16) add("string");
  return text;
}

unsigned KindOf(DType dtype) {
  if (dtype == DType::kString) return 16;
  if (dtype == DType::kBool) return kBools;
  if (BitSize(dtype) >= 8 && IsInteger(dtype)) return kIntegers;
  if (BitSize(dtype) >= 16 && IsFloat(dtype)) return kFloats;
  return 8;
}

}  // namespace

Status CheckInputs(const InferContext& context, size_t required, size_t allowed) {
  if (context.NumInputs() > allowed) {
    return context.Error(fmt::format("{} inputs are given, at most {} are allowed", context.NumInputs(), allowed));
  }
  for (size_t i = 0; i < std::max(required, context.NumInputs()); ++i) {
    if (!context.HasInput(i)) {
      if (i < required) return context.Error(fmt::format("input {} of {} is missing", i, required));
    } else if (!context.InputType(i)->IsTensor()) {
      return context.Error(fmt::format("input {} is a {}, not a tensor", i, context.InputType(i)->ToString()));
    }
  }
  return {};
}

Status CheckDType(const InferContext& context, size_t i, unsigned allowed) {
  const DType dtype = context.InputDType(i);
  if (dtype == DType::kUndefined || (KindOf(dtype) & allowed) != 0) return {};
  return context.Error(fmt::format("input {} is {}, must be {}", i, Name(dtype), Describe(allowed)));
}

Status CheckSameDType(const InferContext& context, size_t i, size_t j) {
  const DType a = context.InputDType(i);
  const DType b = context.InputDType(j);
  if (a == DType::kUndefined || b == DType::kUndefined || a == b) return {};
  return context.Error(fmt::format("inputs {} and {} are {} and {}, must be of one type", i, j, Name(a), Name(b)));
}

Status SetShape(InferContext& context, size_t i, DType dtype, Shape shape) {
  std::vector<int64_t> constants;
  for (const Dim& dim : shape) {
    const auto value = dim.Constant();
    if (!value) continue;
    if (*value < 0) return context.Error(fmt::format("output {} would have dimensions {}", i, ToString(shape)));
    constants.push_back(*value);
  }
  const int64_t count = NumElements(constants);
  const bool long_axis = std::any_of(constants.begin(), constants.end(), [](int64_t d) { return d > kMaxElements; });
  if (count < 0 || count > kMaxElements || long_axis) {
    return context.Error(fmt::format("output {} of dimensions {} has more than 2^33 elements", i, ToString(shape)));
  }
  context.SetOutput(i, dtype, std::move(shape));
  return {};
}

void SetTracked(InferContext& context, size_t i, std::vector<Dim> contents) {
  constexpr size_t kMaxTracked = 64;  // as InferContext::InputContents
  constexpr size_t kMaxSize = 64;
  if (contents.size() > kMaxTracked) return;
  for (const Dim& dim : contents) {
    if (dim.Size() > kMaxSize) return;
  }
  context.SetOutputContents(i, std::move(contents));
}

Result<int64_t> ResolvedAxis(const InferContext& context, int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    return context.Error(fmt::format("axis {} is outside [{}, {}) of a tensor of rank {}", axis, -rank, rank, rank));
  }
  return axis < 0 ? axis + rank : axis;
}

Result<std::vector<int64_t>> ResolvedAxes(const InferContext& context, const std::vector<int64_t>& axes, int64_t rank) {
  std::vector<int64_t> resolved;
  for (int64_t axis : axes) {
    TAMIS_ASSIGN_OR_RETURN(const int64_t r, ResolvedAxis(context, axis, rank));
    if (std::find(resolved.begin(), resolved.end(), r) != resolved.end()) {
      return context.Error(fmt::format("axis {} is given twice in {}", axis, ToString(axes)));
    }
    resolved.push_back(r);
  }
  return resolved;
}

Result<IntList> ReadInts(const InferContext& context, size_t input, const std::string& attribute) {
  IntList list;
  if (context.HasInput(input)) {
    list.given = true;
    TAMIS_RETURN_IF_ERROR(CheckDType(context, input, kIntegers));
    if (const Shape* shape = context.InputShape(input); shape != nullptr && shape->size() > 1) {
      return context.Error(fmt::format("input {} must have one dimension, has {}", input, ToString(*shape)));
    }
    if (const Tensor* tensor = context.InputConstant(input)) {
      constexpr int64_t kMaxListed = 1 << 16;
      if (BitSize(tensor->dtype()) < 8 || tensor->NumElements() > kMaxListed) {
        return context.Error(fmt::format("input {} must be a short list of integers", input));
      }
      list.constants = tensor->ToInt64s();
      list.known = list.constant = true;
      list.values.assign(list.constants.begin(), list.constants.end());
      return list;
    }
    if (auto contents = context.InputContents(input)) {
      list.known = true;
      list.values = std::move(*contents);
    }
  } else if (context.node().Has(attribute)) {
    list.given = list.known = true;
    list.constants = context.node().Ints(attribute);
    list.values.assign(list.constants.begin(), list.constants.end());
  }
  if (list.known) {
    if (const auto constants = ConstantDims(list.values)) {
      list.constants = *constants;
      list.constant = true;
    }
  }
  return list;
}

std::optional<int64_t> ConstantInt(const InferContext& context, size_t input) {
  const auto contents = context.InputContents(input);
  return contents && contents->size() == 1 ? (*contents)[0].Constant() : std::nullopt;
}

std::optional<std::vector<Dim>> Contents(const InferContext& context, size_t input) {
  const Shape* shape = context.InputShape(input);
  return shape != nullptr && shape->size() <= 1 ? context.InputContents(input) : std::nullopt;
}

}  // namespace tamis
