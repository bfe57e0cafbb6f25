// LabelEncoder: every element looked up among keys. Version 1 numbers a list of strings, either way.
#include "src/ops/ml/op_label_map.h"
#include "src/ops/ml/op_ml.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// The list of an attribute NAME_strings, NAME_int64s, NAME_floats or NAME_tensor; undefined if there is none.
Tensor Labels(const Node& node, const std::string& name) {
  if (const Tensor* tensor = node.TensorAttribute(name + "_tensor")) return *tensor;
  if (const auto& strings = StringsOf(node, name + "_strings"); !strings.empty()) return LabelStrings(strings);
  if (const auto ints = node.Ints(name + "_int64s"); !ints.empty()) return LabelInts(ints);
  if (const auto floats = node.Floats(name + "_floats"); !floats.empty()) return LabelFloats(floats);
  return {};
}

// What stands for an element that is no key.
Tensor Otherwise(const Node& node, DType dtype) {
  if (dtype == DType::kString) return LabelStrings({node.String("default_string", "_Unused")});
  if (dtype == DType::kInt64) return LabelInts({node.Int("default_int64", -1)});
  if (dtype == DType::kFloat32) return LabelFloats({node.Float("default_float", -0.0F)});
  Tensor zero(dtype, {1});
  if (dtype == DType::kInt16) *zero.Data<int16_t>() = -1;
  if (dtype == DType::kInt32) *zero.Data<int32_t>() = -1;
  return zero;
}

Result<LabelMap> ReadMap(const Node& node, DType operand) {
  if (const auto& classes = StringsOf(node, "classes_strings"); !classes.empty()) {
    std::vector<int64_t> numbers;
    for (size_t i = 0; i < classes.size(); ++i) numbers.push_back(static_cast<int64_t>(i));
    const Tensor texts = LabelStrings(classes), places = LabelInts(numbers);
    return operand == DType::kString ? LabelMap::Make(texts, places, Otherwise(node, DType::kInt64))
                                     : LabelMap::Make(places, texts, Otherwise(node, DType::kString));
  }
  const Tensor keys = Labels(node, "keys"), values = Labels(node, "values");
  if (!keys.Defined() || !values.Defined()) return UserError("there are no keys or no values");
  const Tensor* otherwise = node.TensorAttribute("default_tensor");
  return LabelMap::Make(keys, values, otherwise != nullptr ? *otherwise : Otherwise(node, values.dtype()));
}

Status Infer(InferContext& context) {
  return InferLabels(context, ReadMap);
}

Status Eval(EvalContext& context) {
  return EvalLabels(context, ReadMap);
}

std::vector<OpTestCase> Cases() {
  const std::vector<std::string> names = {"a", "b", "c"};
  const Tensor texts = Tensor::Strings({2, 2}, {"c", "a", "?", "b"}), numbers = SampleInts(1, {2, 3}, 0, 3);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> floats = {0.5F, nan, 1, 2}, keys = {1, nan};
  const std::vector<int16_t> shorts = {7, 8, 9};
  const auto tensor16 = Tensor::Of<int16_t>(DType::kInt16, {3}, shorts);
  return {{{texts}, {{"classes_strings", names}}},
          {{numbers}, {{"classes_strings", names}, {"default_string", std::string("none")}}},
          {{texts}, {{"keys_strings", names}, {"values_floats", std::vector<float>{1, 2, 3}}}},
          {{texts}, {{"keys_strings", names}, {"values_tensor", tensor16}}},
          {{Tensor::Of<float>(DType::kFloat32, {4}, floats)},
           {{"keys_floats", keys}, {"values_int64s", Dims{4, 5}}, {"default_int64", int64_t{6}}}}};
}

}  // namespace

extern const OpDef op_label_encoder = {
    .name = "LabelEncoder", .domain = kMlDomain, .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
