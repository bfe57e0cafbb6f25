// CenterCropPad: the middle of each axis, or the axis in the middle of zeros.
#include <algorithm>

#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kAnyDType));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* x = context.InputShape(0);
  if (x == nullptr) return {};
  std::vector<int64_t> axes = context.node().Ints("axes");
  if (!context.node().Has("axes")) {
    for (size_t axis = 0; axis < x->size(); ++axis) axes.push_back(static_cast<int64_t>(axis));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto at, ResolvedAxes(context, axes, static_cast<int64_t>(x->size())));
  const auto sizes = Contents(context, 1);
  if (sizes && sizes->size() != at.size()) {
    return context.Error(fmt::format("{} sizes are given for {} axes", sizes->size(), at.size()));
  }
  Shape shape = *x;
  for (size_t i = 0; i < at.size(); ++i) {
    const auto axis = static_cast<size_t>(at[i]);
    shape[axis] = sizes ? (*sizes)[i] : context.DataDim(0, axis);
  }
  return SetShape(context, 0, context.InputDType(0), std::move(shape));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Tensor& x = *context.input(0);
  Tensor& y = context.outputs[0];
  const auto from = RowMajorStrides(x.dims()), to = RowMajorStrides(y.dims());
  // The part that both have, row by row.
  Dims common;
  int64_t first_from = 0, first_to = 0;
  for (size_t axis = 0; axis < from.size(); ++axis) {
    const int64_t in = x.dims()[axis], out = y.dims()[axis];
    common.push_back(std::min(in, out));
    first_from += std::max<int64_t>(in - out, 0) / 2 * from[axis];
    first_to += std::max<int64_t>(out - in, 0) / 2 * to[axis];
  }
  const size_t element = ElementBytes(x);
  const int64_t row = common.empty() ? 1 : common.back();
  const int64_t rows = row == 0 ? 0 : NumElements(common) / row;
  for (int64_t i = 0; i < rows; ++i) {
    int64_t rest = i, a = first_from, b = first_to;
    for (size_t axis = common.empty() ? 0 : common.size() - 1; axis-- > 0; rest /= common[axis]) {
      a += rest % common[axis] * from[axis];
      b += rest % common[axis] * to[axis];
    }
    std::copy_n(x.raw() + static_cast<size_t>(a) * element, static_cast<size_t>(row) * element,
                y.raw() + static_cast<size_t>(b) * element);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0xcc9a);
  return {{{make.Floats({7, 4, 3}), Tensor::Int64s(std::vector<int64_t>{4, 7, 3})}, {}},
          {{make.Floats({2, 5, 6}), Tensor::Int64s(std::vector<int64_t>{9})}, {{"axes", std::vector<int64_t>{-1}}}}};
}

}  // namespace

extern const OpDef op_center_crop_pad = {.name = "CenterCropPad",
                                         .domain = "",
                                         .since_opset = 18,
                                         .infer = Infer,
                                         .eval = EvalMoved<Eval>,
                                         .test_cases = Cases,
                                         .widen_half = false};

}  // namespace tamis
