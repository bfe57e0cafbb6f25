#include "src/tuner/problem_text.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "src/base/float16.h"
#include "src/base/hash.h"
#include "src/base/json_writer.h"
#include "src/kernels/gemm/packed_columns.h"
#include "src/ops/op_small_float.h"
#include "src/sparsity/pattern.h"

namespace tamis {
namespace {

constexpr int64_t kMaxSentElements = 64;
constexpr int64_t kPanel = 32;  // outputs among which partners are looked for

// The finaliser of SplitMix64.
uint64_t Mixed(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return x ^ x >> 31;
}

bool TravelsWithElements(const Operand& operand) {
  return operand.constant != nullptr && IsInteger(operand.dtype) && NumElements(operand.dims) <= kMaxSentElements;
}

// Zero points of float8, which kernels take where they are 0; random codes would be others.
bool TravelsWithCodes(const Operand& operand) {
  return operand.constant != nullptr && IsFloat(operand.dtype) && BitSize(operand.dtype) == 8 &&
         NumElements(operand.dims) <= kMaxSentElements;
}

// Scales and regions steer a kernel as attributes do; other constant floats are weights.
bool TravelsWithFloats(const Problem& problem, const Operand& operand) {
  const bool resize = problem.node->op == "Resize" || problem.node->op == "Upsample";
  return resize && operand.constant != nullptr && operand.dtype == DType::kFloat32 && operand.dims.size() == 1 &&
         operand.dims[0] <= kMaxSentElements;
}

// JSON has no number for infinities, with which bounds and reductions begin: they travel as strings.
std::string FloatText(float value) {
  return std::isfinite(value) ? fmt::format("{:.9g}", value) : fmt::format("\"{}\"", value);
}

std::string FloatsText(std::span<const float> values) {
  std::string text;
  for (const float value : values) text += (text.empty() ? "" : ",") + FloatText(value);
  return "[" + text + "]";
}

std::string AttributeText(const Attribute& attribute) {
  if (const auto* i = std::get_if<int64_t>(&attribute)) return fmt::format("{{\"i\":{}}}", *i);
  if (const auto* f = std::get_if<float>(&attribute)) return fmt::format("{{\"f\":{}}}", FloatText(*f));
  if (const auto* s = std::get_if<std::string>(&attribute)) return fmt::format("{{\"s\":{}}}", JsonQuote(*s));
  if (const auto* v = std::get_if<std::vector<int64_t>>(&attribute)) {
    return fmt::format("{{\"is\":[{}]}}", fmt::join(*v, ","));
  }
  if (const auto* v = std::get_if<std::vector<float>>(&attribute)) return fmt::format("{{\"fs\":{}}}", FloatsText(*v));
  if (const auto* v = std::get_if<std::vector<std::string>>(&attribute)) {
    std::string list;
    for (const std::string& text : *v) list += (list.empty() ? "" : ",") + JsonQuote(text);
    return fmt::format("{{\"ss\":[{}]}}", list);
  }
  return {};  // tensors never steer a kernel
}

// Codes' scales, zero points and tables differ from layer to layer and from one calibration to the next. No kernel is
// faster for one than for another, but for a zero point of 0, so equal problems are timed once.
Attribute WithoutCalibration(const Node& node, const std::string& key, const Attribute& attribute) {
  if (!node.IsTamis(node.op)) return attribute;
  if (key.ends_with("_scale") && std::holds_alternative<float>(attribute)) return 0.05f;
  if (key.ends_with("_zero_point") && std::holds_alternative<int64_t>(attribute)) {
    return std::get<int64_t>(attribute) == 0 ? int64_t{0} : int64_t{3};
  }
  if (const auto* codes = std::get_if<std::vector<int64_t>>(&attribute); key == "table" && codes != nullptr) {
    std::vector<int64_t> ramp(codes->size());  // codes of u8 and s8 alike
    for (size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<int64_t>(i) / 2;
    return ramp;
  }
  return attribute;
}

std::string OperandText(const Problem& problem, const Operand& operand) {
  std::string text =
      fmt::format("{{\"dtype\":{},\"dims\":[{}]", static_cast<int>(operand.dtype), fmt::join(operand.dims, ","));
  if (operand.constant != nullptr) text += fmt::format(",\"pattern\":{}", static_cast<int>(operand.pattern));
  if (operand.constant != nullptr && operand.pattern != Pattern::kDense) {
    text += fmt::format(",\"pairs\":{}", HasPairs(*operand.constant));
  }
  if (TravelsWithElements(operand)) text += fmt::format(",\"data\":[{}]", fmt::join(operand.constant->ToInt64s(), ","));
  if (TravelsWithCodes(operand)) {
    const auto* codes = reinterpret_cast<const uint8_t*>(operand.constant->raw());
    text += fmt::format(",\"codes\":[{}]", fmt::join(codes, codes + operand.constant->NumElements(), ","));
  }
  if (TravelsWithFloats(problem, operand)) text += ",\"floats\":" + FloatsText(operand.constant->Span<float>());
  return text + "}";
}

template <class List>
std::string ListText(const Problem& problem, const List& operands) {
  std::string text;
  for (const Operand& operand : operands) text += (text.empty() ? "" : ",") + OperandText(problem, operand);
  return "[" + text + "]";
}

Tensor IntegerTensor(DType dtype, const Dims& dims, const std::vector<int64_t>& elements) {
  Tensor tensor(dtype, dims);
  for (size_t i = 0; i < elements.size(); ++i) {
    std::memcpy(tensor.raw() + i * ByteSize(dtype, 1), &elements[i], ByteSize(dtype, 1));  // little endian
  }
  return tensor;
}

using simdjson::dom::element;

// What FloatText wrote.
float FloatOf(element text) {
  double number = 0;
  if (text.get(number) == simdjson::SUCCESS) return static_cast<float>(number);
  std::string_view name;
  return text.get(name) == simdjson::SUCCESS ? std::strtof(std::string(name).c_str(), nullptr) : 0;
}

std::vector<float> FloatsOf(simdjson::dom::array list) {
  std::vector<float> values;
  for (element e : list) values.push_back(FloatOf(e));
  return values;
}

Status ParseAttributes(element root, Node* node) {
  simdjson::dom::object object;
  if (root["attributes"].get(object) != simdjson::SUCCESS) return UserError("no attributes in the problem");
  for (const auto& field : object) {
    const std::string key(field.key);
    int64_t i = 0;
    element f;
    std::string_view s;
    simdjson::dom::array list;
    if (field.value["i"].get(i) == simdjson::SUCCESS) {
      node->attributes[key] = i;
    } else if (field.value["f"].get(f) == simdjson::SUCCESS) {
      node->attributes[key] = FloatOf(f);
    } else if (field.value["s"].get(s) == simdjson::SUCCESS) {
      node->attributes[key] = std::string(s);
    } else if (field.value["is"].get(list) == simdjson::SUCCESS) {
      std::vector<int64_t> values;
      for (element e : list) values.push_back(e.get_int64().value_unsafe());
      node->attributes[key] = values;
    } else if (field.value["fs"].get(list) == simdjson::SUCCESS) {
      node->attributes[key] = FloatsOf(list);
    } else if (field.value["ss"].get(list) == simdjson::SUCCESS) {
      std::vector<std::string> values;
      for (element e : list) values.emplace_back(e.get_string().value_unsafe());
      node->attributes[key] = values;
    }
  }
  return {};
}

Status ParseOperand(element text, uint64_t seed, Operand* operand, Tensor* constant) {
  int64_t dtype = 0;
  simdjson::dom::array dims;
  if (text["dtype"].get(dtype) != simdjson::SUCCESS || text["dims"].get(dims) != simdjson::SUCCESS) {
    return UserError("an operand of the problem has no dtype or dims");
  }
  operand->dtype = static_cast<DType>(dtype);
  for (element dim : dims) {
    int64_t size = 0;
    if (dim.get(size) != simdjson::SUCCESS) return UserError("a dimension of the problem is no integer");
    operand->dims.push_back(size);
  }
  if (NumElements(operand->dims) < 0) return UserError("an operand of the problem is too large");
  int64_t pattern = 0;
  if (text["pattern"].get(pattern) != simdjson::SUCCESS) return {};
  operand->pattern = static_cast<Pattern>(pattern);
  simdjson::dom::array data;
  if (text["data"].get(data) == simdjson::SUCCESS) {
    std::vector<int64_t> elements;
    for (element e : data) elements.push_back(e.get_int64().value_unsafe());
    if (static_cast<int64_t>(elements.size()) != NumElements(operand->dims)) return UserError("wrong element count");
    *constant = IntegerTensor(operand->dtype, operand->dims, elements);
  } else if (text["codes"].get(data) == simdjson::SUCCESS) {
    if (BitSize(operand->dtype) != 8 || static_cast<int64_t>(data.size()) != NumElements(operand->dims)) {
      return UserError("wrong codes");
    }
    *constant = Tensor(operand->dtype, operand->dims);
    std::byte* code = constant->raw();
    for (element e : data) *code++ = static_cast<std::byte>(e.get_int64().value_unsafe());
  } else if (text["floats"].get(data) == simdjson::SUCCESS) {
    const std::vector<float> elements = FloatsOf(data);
    if (static_cast<int64_t>(elements.size()) != NumElements(operand->dims)) return UserError("wrong element count");
    *constant = Tensor::Of<float>(DType::kFloat32, operand->dims, std::span<const float>(elements));
  } else {
    bool pairs = false;
    if (text["pairs"].get(pairs) != simdjson::SUCCESS) pairs = false;  // only 2:4 weights say it
    *constant = RandomTensor(operand->dtype, operand->dims, operand->pattern, seed, pairs);
  }
  return {};
}

}  // namespace

std::string ProblemToText(const Problem& problem) {
  std::string attributes;
  for (const auto& [key, attribute] : problem.node->attributes) {
    const std::string value = AttributeText(WithoutCalibration(*problem.node, key, attribute));
    if (!value.empty()) attributes += (attributes.empty() ? "" : ",") + JsonQuote(key) + ":" + value;
  }
  return fmt::format(R"({{"op":{},"domain":{},"attributes":{{{}}},"inputs":{},"outputs":{},"threads":{}}})",
                     JsonQuote(problem.node->op), JsonQuote(problem.node->domain), attributes,
                     ListText(problem, problem.inputs), ListText(problem, problem.outputs), problem.threads);
}

Result<std::unique_ptr<OwnedProblem>> ProblemFromText(const std::string& text, uint64_t seed) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(text).get(root) != simdjson::SUCCESS) return UserError("the problem is not JSON: {}", text);
  auto owned = std::make_unique<OwnedProblem>();
  std::string_view op, domain;
  int64_t threads = 1;
  simdjson::dom::array inputs, outputs;
  if (root["op"].get(op) != simdjson::SUCCESS || root["domain"].get(domain) != simdjson::SUCCESS ||
      root["threads"].get(threads) != simdjson::SUCCESS || root["inputs"].get(inputs) != simdjson::SUCCESS ||
      root["outputs"].get(outputs) != simdjson::SUCCESS) {
    return UserError("the problem lacks a field: {}", text);
  }
  owned->node.op = op;
  owned->node.domain = domain;
  TAMIS_RETURN_IF_ERROR(ParseAttributes(root, &owned->node));
  owned->constants.resize(inputs.size());
  owned->problem.node = &owned->node;
  owned->problem.threads = static_cast<int>(threads);
  size_t index = 0;
  for (element text_of_operand : inputs) {
    Operand operand;
    Tensor& constant = owned->constants[index];
    TAMIS_RETURN_IF_ERROR(ParseOperand(text_of_operand, seed + index, &operand, &constant));
    if (constant.Defined()) {
      operand.constant = &constant;
      operand.constant_hash = HashTensor(constant);  // or parts of a kernel would pack a weight each that they share
    }
    owned->node.inputs.push_back(operand.Present() ? static_cast<ValueId>(index) : kNoValue);
    owned->problem.inputs.push_back(std::move(operand));
    ++index;
  }
  for (element text_of_operand : outputs) {
    Operand operand;
    Tensor none;
    TAMIS_RETURN_IF_ERROR(ParseOperand(text_of_operand, seed, &operand, &none));
    owned->node.outputs.push_back(static_cast<ValueId>(index++));
    owned->problem.outputs.push_back(std::move(operand));
  }
  return owned;
}

