// Col2Im: the columns x[N, C * block, L] of blocks added up into images [N, C, image_shape...]; the opposite of cutting
// an image into blocks. 1 to 3 spatial axes.
#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_window.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 3, 3));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers));
  for (size_t i : {1, 2}) TAMIS_RETURN_IF_ERROR(CheckDType(context, i, kIntegers));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* x = context.InputShape(0);
  if (x == nullptr) return {};
  if (x->size() != 3) return context.Error(fmt::format("needs [N, C * block, L], has {}", ToString(*x)));
  const auto image = Contents(context, 1), block = Contents(context, 2);
  size_t rank = 0;
  if (image) rank = image->size();
  if (block) rank = block->size();
  for (size_t i : {1, 2}) {
    const Shape* list = context.InputShape(i);
    if (rank == 0 && list != nullptr && list->size() == 1)
      rank = static_cast<size_t>((*list)[0].Constant().value_or(0));
  }
  if (rank == 0) return {};
  if (rank > 3 || (image && block && image->size() != block->size())) {
    return context.Error("image_shape and block_shape must have one length, of 1 to 3");
  }
  Dim taps(1);
  std::vector<int64_t> kernel;
  for (size_t i = 0; i < rank; ++i) {
    if (!block || !(*block)[i].IsConstant()) break;
    kernel.push_back(*(*block)[i].Constant());
    taps = taps * (*block)[i];
  }
  Shape shape = {(*x)[0], context.DataDim(0, 1)};
  if (kernel.size() == rank) {
    NodeProblems problems;
    const SlidingWindow window = ReadWindow(context.node(), kernel, WindowAttributes::kOnnx, &problems);
    if (!problems.empty()) return context.Error(problems.text());
    if (!MayEqual(Dim::Mod((*x)[1], taps), Dim(0))) {
      return context.Error(fmt::format("{} rows do not divide into blocks of {}", (*x)[1].ToString(), taps.ToString()));
    }
    shape[1] = Dim::FloorDiv((*x)[1], taps);
    Dim places(1);
    for (size_t i = 0; image && i < rank; ++i) places = places * WindowOutput(window, i, (*image)[i], &problems);
    if (!problems.empty()) return context.Error(problems.text());
    if (image && !MayEqual(places, (*x)[2])) {
      return context.Error(fmt::format("the image has {} blocks, the input {}", places.ToString(), (*x)[2].ToString()));
    }
  }
  for (size_t i = 0; i < rank; ++i) shape.push_back(image ? (*image)[i] : context.DataDim(0, i + 2));
  return SetShape(context, 0, context.InputDType(0), std::move(shape));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const auto x = ReadDoubles(*context.input(0));
  const auto kernel = context.input(2)->ToInt64s();
  NodeProblems problems;
  const SlidingWindow window = ReadWindow(context.node, kernel, WindowAttributes::kOnnx, &problems);
  Tensor& output = context.outputs[0];
  const std::span<const int64_t> spatial = std::span<const int64_t>(output.dims()).subspan(2);
  std::vector<int64_t> places;
  for (size_t i = 0; i < spatial.size(); ++i) {
    places.push_back(WindowOutput(window, i, Dim(spatial[i]), &problems).Constant().value_or(0));
  }
  const WindowGeometry geometry = GeometryOf(window, spatial, places);
  const int64_t size = geometry.InputSize(), count = geometry.OutputSize(), taps_count = geometry.KernelSize();
  std::vector<double> y(static_cast<size_t>(output.NumElements()));
  for (int64_t plane = 0; plane < output.dim(0) * output.dim(1); ++plane) {
    ForEachWindow(geometry, [&](int64_t position, std::span<const Tap> taps) {
      for (const Tap& tap : taps) {
        y[static_cast<size_t>(plane * size + tap.input)] +=
            x[static_cast<size_t>((plane * taps_count + tap.kernel) * count + position)];
      }
    });
  }
  WriteDoubles(output, y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0xc012);
  const auto ints = [](std::vector<int64_t> values) { return Tensor::Int64s(values); };
  return {{{make.Floats({2, 12, 6}), ints({3, 4}), ints({2, 2})}, {}},
          {{make.Floats({1, 9, 12}), ints({5, 5}), ints({3, 3})},
           {{"pads", Dims{1, 1, 2, 2}}, {"strides", Dims{1, 2}}, {"dilations", Dims{2, 1}}}}};
}

}  // namespace

extern const OpDef op_col2_im = {
    .name = "Col2Im", .domain = "", .since_opset = 18, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
