#include "src/ops/op_float8.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include "src/base/hash.h"
#include "src/ops/op_small_float.h"

namespace tamis {
namespace {

// Whether the row is codes times `scale`. A number that was rounded to bf16 since is off by 2^-8 of itself, and so may
// be the scale, which one of them gave; one that is a subnormal of f16 is off by 2^-25.
bool IsCodesTimes(std::span<const float> row, float scale) {
  return std::all_of(row.begin(), row.end(), [scale](float w) {
    return std::abs(DecodeFloat8(EncodeFloat8(w / scale)) * scale - w) <= 0x1.1p-7f * std::abs(w) + 0x1p-25f;
  });
}

// If the row is codes times a scale, such a scale. Its largest number is one of eight codes then, up to a power of two,
// by which all codes may be shifted upwards.
float ScaleOf(std::span<const float> row) {
  constexpr std::array<float, 8> kLargest = {448, 416, 384, 352, 320, 288, 256, 240};
  float most = 0;
  for (const float w : row) most = std::max(most, std::abs(w));
  if (most < kFloat8Largest * std::numeric_limits<float>::min()) return 1;  // zeros, or next to nothing
  for (const float code : kLargest) {
    if (IsCodesTimes(row, most / code)) return most / code;
  }
  return most / kFloat8Largest;
}

}  // namespace

std::optional<float> Float8ScaleOf(const Node& node) {
  const float scale = node.Float(kFloat8Scale, 0);
  return node.IsTamis("Linear") && scale > 0 ? std::optional(scale) : std::nullopt;
}

bool UsesFloat8(const Graph& graph) {
  const std::vector<NodeId> ids = graph.NodeIds();
  return std::any_of(ids.begin(), ids.end(), [&](NodeId id) {
    const Node& node = graph.node(id);
    return Float8ScaleOf(node) || std::any_of(node.regions.begin(), node.regions.end(),
                                              [](const Region& region) { return UsesFloat8(*region.body); });
  });
}

uint8_t EncodeFloat8(float x) {
  if (std::isnan(x)) return 0x7f;
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint8_t sign = static_cast<uint8_t>(bits >> 24 & 0x80);
  const float magnitude = std::abs(x);
  if (magnitude >= kFloat8Largest) return sign | 0x7e;
  if (magnitude < 0x1p-6f) {  // codes are multiples of 2^-9
    const auto code = static_cast<uint8_t>(std::nearbyint(magnitude * 512));
    return code == 0 ? uint8_t{0} : static_cast<uint8_t>(sign | code);
  }
  constexpr uint32_t kRebias = (127 - 7) << 3;
  const uint32_t positive = bits & 0x7fffffff;
  const uint32_t rounded = (positive + 0x7ffff + (positive >> 20 & 1)) >> 20;
  return static_cast<uint8_t>(sign | (rounded - kRebias));
}

float DecodeFloat8(uint8_t code) {
  static const auto kNumbers = [] {
    std::array<float, 256> numbers{};
    for (int i = 0; i < 256; ++i) {
      numbers[static_cast<size_t>(i)] =
          static_cast<float>(DecodeSmallFloat(DType::kFloat8E4M3, static_cast<uint8_t>(i)));
    }
    return numbers;
  }();
  return kNumbers[code];
}

Float8Rows RoundToFloat8(std::span<const float> rows, int64_t count) {
  Float8Rows rounded;
  rounded.codes.reserve(rows.size());
  const size_t depth = count == 0 ? 0 : rows.size() / static_cast<size_t>(count);
  for (size_t n = 0; n < static_cast<size_t>(count); ++n) {
    const std::span<const float> row = rows.subspan(n * depth, depth);
    const float scale = ScaleOf(row);
    rounded.scales.push_back(scale);
    for (const float w : row) rounded.codes.push_back(EncodeFloat8(w / scale));
  }
  return rounded;
}

void EmulateFloat8(Graph& graph) {
  struct Coded {
    ValueId x;
    float scale;
    bool operator<(const Coded& other) const { return x != other.x ? x < other.x : scale < other.scale; }
  };
  std::map<Coded, ValueId> coded;
  for (const NodeId id : graph.NodeIds()) {
    const auto scale = Float8ScaleOf(graph.node(id));
    const Tensor* weight = scale ? graph.ConstantInput(graph.node(id), 1) : nullptr;
    const ValueId x = graph.node(id).inputs[0];
    if (weight == nullptr || weight->dtype() != DType::kFloat32) continue;
    if (graph.value(x).type.dtype != DType::kFloat32) continue;
    const Float8Rows rows = RoundToFloat8(weight->Span<float>(), weight->dim(0));
    Tensor rounded(DType::kFloat32, weight->dims());
    const auto depth = static_cast<size_t>(weight->NumElements() / std::max<int64_t>(weight->dim(0), 1));
    for (size_t i = 0; i < rows.codes.size(); ++i) {
      rounded.Data<float>()[i] = DecodeFloat8(rows.codes[i]) * rows.scales[i / depth];
    }
    const ValueId constant = graph.AddConstant(graph.FreshName("weight_of_float8"), std::move(rounded));
    graph.value(constant).constant_hash = HashTensor(*graph.value(constant).constant);
    graph.value(constant).pattern = graph.value(graph.node(id).inputs[1]).pattern;
    const auto [found, inserted] = coded.emplace(Coded{x, *scale}, kNoValue);
    if (inserted) {
      const ValueId by = graph.AddConstant(graph.FreshName("float8_scale"), Tensor::Float(*scale));
      const ValueId zero = graph.AddConstant(graph.FreshName("float8_zero"), Tensor(DType::kFloat8E4M3, Dims{}));
      Type type = graph.value(x).type;
      found->second = graph.AddValue(graph.FreshName("float8_numbers"), type);
      type.dtype = DType::kFloat8E4M3;
      const ValueId codes = graph.AddValue(graph.FreshName("float8_codes"), type);
      Node quantize, dequantize;
      quantize.op = "QuantizeLinear", dequantize.op = "DequantizeLinear";
      quantize.inputs = {x, by, zero}, quantize.outputs = {codes};
      dequantize.inputs = {codes, by, zero}, dequantize.outputs = {found->second};
      graph.AddNode(std::move(quantize));
      graph.AddNode(std::move(dequantize));
    }
    Node& linear = graph.node(id);
    linear.inputs[0] = found->second;
    linear.inputs[1] = constant;
    linear.attributes.erase(kFloat8Scale);
  }
}

}  // namespace tamis
