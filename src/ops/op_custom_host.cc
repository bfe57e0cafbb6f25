#include "src/ops/op_custom_host.h"

#include <algorithm>
#include <cstring>
#include <optional>

// What the opaque context of the C interface is. Nothing in it is shared between calls.
struct TamisOpContext {
  struct Operand {
    bool present = false;
    tamis::DType dtype = tamis::DType::kUndefined;
    bool has_rank = false;
    tamis::Dims dims;  // -1: not known
    const tamis::Tensor* data = nullptr;
  };
  struct Result {
    tamis::DType dtype = tamis::DType::kUndefined;
    bool has_rank = false;
    tamis::Dims dims;  // as the callback gave them: TAMIS_DIM_OF is still in it
  };
  const tamis::Node* node = nullptr;
  std::vector<Operand> inputs;
  std::vector<std::optional<Result>> results;     // in infer
  std::vector<tamis::Tensor>* outputs = nullptr;  // in compute
  std::string error;
};

namespace tamis {
namespace {

constexpr int32_t kMaxRank = 64;  // what TAMIS_DIM_OF can name

bool IsDType(int32_t number) {
  return number > 0 && number <= static_cast<int32_t>(DType::kInt2) && BitSize(static_cast<DType>(number)) > 0;
}

// Writes only as much as the caller's struct has.
void Fill(const TamisTensor& from, TamisTensor* to) {
  const uint32_t size = std::min<uint32_t>(to->struct_size, sizeof(TamisTensor));
  TamisTensor filled = from;
  filled.struct_size = to->struct_size;
  std::memcpy(to, &filled, size);
}

void SetError(TamisOpContext* context, const char* message) {
  constexpr size_t kLongest = 1000;
  context->error.assign(message == nullptr ? "" : message, message == nullptr ? 0 : strnlen(message, kLongest));
}
size_t InputCount(const TamisOpContext* context) {
  return context->inputs.size();
}
size_t OutputCount(const TamisOpContext* context) {
  return context->node->outputs.size();
}

int Input(const TamisOpContext* context, size_t index, TamisTensor* tensor) {
  if (index >= context->inputs.size() || !context->inputs[index].present || tensor == nullptr) return 1;
  const TamisOpContext::Operand& operand = context->inputs[index];
  TamisTensor filled{};
  filled.dtype = static_cast<int32_t>(operand.dtype);
  filled.rank = operand.has_rank ? static_cast<int32_t>(operand.dims.size()) : -1;
  filled.dims = operand.dims.data();
  if (operand.data != nullptr) {
    filled.data = const_cast<std::byte*>(operand.data->raw());
    filled.bytes = operand.data->NumBytes();
  }
  Fill(filled, tensor);
  return 0;
}

int Output(TamisOpContext* context, size_t index, TamisTensor* tensor) {
  if (context->outputs == nullptr || index >= context->outputs->size() || tensor == nullptr) return 1;
  Tensor& output = (*context->outputs)[index];
  if (!output.Defined()) return 1;
  TamisTensor filled{};
  filled.dtype = static_cast<int32_t>(output.dtype());
  filled.rank = static_cast<int32_t>(output.rank());
  filled.dims = output.dims().data();
  filled.data = output.raw();
  filled.bytes = output.NumBytes();
  Fill(filled, tensor);
  return 0;
}

int SetOutput(TamisOpContext* context, size_t index, int32_t dtype, int32_t rank, const int64_t* dims) {
  if (index >= context->results.size() || !IsDType(dtype) || rank < -1 || rank > kMaxRank) return 1;
  if (rank > 0 && dims == nullptr) return 1;
  TamisOpContext::Result result;
  result.dtype = static_cast<DType>(dtype);
  result.has_rank = rank >= 0;
  if (rank > 0) result.dims.assign(dims, dims + rank);
  context->results[index] = std::move(result);
  return 0;
}

template <class T>
const T* FindAttribute(const TamisOpContext* context, const char* name) {
  if (name == nullptr) return nullptr;
  const auto found = context->node->attributes.find(name);
  return found == context->node->attributes.end() ? nullptr : std::get_if<T>(&found->second);
}

int AttributeInt(const TamisOpContext* context, const char* name, int64_t* value) {
  const auto* found = FindAttribute<int64_t>(context, name);
  if (found == nullptr) return 1;
  *value = *found;
  return 0;
}
int AttributeFloat(const TamisOpContext* context, const char* name, float* value) {
  const auto* found = FindAttribute<float>(context, name);
  if (found == nullptr) return 1;
  *value = *found;
  return 0;
}
int AttributeString(const TamisOpContext* context, const char* name, const char** text, size_t* length) {
  const auto* found = FindAttribute<std::string>(context, name);
  if (found == nullptr) return 1;
  *text = found->c_str();
  *length = found->size();
  return 0;
}
template <class T>
int AttributeList(const TamisOpContext* context, const char* name, const T** values, size_t* count) {
  const auto* found = FindAttribute<std::vector<T>>(context, name);
  if (found == nullptr) return 1;
  *values = found->data();
  *count = found->size();
  return 0;
}

const TamisHost kHost = {
    .struct_size = sizeof(TamisHost),
    .abi = TAMIS_CUSTOM_OP_ABI,
    .set_error = SetError,
    .input_count = InputCount,
    .output_count = OutputCount,
    .input = Input,
    .output = Output,
    .set_output = SetOutput,
    .attribute_int = AttributeInt,
    .attribute_float = AttributeFloat,
    .attribute_string = AttributeString,
    .attribute_ints = AttributeList<int64_t>,
    .attribute_floats = AttributeList<float>,
};

// The callback's error, or what is wrong with its answer; empty if all is well.
std::string Call(int (*callback)(const TamisHost*, TamisOpContext*), TamisOpContext* context) {
  int code = 0;
  try {
    code = callback(&kHost, context);
  } catch (...) {  // a library in C++ whose exceptions are ours to catch
    return "threw an exception across the C interface";
  }
  if (code == 0) return {};
  return context->error.empty() ? fmt::format("failed with code {} and said nothing", code) : context->error;
}

std::string CountProblem(const TamisCustomOp& op, size_t inputs, size_t outputs) {
  if (inputs < op.min_inputs || inputs > op.max_inputs) {
    return fmt::format("has {} inputs, the operator takes {} to {}", inputs, op.min_inputs, op.max_inputs);
  }
  if (outputs > op.outputs) return fmt::format("has {} outputs, the operator has {}", outputs, op.outputs);
  return {};
}

// A dimension as the callback gave it: its size, or nullopt if it is not known, or an input's (`input`, `axis`).
struct GivenDim {
  std::optional<int64_t> size;
  bool of_input = false;
  size_t input = 0, axis = 0;
};
GivenDim Interpret(int64_t dim) {
  if (dim >= 0) return {dim, false, 0, 0};
  if (dim == TAMIS_DIM_UNKNOWN) return {};
  const auto code = static_cast<uint64_t>(-2 - dim);
  return {std::nullopt, true, static_cast<size_t>(code / 64), static_cast<size_t>(code % 64)};
}

std::string NoSuchDim(const GivenDim& dim) {
  return fmt::format("gave an output dimension {} of input {}, which there is not", dim.axis, dim.input);
}

}  // namespace

Status CallInfer(const TamisCustomOp& op, InferContext& context) {
  const std::string count = CountProblem(op, context.NumInputs(), context.NumOutputs());
  if (!count.empty()) return context.Error(count);
  TamisOpContext call;
  call.node = &context.node();
  call.results.resize(context.NumOutputs());
  for (size_t i = 0; i < context.NumInputs(); ++i) {
    TamisOpContext::Operand& operand = call.inputs.emplace_back();
    if (!context.HasInput(i)) continue;
    operand.present = true;
    operand.dtype = context.InputDType(i);
    if (const Shape* shape = context.InputShape(i)) {
      operand.has_rank = true;
      for (const Dim& dim : *shape) operand.dims.push_back(dim.Constant().value_or(TAMIS_DIM_UNKNOWN));
    }
    operand.data = context.InputConstant(i);
  }
  if (const std::string problem = Call(op.infer, &call); !problem.empty()) return context.Error(problem);
  for (size_t i = 0; i < call.results.size(); ++i) {
    if (!call.results[i]) return context.Error(fmt::format("did not say what output {} is", i));
    const TamisOpContext::Result& result = *call.results[i];
    Shape shape;
    bool known = result.has_rank;
    for (const int64_t given : result.dims) {
      const GivenDim dim = Interpret(given);
      if (dim.size) {
        shape.emplace_back(*dim.size);
      } else if (dim.of_input) {
        const Shape* from = context.InputShape(dim.input);
        if (from == nullptr || dim.axis >= from->size()) return context.Error(NoSuchDim(dim));
        shape.push_back((*from)[dim.axis]);
      } else {
        known = false;  // shapes have no place for a dimension that nothing is known of
      }
    }
    if (known) {
      context.SetOutput(i, result.dtype, std::move(shape));
    } else {
      context.SetOutputDType(i, result.dtype);
    }
  }
  return {};
}

Status CallCompute(const TamisCustomOp& op, EvalContext& context) {
  const std::string count = CountProblem(op, context.inputs.size(), context.node.outputs.size());
  if (!count.empty()) return context.Error(count);
  TamisOpContext call;
  call.node = &context.node;
  call.results.resize(context.node.outputs.size());
  for (const Tensor* input : context.inputs) {
    TamisOpContext::Operand& operand = call.inputs.emplace_back();
    if (input == nullptr) continue;
    if (BitSize(input->dtype()) == 0)
      return context.Error("has an input of strings, which custom operators don't take");
    operand = {true, input->dtype(), true, input->dims(), input};
  }
  // With all inputs there, every dimension must be known now.
  if (const std::string problem = Call(op.infer, &call); !problem.empty()) return context.Error(problem);
  for (size_t i = 0; i < call.results.size(); ++i) {
    if (!call.results[i] || !call.results[i]->has_rank) return context.Error(fmt::format("gave output {} no shape", i));
    Dims dims;
    for (const int64_t given : call.results[i]->dims) {
      const GivenDim dim = Interpret(given);
      if (dim.of_input) {
        const bool there = dim.input < call.inputs.size() && call.inputs[dim.input].present &&
                           dim.axis < call.inputs[dim.input].dims.size();
        if (!there) return context.Error(NoSuchDim(dim));
        dims.push_back(call.inputs[dim.input].dims[dim.axis]);
      } else if (dim.size) {
        dims.push_back(*dim.size);
      } else {
        return context.Error(fmt::format("gave output {} a dimension that is not known", i));
      }
    }
    if (tamis::NumElements(dims) < 0)
      return context.Error(fmt::format("gave output {} the shape {}", i, ToString(dims)));
    context.outputs[i] = Tensor(call.results[i]->dtype, std::move(dims));
  }
  call.outputs = &context.outputs;
  call.results.clear();
  if (const std::string problem = Call(op.compute, &call); !problem.empty()) return context.Error(problem);
  return {};
}

}  // namespace tamis