Tensor RandomTensor(DType dtype, const Dims& dims, Pattern pattern, uint64_t seed, bool pairs) {
  Tensor tensor(dtype, dims);
  // SplitMix64, whose numbers do not wait for one another: a batch of activations has tens of millions of elements.
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15ull;
  const auto random = [start = Mixed(seed + kStep)](int64_t i) {
    return Mixed(start + static_cast<uint64_t>(i) * kStep);
  };
  const int64_t count = tensor.NumElements();
  const int64_t outputs = dims.empty() ? 1 : std::max<int64_t>(dims.front(), 1);
  const int64_t columns = std::max<int64_t>(count / outputs, 1);
  const int64_t run = dims.empty() ? 1 : std::max<int64_t>(dims.back(), 1);
  // Two of each group of four. Two outputs have the same ones only if they are a pair: a kernel that looks for equal
  // masks must not find by chance what no weight has.
  const auto dropped = [&](int64_t i) {
    int64_t output = i / columns;
    const int64_t first = output / kPanel * kPanel, last = std::min(first + kPanel, outputs) - 1;
    if (pairs) output = std::min(output, first + last - output);
    const auto group = static_cast<uint64_t>(i % columns / run * ((run + 3) / 4) + i % run / 4);
    const auto& kept = kGroupPairs[(Mixed(static_cast<uint64_t>(output) << 32 | group) >> 32) % kGroupPairs.size()];
    return i % run % 4 != kept[0] && i % run % 4 != kept[1];
  };
  const bool sparse = pattern != Pattern::kDense && !dims.empty();
  if (dtype == DType::kInt8 && sparse) {  // a weight
    for (int64_t i = 0; i < count; ++i)
      tensor.Data<int8_t>()[i] = dropped(i) ? int8_t{0} : static_cast<int8_t>(random(i));
    return tensor;
  }
  if (!IsFloat(dtype)) {
    const size_t size = ByteSize(dtype, 1);
    for (int64_t i = 0; size > 0 && i < count; ++i)
      tensor.raw()[static_cast<size_t>(i) * size] = std::byte(random(i) & 1);
    return tensor;
  }
  const bool in_place = dtype == DType::kFloat32;
  std::vector<float> others(static_cast<size_t>(in_place ? 0 : count));
  const std::span<float> values(in_place ? tensor.Data<float>() : others.data(), static_cast<size_t>(count));
  // A sum of uniforms is normal enough here and ten times as fast as std::normal_distribution.
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t bits = random(i);
    const auto sum =
        static_cast<int64_t>((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48));
    values[static_cast<size_t>(i)] = static_cast<float>(sum - 2 * 0xffff) / 75000.0f;
  }
  for (int64_t i = 0; sparse && i < count; ++i) {
    if (dropped(i)) values[static_cast<size_t>(i)] = 0;
  }
  if (dtype == DType::kFloat64) {
    std::copy(values.begin(), values.end(), tensor.Data<double>());
  } else if (dtype == DType::kBFloat16) {
    std::transform(values.begin(), values.end(), tensor.Data<uint16_t>(), FloatToBf16);
  } else if (dtype == DType::kFloat16) {
    std::transform(values.begin(), values.end(), tensor.Data<uint16_t>(), FloatToHalf);
  } else if (dtype == DType::kFloat8E4M3 || dtype == DType::kFloat8E5M2) {
    std::transform(values.begin(), values.end(), tensor.raw(),
                   [dtype](float value) { return std::byte{EncodeSmallFloat(dtype, static_cast<double>(value))}; });
  }
  return tensor;
}

bool HasPairs(const Tensor& weight) {
  if (weight.rank() < 2 || weight.dim(0) < 2 || weight.NumElements() == 0) return false;
  const WeightLayout layout = LayoutOf(weight.dims());
  const int64_t outputs = layout.rows;
  int64_t paired = 0;
  for (int64_t first = 0; first < outputs; first += kPanel) {
    const int64_t rows = std::min(kPanel, outputs - first);
    const std::vector<uint8_t> masks = GroupMasks(weight, first, rows);
    for (const int32_t partner : FindPartners(masks.data(), rows, layout.GroupsPerRow()))
      paired += partner >= 0 ? 1 : 0;
    if (first + rows < outputs && paired == 0) return false;  // the first panel tells
  }
  return 4 * paired >= 3 * outputs;
}

}  // namespace tamis
