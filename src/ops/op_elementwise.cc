#include "src/ops/op_elementwise.h"

#include <algorithm>

namespace tamis {

BroadcastWalk::BroadcastWalk(const Dims& output, const std::vector<Dims>& inputs)
    : output_(output), index_(output.size(), 0), offsets_(inputs.size(), 0) {
  for (const Dims& dims : inputs) {
    Dims strides(output.size(), 0);
    int64_t stride = 1;
    for (size_t back = 0; back < dims.size(); ++back) {
      const size_t axis = dims.size() - 1 - back;
      strides[output.size() - 1 - back] = dims[axis] == 1 ? 0 : stride;
      stride *= dims[axis];
    }
    strides_.push_back(std::move(strides));
  }
}

void BroadcastWalk::Next() {
  for (size_t axis = output_.size(); axis-- > 0;) {
    ++index_[axis];
    for (size_t k = 0; k < offsets_.size(); ++k) offsets_[k] += strides_[k][axis];
    if (index_[axis] < output_[axis]) return;
    for (size_t k = 0; k < offsets_.size(); ++k) offsets_[k] -= strides_[k][axis] * output_[axis];
    index_[axis] = 0;
  }
}

namespace {

Status InferUnaryAs(InferContext& context, DType dtype) {
  const Type* x = context.InputType(0);
  if (x == nullptr) return context.Error("the input is missing");
  if (const Shape* shape = context.InputShape(0)) {
    context.SetOutput(0, dtype, *shape);
  } else {
    context.SetOutputDType(0, dtype);
  }
  return {};
}

Status InferBroadcastAs(InferContext& context, bool as_bool) {
  if (context.NumInputs() == 0 || !context.HasInput(0)) return context.Error("an input is missing");
  DType dtype = DType::kUndefined;
  std::optional<Shape> joined = Shape{};
  for (size_t i = 0; i < context.NumInputs(); ++i) {
    if (!context.HasInput(i)) return context.Error("an input is missing");
    const DType other = context.InputDType(i);
    if (dtype != DType::kUndefined && other != DType::kUndefined && other != dtype) {
      return context.Error(
          fmt::format("the operands are {} and {}; they must have one element type", Name(dtype), Name(other)));
    }
    if (dtype == DType::kUndefined) dtype = other;
    const Shape* shape = context.InputShape(i);
    if (shape == nullptr || !joined) {
      joined.reset();
      continue;
    }
    auto wider = JoinShapes(*joined, *shape);
    if (!wider) {
      return context.Error(fmt::format("shapes {} and {} do not broadcast", ToString(*joined), ToString(*shape)));
    }
    joined = std::move(wider);
  }
  if (as_bool) dtype = DType::kBool;
  if (joined) {
    context.SetOutput(0, dtype, std::move(*joined));
  } else {
    context.SetOutputDType(0, dtype);
  }
  return {};
}

}  // namespace

Status InferUnary(InferContext& context) {
  return InferUnaryAs(context, context.InputDType(0));
}
Status InferUnaryBool(InferContext& context) {
  return InferUnaryAs(context, DType::kBool);
}
Status InferBroadcast(InferContext& context) {
  return InferBroadcastAs(context, false);
}
Status InferBroadcastBool(InferContext& context) {
  return InferBroadcastAs(context, true);
}

Result<Dims> BroadcastDims(const EvalContext& context) {
  Dims dims;
  for (const Tensor* input : context.inputs) {
    if (input == nullptr) return context.Error("an input is missing");
    const Dims& other = input->dims();
    if (other.size() > dims.size()) dims.insert(dims.begin(), other.size() - dims.size(), 1);
    for (size_t back = 1; back <= other.size(); ++back) {
      int64_t& have = dims[dims.size() - back];
      const int64_t size = other[other.size() - back];
      if (have != size && have != 1 && size != 1) {
        return context.Error(fmt::format("shapes {} and {} do not broadcast", ToString(dims), ToString(other)));
      }
      if (have == 1) have = size;
    }
  }
  if (NumElements(dims) < 0) return context.Error("the result is too large");
  return dims;
}

void InferContents(InferContext& context, DimFunction f) {
  std::optional<std::vector<Dim>> result = context.InputContents(0);
  for (size_t i = 1; i < context.NumInputs() && result; ++i) {
    const auto other = context.InputContents(i);
    const Shape* a = context.InputShape(0);
    const Shape* b = context.InputShape(i);
    // Scalars and vectors only: that is what shape computations are made of.
    if (!other || a == nullptr || b == nullptr || a->size() > 1 || b->size() > 1) return;
    const size_t n = std::max(result->size(), other->size());
    if ((result->size() != n && result->size() != 1) || (other->size() != n && other->size() != 1)) return;
    std::vector<Dim> combined;
    for (size_t k = 0; k < n; ++k) {
      auto value = f((*result)[result->size() == 1 ? 0 : k], (*other)[other->size() == 1 ? 0 : k]);
      if (!value) return;
      combined.push_back(std::move(*value));
    }
    result = std::move(combined);
  }
  if (result) context.SetOutputContents(0, std::move(*result));
}

}  // namespace tamis
