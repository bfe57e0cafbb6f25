// OneHotEncoder: a new last axis with a 1 at the place of the element's category. A pass writes that of numbers in
// operators of ONNX.
#include <unordered_map>

#include "src/ops/ml/op_label_map.h"
#include "src/ops/ml/op_ml.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

int64_t CategoriesOf(const Node& node) {
  const size_t texts = StringsOf(node, "cats_strings").size();
  return static_cast<int64_t>(texts > 0 ? texts : node.Ints("cats_int64s").size());
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const Node& node = context.node();
  const bool texts = !StringsOf(node, "cats_strings").empty(), numbers = !node.Ints("cats_int64s").empty();
  if (texts == numbers) return context.Error("either cats_strings or cats_int64s must be given");
  const DType dtype = context.InputDType(0);
  if (dtype != DType::kUndefined && (dtype == DType::kString) != texts) {
    return context.Error(
        fmt::format("input 0 is {}, the categories are {}", Name(dtype), texts ? "strings" : "integers"));
  }
  context.SetOutputDType(0, DType::kFloat32);
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  Shape result = *shape;
  result.emplace_back(CategoriesOf(node));
  return SetShape(context, 0, DType::kFloat32, std::move(result));
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  const Node& node = context.node;
  const Tensor& x = *context.input(0);
  const int64_t count = CategoriesOf(node);
  std::vector<int64_t> places;
  for (int64_t i = 0; i < count; ++i) places.push_back(i);
  const bool texts = x.dtype() == DType::kString;
  const Tensor keys = texts ? LabelStrings(StringsOf(node, "cats_strings")) : LabelInts(node.Ints("cats_int64s"));
  TAMIS_ASSIGN_OR_RETURN(const LabelMap map, LabelMap::Make(keys, LabelInts(places), LabelInts({-1})));
  // Fractions are cut off, as a conversion to integers does.
  Tensor labels = x;
  if (!texts && !IsInteger(x.dtype())) {
    labels = Tensor(DType::kInt64, x.dims());
    WriteDoubles(labels, ReadDoubles(x));
  }
  Tensor found(DType::kInt64, x.dims());
  map.Map(labels, &found);
  for (int64_t i = 0; i < found.NumElements(); ++i) {
    const int64_t place = found.Data<int64_t>()[i];
    if (place >= 0) {
      context.outputs[0].Data<float>()[i * count + place] = 1;
    } else if (node.Int("zeros", 1) == 0) {
      return context.Error(fmt::format("element {} is none of the {} categories, and zeros is 0", i, count));
    }
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleInts(1, {5, 2}, 0, 4)}, {{"cats_int64s", Dims{3, 1, 2}}}},
          {{SampleFloats(2, {6}, 0, 4)}, {{"cats_int64s", Dims{0, 1, 2, 3}}, {"zeros", int64_t{0}}}},
          {{Tensor::Strings({3, 1}, {"b", "c", "a"})}, {{"cats_strings", std::vector<std::string>{"a", "b"}}}}};
}

}  // namespace

extern const OpDef op_one_hot_encoder = {
    .name = "OneHotEncoder", .domain = kMlDomain, .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
