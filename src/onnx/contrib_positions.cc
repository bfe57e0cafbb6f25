// Position biases of T5 and WavLM, and the rotation that Gemma's exporter writes.
#include <array>
#include <cmath>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

// The table, which lies as [heads, buckets] whatever it says; the number of queries and of keys. Distances share
// buckets the more the further they are.
bool ExpandRelative(ContribNode& node) {
  const onnx::TensorProto* table = node.Initializer(node.In(0));
  const int64_t distance = node.Int("max_distance", 0);
  const bool both_ways = node.Int("is_bidirectional", 0) != 0;
  if (table == nullptr || table->dims_size() != 2) return false;
  const int64_t stored = table->dims(0), buckets = both_ways ? stored / 2 : stored, exact = buckets / 2;
  if (exact < 1 || distance <= exact || (both_ways && stored % 2 != 0)) return false;
  const auto number = [&](int64_t value) { return node.IntsConstant({value}); };
  const auto integers = [&](const std::string& x) {
    return node.Emit("Cast", {x}, {{"to", int64_t{onnx::TensorProto::INT64}}});
  };
  const std::string rows = node.Places(node.Reshape(integers(node.In(1)), {1}));
  const std::string columns = node.Places(node.Reshape(integers(node.In(2)), {1}));
  const std::string ahead = node.Emit("Sub", {columns, node.Unsqueeze(rows, {1})});
  const std::string behind = node.Emit("Neg", {ahead});
  const std::string apart = both_ways ? node.Emit("Abs", {ahead}) : node.Emit("Max", {behind, number(0)});
  // In float32, as onnxruntime computes it: the border of a bucket is a matter of rounding.
  const std::string wide =
      node.Emit("Cast", {node.Emit("Max", {apart, number(1)})}, {{"to", int64_t{onnx::TensorProto::FLOAT}}});
  const std::string ratio = node.Emit("Div", {wide, node.FloatConstant(static_cast<float>(exact))});
  const float whole = std::log(static_cast<float>(distance) / static_cast<float>(exact));
  const std::string part = node.Emit("Div", {node.Emit("Log", {ratio}), node.FloatConstant(whole)});
  const std::string step = node.Emit("Mul", {part, node.FloatConstant(static_cast<float>(buckets - exact))});
  const std::string far = node.Emit("Add", {integers(step), number(exact)});
  const std::string bucket = node.Emit(
      "Where", {node.Emit("Less", {apart, number(exact)}), apart, node.Emit("Min", {far, number(buckets - 1)})});
  std::string place = bucket;
  if (both_ways) {
    const std::string later = node.Emit("Greater", {ahead, number(0)});
    place = node.Emit("Add", {bucket, node.Emit("Where", {later, number(buckets), number(0)})});
  }
  const std::string heads = node.Reshape(node.In(0), {table->dims(1), stored});
  node.Give(0, node.Unsqueeze(node.Emit("Gather", {heads, place}, {{"axis", int64_t{1}}}), {0}));
  return true;
}

// Query, its bias, distances' bias [1, heads, length, length], weight [size, 2 n] and bias of the gates, and a factor a
// head.
bool ExpandGated(ContribNode& node) {
  const int64_t heads = node.Int("num_heads", 0);
  if (heads < 1 || node.num_inputs() < 6 || node.Has(6) || node.Rank(node.In(0)).value_or(3) != 3) return false;
  const std::string query = node.Reshape(node.AddIf(node.In(0), node.In(1)), {0, 0, heads, -1});
  const std::string product = node.Emit("MatMul", {node.Transpose(query, {0, 2, 1, 3}), node.In(3)});
  const std::string apart = node.Reshape(node.AddIf(product, node.In(4)), {0, 0, 0, 2, -1});
  const auto gates = node.Split(node.Emit("Sigmoid", {node.ReduceSum(apart, {4}, false)}), -1, 2);
  const auto like = [&](float value) { return node.Emit("CastLike", {node.FloatConstant(value), node.In(0)}); };
  const std::string inner = node.Emit("Sub", {node.Emit("Mul", {gates[1], node.In(5)}), like(1)});
  const std::string gate = node.Emit("Add", {node.Emit("Mul", {gates[0], inner}), like(2)});
  node.Give(0, node.Emit("Mul", {gate, node.In(2)}));
  return true;
}

// Angles [batch, length, size]; query, query with its halves turned, and the same of the key.
bool ExpandGemmaRotary(ContribNode& node) {
  if (node.num_inputs() != 5) return false;
  const auto shared = [&](const char* op) {
    return node.Unsqueeze(node.Emit("CastLike", {node.Emit(op, {node.In(0)}), node.In(1)}), {1});
  };
  const std::string sine = shared("Sin"), cosine = shared("Cos");
  for (int i = 0; i < 2; ++i) {
    if (!node.Wants(i)) continue;
    const std::string kept = node.Emit("Mul", {node.In(1 + 2 * i), cosine});
    node.Give(i, node.Emit("Add", {kept, node.Emit("Mul", {node.In(2 + 2 * i), sine})}));
  }
  return true;
}

}  // namespace

std::span<const ContribRule> PositionRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({{"GatedRelativePositionBias", ExpandGated},
                                                             {"GemmaRotaryEmbedding", ExpandGemmaRotary},
                                                             {"RelativePositionBias", ExpandRelative}});
  return kRules;
}

}  // namespace tamis
