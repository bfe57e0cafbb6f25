// StringSplit: each string's parts along a new last axis, as long as the most parts of any string; and how many there
// are. Without a delimiter, parts are what blanks separate.
#include <algorithm>
#include <new>
#include <string>
#include <string_view>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

constexpr std::string_view kBlanks = " \t\n\r\f\v";

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kAnyDType & ~kFixedSize));
  context.SetOutputDType(0, DType::kString);
  context.SetOutputDType(1, DType::kInt64);
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  TAMIS_RETURN_IF_ERROR(SetShape(context, 1, DType::kInt64, *shape));
  Shape parts = *shape;
  parts.push_back(context.DataDim(0, shape->size()));
  return SetShape(context, 0, DType::kString, std::move(parts));
}

// At most `limit` cuts; what is left after them is the last part.
std::vector<std::string_view> SplitAtBlanks(std::string_view text, int64_t limit) {
  std::vector<std::string_view> parts;
  for (size_t begin = text.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const bool last = static_cast<int64_t>(parts.size()) == limit;
    const size_t end = last ? text.size() : std::min(text.find_first_of(kBlanks, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kBlanks, end);
  }
  return parts;
}

std::vector<std::string_view> SplitAt(std::string_view text, std::string_view delimiter, int64_t limit) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = static_cast<int64_t>(parts.size()) == limit ? std::string_view::npos : text.find(delimiter);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + delimiter.size());
  }
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindInputs(context).status());
  const Tensor& x = *context.input(0);
  const std::string delimiter = context.node.String("delimiter", "");
  const int64_t given = context.node.Int("maxsplit", -1);
  const int64_t limit = given < 0 ? INT64_MAX : given;
  std::vector<std::vector<std::string_view>> rows;
  size_t most = 0;
  for (const std::string& text : x.Span<std::string>()) {
    rows.push_back(delimiter.empty() ? SplitAtBlanks(text, limit) : SplitAt(text, delimiter, limit));
    most = std::max(most, rows.back().size());
  }
  Dims dims = x.dims();
  dims.push_back(static_cast<int64_t>(most));
  if (const int64_t count = NumElements(dims); count < 0 || count > kMaxElements) {
    return context.Error(fmt::format("the parts have dimensions {}, more than 2^33 elements", ToString(dims)));
  }
  try {
    context.outputs[0] = Tensor(DType::kString, dims);
  } catch (const std::bad_alloc&) {
    return RuntimeError("no memory for parts of dimensions {}", ToString(dims));
  }
  Tensor counts(DType::kInt64, x.dims());
  for (size_t i = 0; i < rows.size(); ++i) {
    counts.Data<int64_t>()[i] = static_cast<int64_t>(rows[i].size());
    std::copy(rows[i].begin(), rows[i].end(), context.outputs[0].Data<std::string>() + i * most);
  }
  if (context.outputs.size() > 1) context.outputs[1] = std::move(counts);
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor x = Tensor::Strings({2, 2}, {" a  b c ", "", "a,b", "x"});
  return {{{x}, {}}, {{x}, {{"delimiter", std::string(",")}, {"maxsplit", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_string_split = {
    .name = "StringSplit", .domain = "", .since_opset = 20, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
