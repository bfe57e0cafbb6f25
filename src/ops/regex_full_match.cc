// RegexFullMatch: whether the whole of a string matches a pattern in the syntax of RE2.
#include <re2/re2.h>

#include <string>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kAnyDType & ~kFixedSize));
  const std::string pattern = context.node().String("pattern", "");
  const RE2 regex(pattern, RE2::Quiet);
  if (!regex.ok()) return context.Error(fmt::format("pattern '{}' is not valid: {}", pattern, regex.error()));
  context.SetOutputDType(0, DType::kBool);
  return context.InputShape(0) == nullptr ? Status() : SetShape(context, 0, DType::kBool, *context.InputShape(0));
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  const RE2 regex(context.node.String("pattern", ""), RE2::Quiet);
  auto* to = context.outputs[0].Data<uint8_t>();
  for (const std::string& text : context.input(0)->Span<std::string>()) *to++ = RE2::FullMatch(text, regex) ? 1 : 0;
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor::Strings({2, 2}, {"www.example.org", "", "wwwXexample.org", "www.example.org/"})},
           {{"pattern", std::string(R"(www\.[\w.]+\.\bcom|org\b)")}}}};
}

}  // namespace

extern const OpDef op_regex_full_match = {
    .name = "RegexFullMatch", .domain = "", .since_opset = 20, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
