// A matrix whose elements are codes of 4 or 8 bits with a scale for every block, as onnxruntime's weight-only
// quantisers write it. The packed bytes lie as ONNX lays out uint4, so that the initializer only gets another type.
#pragma once

#include <cstdint>
#include <string>

namespace tamis {

class ContribNode;

// [rows, columns] of codes in blocks along its rows.
struct BlockMatrix {
  int64_t rows = 0, columns = 0, block = 0, bits = 0;
  std::string codes = {}, scales = {},
              zero_points = {};  // zero points: packed like codes, of the scales' type, or omitted

  int64_t blocks() const { return (columns + block - 1) / block; }
  // Codes of zero points in a row that whole bytes hold.
  int64_t padded() const { return (blocks() * bits + 7) / 8 * 8 / bits; }
};

// Whether its operands are initializers of the sizes that it says.
bool IsKnown(const ContribNode& node, const BlockMatrix& matrix);
// Floats [rows, columns] of one that is known.
std::string Dequantized(ContribNode& node, const BlockMatrix& matrix);

}  // namespace tamis
