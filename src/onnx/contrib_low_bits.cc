// Products and tables of weights of 4 or 8 bits, and of 4-bit codes of a codebook.
#include <array>
#include <functional>
#include <numeric>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_blocks.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

// a, weight, scales, zero points?, group indices?, bias?.
bool ExpandMatMul(ContribNode& node) {
  BlockMatrix weight = {node.Int("N", 0), node.Int("K", 0), node.Int("block_size", 0), node.Int("bits", 4)};
  weight.codes = node.In(1);
  weight.scales = node.In(2);
  weight.zero_points = node.In(3);
  if (node.Has(4) || !IsKnown(node, weight)) return false;
  std::string y = node.Emit("MatMul", {node.In(0), node.Transpose(Dequantized(node, weight), {1, 0})});
  if (node.Has(5)) y = node.Emit("Add", {y, node.In(5)});
  node.Give(0, y);
  return true;
}

// data, indices, scales, zero points?: rows of a table whose codes are packed in bytes, or are of a type of their own.
bool ExpandGather(ContribNode& node) {
  // The table may be the weight of another node, seen through a Reshape.
  const std::string codes = node.Stored(node.In(0));
  const onnx::TensorProto* data = node.Initializer(codes);
  const int64_t block = node.Int("block_size", 128), axis = node.Int("quantize_axis", 1);
  const ContribNode::Attributes gather = {{"axis", node.Int("gather_axis", 0)}};
  if (data == nullptr || block < 1) return false;
  if (data->data_type() != onnx::TensorProto::UINT8) {
    const std::string table =
        node.Emit("DequantizeLinear", {codes, node.In(2), node.In(3)}, {{"axis", axis}, {"block_size", block}});
    node.Give(0, node.Emit("Gather", {table, node.In(1)}, gather));
    return true;
  }
  const onnx::TensorProto* scales = node.Initializer(node.In(2));
  if ((axis != 1 && axis != -1) || scales == nullptr || scales->dims_size() != 2 || scales->dims(0) < 1) return false;
  BlockMatrix table = {scales->dims(0), 0, block, node.Int("bits", 4)};
  if (table.bits != 4 && table.bits != 8) return false;
  const int64_t bytes =
      std::accumulate(data->dims().begin(), data->dims().end(), int64_t{1}, std::multiplies<int64_t>());
  table.columns = bytes / table.rows * 8 / table.bits;
  table.codes = codes;
  table.scales = node.In(2);
  table.zero_points = node.In(3);
  if (table.columns % block != 0 || !IsKnown(node, table)) return false;
  node.Give(0, node.Emit("Gather", {Dequantized(node, table), node.In(1)}, gather));
  return true;
}

// The values of 4-bit codes as bitsandbytes has them: floats of a sign, two bits of exponent and one of mantissa, or
// quantiles of a normal distribution.
constexpr std::array<float, 16> kFloat4 = {
    0.0f,  5.208333333e-03f,  0.66666667f,  1.0f,  0.33333333f,  0.5f,  0.16666667f,  0.25f,
    -0.0f, -5.208333333e-03f, -0.66666667f, -1.0f, -0.33333333f, -0.5f, -0.16666667f, -0.25f};
constexpr std::array<float, 16> kNormal4 = {-1.0f,
                                            -0.6961928009986877f,
                                            -0.5250730514526367f,
                                            -0.39491748809814453f,
                                            -0.28444138169288635f,
                                            -0.18477343022823334f,
                                            -0.09105003625154495f,
                                            0.0f,
                                            0.07958029955625534f,
                                            0.16093020141124725f,
                                            0.24611230194568634f,
                                            0.33791524171829224f,
                                            0.44070982933044434f,
                                            0.5626170039176941f,
                                            0.7229568362236023f,
                                            1.0f};

// a, codes, the largest magnitude of every block. Blocks go on from one row to the next.
bool ExpandCodebookMatMul(ContribNode& node) {
  const int64_t rows = node.Int("N", 0), columns = node.Int("K", 0), block = node.Int("block_size", 0);
  const int64_t type = node.Int("quant_type", 1);
  constexpr int64_t kLargest = int64_t{1} << 28;  // products of two fit
  if (rows < 1 || columns < 1 || block < 1 || rows > kLargest || columns > kLargest || block > kLargest) return false;
  const int64_t elements = rows * columns, bytes = (elements + 1) / 2, blocks = (elements + block - 1) / block;
  onnx::TensorProto* packed = node.Initializer(node.In(1));
  if ((type != 0 && type != 1) || packed == nullptr || packed->data_type() != onnx::TensorProto::UINT8) return false;
  int64_t stored = 1;
  for (const int64_t dim : packed->dims()) stored *= dim;
  if (stored != bytes) return false;
  const auto int32 = [&](const std::string& x) {
    return node.Emit("Cast", {x}, {{"to", int64_t{onnx::TensorProto::INT32}}});
  };
  const auto filled = [&](const std::string& x, int64_t size) {
    const std::string flat = node.Reshape(x, {size});
    return size == elements ? flat : node.Split(flat, 0, 2, {elements, size - elements}).front();
  };
  // The first of two codes is the high one.
  const std::string pairs = node.Reshape(int32(node.In(1)), {bytes, 1}), sixteen = int32(node.IntsConstant({16}));
  const ContribNode::Names halves = {node.Emit("Div", {pairs, sixteen}), node.Emit("Mod", {pairs, sixteen})};
  const std::string codes = filled(node.Emit("Concat", halves, {{"axis", int64_t{1}}}), 2 * bytes);
  const std::string table = node.Emit("CastLike", {node.FloatsConstant(type == 0 ? kFloat4 : kNormal4), node.In(2)});
  const std::string scales =
      node.Emit("Expand", {node.Reshape(node.In(2), {blocks, 1}), node.IntsConstant({blocks, block})});
  const std::string values = node.Emit("Mul", {node.Emit("Gather", {table, codes}), filled(scales, blocks * block)});
  std::string weight = node.Reshape(values, {rows, columns});
  if (node.Int("transB", 1) != 0) weight = node.Transpose(weight, {1, 0});
  node.Give(0, node.Emit("MatMul", {node.In(0), weight}));
  return true;
}

}  // namespace

std::span<const ContribRule> LowBitRules() {
  static constexpr auto kRules = std::to_array<ContribRule>(
      {{"MatMulNBits", ExpandMatMul}, {"MatMulBnb4", ExpandCodebookMatMul}, {"GatherBlockQuantized", ExpandGather}});
  return kRules;
}

}  // namespace tamis
