#include "src/ops/op_data.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

Result<std::vector<int64_t>> Permutation(const InferContext& context, int64_t rank) {
  std::vector<int64_t> order = context.node().Ints("perm");
  if (!context.node().Has("perm")) {
    for (int64_t axis = rank; axis-- > 0;) order.push_back(axis);
  }
  if (static_cast<int64_t>(order.size()) != rank) {
    return context.Error(fmt::format("perm {} does not fit a tensor of rank {}", ToString(order), rank));
  }
  return ResolvedAxes(context, order, rank);
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) {
    context.SetOutputDType(0, context.InputDType(0));
    return {};
  }
  TAMIS_ASSIGN_OR_RETURN(const auto order, Permutation(context, static_cast<int64_t>(shape->size())));
  Shape result;
  for (int64_t axis : order) result.push_back((*shape)[static_cast<size_t>(axis)]);
  if (auto contents = Contents(context, 0)) SetTracked(context, 0, std::move(*contents));
  return SetShape(context, 0, context.InputDType(0), std::move(result));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Tensor& data = *context.input(0);
  TAMIS_ASSIGN_OR_RETURN(const auto order, Permutation(*bound->infer, data.rank()));
  const auto own = RowMajorStrides(data.dims());
  std::vector<int64_t> strides;
  for (int64_t axis : order) strides.push_back(own[static_cast<size_t>(axis)]);
  CopyStrided(data.raw(), 0, context.outputs[0].dims(), strides, ElementBytes(data), context.outputs[0].raw());
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor data(DType::kInt8, {2, 3, 4});
  return {{{data}, {}}, {{data}, {{"perm", std::vector<int64_t>{1, 0, 2}}}}};
}

}  // namespace

extern const OpDef op_transpose = {.name = "Transpose",
                                   .domain = "",
                                   .since_opset = 1,
                                   .infer = Infer,
                                   .eval = EvalMoved<Eval>,
                                   .test_cases = Cases,
                                   .widen_half = false};

}  // namespace tamis
