#include <limits>

#include "src/ops/op_bind.h"
#include "src/ops/op_iterate.h"
#include "src/ops/op_pieces.h"

namespace tamis {
namespace {

// Inputs: trip count?, condition?, initial values of the n carried variables. The body takes the iteration's number,
// the condition and the variables; it gives the condition, the variables and what is collected over the iterations.
size_t CarriedOf(size_t inputs) {
  return inputs > 2 ? inputs - 2 : 0;
}

Status CheckScalar(const InferContext& context, size_t input, unsigned allowed) {
  if (!context.HasInput(input)) return {};
  if (!context.InputType(input)->IsTensor()) {
    return context.Error(fmt::format("input {} is {}, must be a scalar", input, context.InputType(input)->ToString()));
  }
  return CheckDType(context, input, allowed);
}

// Whether the body hands on its condition, or says "true" each time: then the trip count alone bounds the loop.
bool RunsAllTrips(const InferContext& context) {
  const auto is_true = [](const Tensor* tensor) {
    return tensor != nullptr && tensor->dtype() == DType::kBool && tensor->NumElements() == 1 && *tensor->Data<bool>();
  };
  if (context.HasInput(1) && !is_true(context.InputConstant(1))) return false;
  const Graph& body = *context.node().regions[0].body;
  ValueId condition = body.outputs[0];
  while (body.value(condition).producer != kNoNode) {
    const Node& node = body.node(body.value(condition).producer);
    if (!node.Is("Identity") && !node.Is("Cast")) return false;
    condition = node.inputs[0];
  }
  const Value& value = body.value(condition);
  return condition == body.inputs[1] || (value.constant && is_true(&*value.constant));
}

// How often the body runs, and so how much is collected.
Dim TripsOf(const InferContext& context, size_t output) {
  const auto contents = context.InputContents(0);
  if (contents && contents->size() == 1 && RunsAllTrips(context)) {
    const Dim& trips = (*contents)[0];
    if (trips.NonNegative()) return trips;
    if (trips.IsConstant()) return Dim(0);
  }
  return context.DataDim(output, 0);
}

Status Infer(InferContext& context) {
  const Node& node = context.node();
  if (node.regions.size() != 1) return context.Error("needs the graph body");
  TAMIS_RETURN_IF_ERROR(CheckScalar(context, 0, kIntegers));
  TAMIS_RETURN_IF_ERROR(CheckScalar(context, 1, kBools));
  const size_t carried = CarriedOf(node.inputs.size());
  std::vector<Type> types = {Type::Tensor(DType::kInt64, {}), Type::Tensor(DType::kBool, {})};
  for (size_t k = 0; k < carried; ++k) {
    if (!context.HasInput(2 + k)) return context.Error(fmt::format("input {} is missing", 2 + k));
    types.push_back(*context.InputType(2 + k));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto given, InferIterations(context, &types, 2, 1, carried));
  if (given.size() < 1 + node.outputs.size()) {
    return context.Error(fmt::format("has {} outputs, the body gives the condition and {} values", node.outputs.size(),
                                     given.size() - 1));
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (i < carried) {
      context.SetOutput(i, types[2 + i]);
    } else {
      TAMIS_ASSIGN_OR_RETURN(Type type, CollectedType(context, i, given[1 + i], 0, TripsOf(context, i)));
      context.SetOutput(i, std::move(type));
    }
  }
  return {};
}

Tensor Scalar(DType dtype, int64_t value) {
  if (dtype == DType::kInt64) return Tensor::Of<int64_t>(dtype, {}, std::span<const int64_t>(&value, 1));
  const bool truth = value != 0;
  return Tensor::Of<bool>(dtype, {}, std::span<const bool>(&truth, 1));
}

Result<bool> ReadCondition(const DataContext& context, const Datum& datum) {
  if (!datum.IsTensor() || datum.tensor().dtype() != DType::kBool || datum.tensor().NumElements() != 1) {
    return context.Error("the condition must be one bool");
  }
  return *datum.tensor().Data<bool>();
}

// The trip count and the condition bound the loop, where they are given; nothing is reserved for iterations to come.
Status Eval(DataContext& context) {
  const Graph& body = *context.node.regions[0].body;
  const size_t carried = CarriedOf(context.node.inputs.size());
  int64_t trips = std::numeric_limits<int64_t>::max();
  if (context.input(0) != nullptr) {
    TAMIS_ASSIGN_OR_RETURN(trips, ScalarOperand(context, 0));
  }
  bool condition = true;
  if (context.input(1) != nullptr) {
    TAMIS_ASSIGN_OR_RETURN(condition, ReadCondition(context, *context.input(1)));
  }
  std::vector<Datum> operands(2 + carried);
  for (size_t k = 0; k < carried; ++k) {
    if (context.input(2 + k) == nullptr) return context.Error(fmt::format("input {} is missing", 2 + k));
    operands[2 + k] = *context.input(2 + k);
  }
  std::vector<TensorStack> stacks;
  for (size_t i = 1 + carried; i < body.outputs.size(); ++i) stacks.emplace_back(body.value(body.outputs[i]).name);
  operands[1] = Scalar(DType::kBool, condition);
  for (int64_t i = 0; i < trips && condition; ++i) {
    operands[0] = Scalar(DType::kInt64, i);
    TAMIS_ASSIGN_OR_RETURN(std::vector<Datum> results, context.regions->Run(0, operands));
    if (results.size() != 1 + carried + stacks.size()) return context.Error("the body gives too few values");
    TAMIS_ASSIGN_OR_RETURN(condition, ReadCondition(context, results[0]));
    for (size_t k = 0; k <= carried; ++k) operands[1 + k] = std::move(results[k]);
    for (size_t s = 0; s < stacks.size(); ++s) {
      TAMIS_RETURN_IF_ERROR(stacks[s].Append(context, results[1 + carried + s]));
    }
  }
  for (size_t i = 0; i < context.outputs.size(); ++i) {
    if (i < carried) {
      context.outputs[i] = std::move(operands[2 + i]);
    } else {
      const Type& piece = body.value(body.outputs[1 + i]).type;
      TAMIS_ASSIGN_OR_RETURN(context.outputs[i], stacks[i - carried].Finish(context, 0, false, piece));
    }
  }
  return {};
}

}  // namespace

extern const OpDef op_loop = {.name = "Loop", .domain = "", .since_opset = 1, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
