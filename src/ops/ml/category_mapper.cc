// CategoryMapper: strings to integers, or integers to strings, by two lists side by side.
#include "src/ops/ml/op_label_map.h"
#include "src/ops/ml/op_ml.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Result<LabelMap> ReadMap(const Node& node, DType operand) {
  const Tensor texts = LabelStrings(StringsOf(node, "cats_strings")), numbers = LabelInts(node.Ints("cats_int64s"));
  if (operand == DType::kString) return LabelMap::Make(texts, numbers, LabelInts({node.Int("default_int64", -1)}));
  return LabelMap::Make(numbers, texts, LabelStrings({node.String("default_string", "_Unused")}));
}

Status Infer(InferContext& context) {
  return InferLabels(context, ReadMap);
}

Status Eval(EvalContext& context) {
  return EvalLabels(context, ReadMap);
}

std::vector<OpTestCase> Cases() {
  const std::map<std::string, Attribute> attributes = {{"cats_strings", std::vector<std::string>{"a", "b"}},
                                                       {"cats_int64s", Dims{10, 20}},
                                                       {"default_int64", int64_t{3}}};
  return {{{Tensor::Strings({3, 1}, {"b", "", "a"})}, attributes}, {{SampleInts(1, {4}, 9, 11)}, attributes}};
}

}  // namespace

extern const OpDef op_category_mapper = {
    .name = "CategoryMapper", .domain = kMlDomain, .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
