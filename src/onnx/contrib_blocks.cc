#include "src/onnx/contrib_blocks.h"

#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

// Whether the initializer is, or can be made, one of these dimensions of codes of `bits` unsigned bits.
bool IsPacked(const ContribNode& node, const std::string& name, int64_t bits, const std::vector<int64_t>& dims) {
  const onnx::TensorProto* tensor = node.Initializer(name);
  if (tensor == nullptr) return false;
  const auto product = [](const auto& values) {
    int64_t elements = 1;
    for (const int64_t value : values) elements *= value;
    return elements;
  };
  const bool packed = tensor->data_type() == onnx::TensorProto::UINT8;
  const int64_t have = product(tensor->dims()) * (packed ? 8 : bits);
  return (packed || tensor->data_type() == onnx::TensorProto::UINT4) && have == product(dims) * bits;
}

void Unpack(const ContribNode& node, const std::string& name, int64_t bits, const std::vector<int64_t>& dims) {
  node.Retype(name, bits == 4 ? onnx::TensorProto::UINT4 : onnx::TensorProto::UINT8, dims);
}

bool KnowsZeroPoints(const ContribNode& node, const BlockMatrix& matrix) {
  if (matrix.zero_points.empty()) return true;
  const onnx::TensorProto* tensor = node.Initializer(matrix.zero_points);
  if (tensor == nullptr) return false;
  const bool float_points =
      tensor->data_type() != onnx::TensorProto::UINT8 && tensor->data_type() != onnx::TensorProto::UINT4;
  return float_points || IsPacked(node, matrix.zero_points, matrix.bits, {matrix.rows, matrix.padded()});
}

}  // namespace

bool IsKnown(const ContribNode& node, const BlockMatrix& matrix) {
  const bool sizes =
      matrix.rows > 0 && matrix.columns > 0 && matrix.block > 0 && (matrix.bits == 4 || matrix.bits == 8);
  if (!sizes || matrix.block * matrix.bits % 8 != 0) return false;
  // Bounds that keep the products below from overflowing.
  constexpr int64_t kLargest = int64_t{1} << 28;
  if (matrix.rows > kLargest || matrix.columns > kLargest || matrix.block > kLargest) return false;
  return IsPacked(node, matrix.codes, matrix.bits, {matrix.rows, matrix.blocks() * matrix.block}) &&
         KnowsZeroPoints(node, matrix);
}

std::string Dequantized(ContribNode& node, const BlockMatrix& matrix) {
  const int64_t blocks = matrix.blocks(), padded = blocks * matrix.block;
  Unpack(node, matrix.codes, matrix.bits, {matrix.rows, padded});
  const std::string scales = node.Reshape(matrix.scales, {matrix.rows, blocks});
  const ContribNode::Attributes by_block = {{"axis", int64_t{1}}, {"block_size", matrix.block}};
  const auto dtype = matrix.bits == 4 ? onnx::TensorProto::UINT4 : onnx::TensorProto::UINT8;
  const onnx::TensorProto* points = node.Initializer(matrix.zero_points);
  std::string values;
  if (points == nullptr) {  // none: half of the codes are negative
    const auto bytes = static_cast<size_t>((matrix.rows * blocks * matrix.bits + 7) / 8);
    const std::string middle(bytes, static_cast<char>(matrix.bits == 4 ? 0x88 : 0x80));
    values = node.Emit("DequantizeLinear",
                       {matrix.codes, scales, node.BytesConstant(dtype, {matrix.rows, blocks}, middle)}, by_block);
  } else {
    std::string wide = matrix.zero_points;
    if (points->data_type() == onnx::TensorProto::UINT8 || points->data_type() == onnx::TensorProto::UINT4) {
      Unpack(node, matrix.zero_points, matrix.bits, {matrix.rows, matrix.padded()});
      wide = node.Emit("CastLike", {wide, scales});
      if (matrix.padded() != blocks) {
        wide = node.Split(wide, 1, 2, {blocks, matrix.padded() - blocks}).front();
      }
    }
    const std::string shift = node.Emit("Mul", {node.Reshape(wide, {matrix.rows, blocks}), scales});
    values = node.Emit("DequantizeLinear", {matrix.codes, scales}, by_block);
    values = node.Emit("Sub", {node.Reshape(values, {matrix.rows, blocks, matrix.block}),
                               node.Reshape(shift, {matrix.rows, blocks, 1})});
    values = node.Reshape(values, {matrix.rows, padded});
  }
  return padded == matrix.columns ? values
                                  : node.Split(values, 1, 2, {matrix.columns, padded - matrix.columns}).front();
}

}  // namespace tamis
