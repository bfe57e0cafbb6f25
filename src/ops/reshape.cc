// Reshape: 0 copies a dimension (unless allowzero), -1 takes what is left.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const DType dtype = context.InputDType(0);
  const Shape* x = context.InputShape(0);
  std::optional<std::vector<Dim>> target = context.InputContents(1);
  if (!target && context.node().Has("shape")) target = ToShape(context.node().Ints("shape"));
  if (!target) {
    context.SetOutputDType(0, dtype);
    return {};
  }
  const bool allow_zero = context.node().Int("allowzero", 0) != 0;
  Shape shape;
  std::optional<size_t> open;
  for (size_t i = 0; i < target->size(); ++i) {
    const auto constant = (*target)[i].Constant();
    if (constant && *constant < -1) return context.Error(fmt::format("the target shape holds {}", *constant));
    if (constant == -1) {
      if (open) return context.Error("the target shape holds -1 twice");
      open = i;
      shape.emplace_back(1);
    } else if (constant == 0 && !allow_zero) {
      if (x == nullptr) {
        context.SetOutputDType(0, dtype);
        return {};
      }
      if (i >= x->size()) return context.Error("0 in the target shape copies a dimension that the input does not have");
      shape.push_back((*x)[i]);
    } else {
      shape.push_back((*target)[i]);
    }
  }
  if (open) {
    if (x == nullptr) {
      context.SetOutputDType(0, dtype);
      return {};
    }
    // Dimensions that stand on both sides cancel first, so that symbols need no division.
    Shape have = *x;
    Shape want;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (i == *open) continue;
      const auto same = std::find(have.begin(), have.end(), shape[i]);
      if (same != have.end() && !(*same == Dim(0))) {
        have.erase(same);
      } else {
        want.push_back(shape[i]);
      }
    }
    const Dim all = Product(have, 0, have.size());
    const Dim given = Product(want, 0, want.size());
    if (given == Dim(0)) return context.Error("-1 beside a dimension of 0 has no one answer");
    if (const auto a = all.Constant(), b = given.Constant(); a && b && *a % *b != 0) {
      return context.Error(fmt::format("{} elements do not divide by {}", *a, *b));
    }
    shape[*open] = Dim::FloorDiv(all, given);
  } else if (x != nullptr) {
    const auto a = Product(*x, 0, x->size()).Constant();
    const auto b = Product(shape, 0, shape.size()).Constant();
    if (a && b && *a != *b) {
      return context.Error(
          fmt::format("{} can't become {}: {} and {} elements", ToString(*x), ToString(shape), *a, *b));
    }
  }
  context.SetOutput(0, dtype, std::move(shape));
  if (auto contents = context.InputContents(0)) context.SetOutputContents(0, std::move(*contents));
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  Dims target = context.input(1) ? context.input(1)->ToInt64s() : context.node.Ints("shape");
  const bool allow_zero = context.node.Int("allowzero", 0) != 0;
  int64_t known = 1;
  std::optional<size_t> open;
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i] == 0 && !allow_zero) {
      if (i >= x.dims().size()) return context.Error("0 copies a dimension that the input does not have");
      target[i] = x.dims()[i];
    }
    if (target[i] == -1 && !open) {
      open = i;
    } else if (target[i] < 0 || NumElements(Dims{known, target[i]}) < 0) {
      return context.Error(fmt::format("the target shape {} is not valid", ToString(target)));
    } else {
      known *= target[i];
    }
  }
  if (open) {
    if (known == 0 || x.NumElements() % known != 0) {
      return context.Error(fmt::format("{} can't become {}", ToString(x.dims()), ToString(target)));
    }
    target[*open] = x.NumElements() / known;
  }
  if (NumElements(target) != x.NumElements()) {
    return context.Error(fmt::format("{} can't become {}", ToString(x.dims()), ToString(target)));
  }
  context.outputs[0] = x.Reshaped(std::move(target));
  return {};
}

}  // namespace

extern const OpDef op_reshape = {
    .name = "Reshape", .since_opset = 1, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
