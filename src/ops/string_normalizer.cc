// StringNormalizer: a row of strings without its stop words, in lower or upper case. UTF-8; bytes that are none stay.
#include <locale.h>
#include <clocale>
#include <cwctype>
#include <memory>
#include <set>
#include <string>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

enum class Case : uint8_t { kNone, kLower, kUpper };

Result<Case> CaseOf(const InferContext& context) {
  const std::string action = context.node().String("case_change_action", "NONE");
  if (action == "NONE") return Case::kNone;
  if (action == "LOWER") return Case::kLower;
  if (action == "UPPER") return Case::kUpper;
  return context.Error(fmt::format("case_change_action is '{}', must be NONE, LOWER or UPPER", action));
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kAnyDType & ~kFixedSize));
  TAMIS_RETURN_IF_ERROR(CaseOf(context).status());
  context.SetOutputDType(0, DType::kString);
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  const bool row = shape->size() == 2 && (!(*shape)[0].IsConstant() || (*shape)[0] == Dim(1));
  if (shape->size() != 1 && !row) {
    return context.Error(fmt::format("the strings must be [C] or [1, C], are {}", ToString(*shape)));
  }
  Shape result = *shape;
  result.back() = context.DataDim(0, shape->size() - 1);
  return SetShape(context, 0, DType::kString, std::move(result));
}

struct FreeLocale {
  void operator()(locale_t locale) const { freelocale(locale); }
};
using Locale = std::unique_ptr<std::remove_pointer_t<locale_t>, FreeLocale>;

// The case rules of a locale; of Unicode where the machine does not have it.
Locale OpenLocale(const std::string& name) {
  for (const std::string& candidate : {name, name + ".UTF-8", std::string("C.UTF-8")}) {
    if (candidate.empty() || candidate[0] == '.') continue;
    if (locale_t locale = newlocale(LC_CTYPE_MASK, candidate.c_str(), nullptr)) return Locale(locale);
  }
  return nullptr;
}

// The code point that starts at text[*at], and moves past it; -1 and one byte further if there is none.
int32_t NextCodePoint(const std::string& text, size_t* at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
  const uint8_t lead = byte(*at);
  const int more = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : -1;
  int32_t code = more == 0 ? lead : lead & (0x3f >> more);
  for (int i = 1; i <= more; ++i) {
    const uint8_t next = byte(*at + static_cast<size_t>(i));
    if ((next & 0xc0) != 0x80) {
      ++*at;
      return -1;
    }
    code = code << 6 | (next & 0x3f);
  }
  *at += static_cast<size_t>(std::max(more, 0)) + 1;
  return more < 0 ? -1 : code;
}

void AppendCodePoint(uint32_t code, std::string* text) {
  const auto add = [text](uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | code >> 6);
    add(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    add(0xe0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  } else {
    add(0xf0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3f));
    add(0x80 | (code >> 6 & 0x3f));
    add(0x80 | (code & 0x3f));
  }
}

std::string InCase(const std::string& text, Case wanted, const Locale& locale) {
  if (wanted == Case::kNone || locale == nullptr) return text;
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const int32_t code = NextCodePoint(text, &at);
    if (code < 0) {
      result.append(text, begin, at - begin);
      continue;
    }
    const auto wide = static_cast<wint_t>(code);
    AppendCodePoint(wanted == Case::kLower ? towlower_l(wide, locale.get()) : towupper_l(wide, locale.get()), &result);
  }
  return result;
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindInputs(context));
  TAMIS_ASSIGN_OR_RETURN(const Case wanted, CaseOf(*bound->infer));
  const Tensor& x = *context.input(0);
  const Locale locale = OpenLocale(context.node.String("locale", "en_US"));
  const Case compared = context.node.Int("is_case_sensitive", 0) != 0 ? Case::kNone : Case::kLower;
  std::set<std::string> stopwords;
  if (const auto found = context.node.attributes.find("stopwords"); found != context.node.attributes.end()) {
    if (const auto* words = std::get_if<std::vector<std::string>>(&found->second)) {
      for (const std::string& word : *words) stopwords.insert(InCase(word, compared, locale));
    }
  }
  std::vector<std::string> kept;
  for (const std::string& text : x.Span<std::string>()) {
    if (!stopwords.contains(InCase(text, compared, locale))) kept.push_back(InCase(text, wanted, locale));
  }
  if (kept.empty()) kept.emplace_back();
  const auto count = static_cast<int64_t>(kept.size());
  context.outputs[0] = Tensor::Strings(x.rank() == 2 ? Dims{1, count} : Dims{count}, std::move(kept));
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor x = Tensor::Strings({1, 3}, {"Monday", "tuesday", "\xc3\x84rger"});
  const std::vector<std::string> stopwords = {"TUESDAY"};
  return {{{x}, {{"case_change_action", std::string("UPPER")}, {"stopwords", stopwords}}},
          {{x}, {{"is_case_sensitive", int64_t{1}}, {"stopwords", stopwords}}}};
}

}  // namespace

extern const OpDef op_string_normalizer = {
    .name = "StringNormalizer", .domain = "", .since_opset = 10, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
