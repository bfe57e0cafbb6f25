// MaxUnpool: puts each element of x[N, C, spatial...] where `indices` of the same dimensions point in the flattened
// result; the rest is 0. The dimensions follow from the window, or are given as input 2: then what the window gives
// lies in the first corner of a larger result.
#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_window.h"

#include <cstring>

namespace tamis {
namespace {

// (in - 1) * stride - pads + kernel along each spatial axis.
Result<Shape> Unpooled(const InferContext& context, const Shape& x) {
  NodeProblems problems;
  const std::vector<int64_t> kernel = context.node().Ints("kernel_shape");
  if (kernel.empty()) problems.Add("attribute 'kernel_shape' is missing");
  if (x.size() < 3 || (!kernel.empty() && kernel.size() != x.size() - 2)) {
    problems.Add("the input {} has not the {} spatial axes of 'kernel_shape'", ToString(x), kernel.size());
  }
  if (!problems.empty()) return context.Error(problems.text());
  const SlidingWindow window = ReadWindow(context.node(), kernel, WindowAttributes::kOnnx, &problems);
  if (!problems.empty()) return context.Error(problems.text());
  Shape shape = {x[0], x[1]};
  for (size_t i = 0; i < kernel.size(); ++i) {
    shape.push_back((x[i + 2] - Dim(1)) * Dim(window.strides[i]) +
                    Dim(kernel[i] - window.pads[i] - window.pads[i + kernel.size()]));
    if (shape.back().Constant().value_or(1) < 0) return context.Error("the pads leave nothing of the result");
  }
  return shape;
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 3));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kFloats));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  if (context.HasInput(2)) TAMIS_RETURN_IF_ERROR(CheckDType(context, 2, kIntegers));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* x = context.InputShape(0);
  const Shape* indices = context.InputShape(1);
  if (x == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(Shape shape, Unpooled(context, *x));
  if (indices != nullptr &&
      (indices->size() != x->size() || !std::equal(x->begin(), x->end(), indices->begin(), MayEqual))) {
    return context.Error(fmt::format("the indices {} do not fit the input {}", ToString(*indices), ToString(*x)));
  }
  if (context.HasInput(2)) {
    const auto given = Contents(context, 2);
    if (given && given->size() != x->size()) {
      return context.Error(fmt::format("output_shape has {} numbers, must have {}", given->size(), x->size()));
    }
    for (size_t i = 0; i < shape.size(); ++i) {
      const auto least = shape[i].Constant();
      shape[i] = given ? (*given)[i] : context.DataDim(0, i);
      if (least && shape[i].Constant().value_or(*least) < *least) {
        return context.Error(fmt::format("output_shape {} is smaller than what the window gives", ToString(*given)));
      }
    }
  }
  return SetShape(context, 0, context.InputDType(0), std::move(shape));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Tensor& x = *context.input(0);
  TAMIS_ASSIGN_OR_RETURN(const Shape inner_shape, Unpooled(*bound->infer, ToShape(x.dims())));
  const Dims inner = *ConstantDims(inner_shape);
  const auto indices = context.input(1)->ToInt64s();
  Tensor& output = context.outputs[0];
  const auto strides = RowMajorStrides(output.dims());
  const int64_t count = NumElements(inner);
  const size_t element = ElementBytes(x);
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= count) {
      return context.Error(fmt::format("index {} is outside [0, {})", indices[i], count));
    }
    int64_t rest = indices[i], to = 0;
    for (size_t axis = inner.size(); axis-- > 0; rest /= inner[axis]) to += rest % inner[axis] * strides[axis];
    std::memcpy(output.raw() + static_cast<size_t>(to) * element, x.raw() + i * element, element);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x0b01);
  const Tensor indices = Tensor::Int64s(std::vector<int64_t>{5, 7, 13, 15}).Reshaped({1, 1, 2, 2});
  const Tensor shape = Tensor::Int64s(std::vector<int64_t>{1, 1, 5, 5});
  const std::map<std::string, Attribute> window = {{"kernel_shape", std::vector<int64_t>{2, 2}},
                                                   {"strides", std::vector<int64_t>{2, 2}}};
  return {{{make.Floats({1, 1, 2, 2}), indices}, window}, {{make.Floats({1, 1, 2, 2}), indices, shape}, window}};
}

}  // namespace

extern const OpDef op_max_unpool = {
    .name = "MaxUnpool", .domain = "", .since_opset = 9, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
