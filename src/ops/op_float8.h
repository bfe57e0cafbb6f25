// Products whose operands are rounded to float8e4m3fn on devices that multiply such numbers: x to codes of one scale,
// each row of the weight to codes of its own; sums stay f32. Whether a network allows it is an attribute of its Linear
// nodes, "float8_scale", the scale of x, which calibration found (or the QuantizeLinear that stood there). A device
// without such products computes the node as it is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

inline constexpr const char* kFloat8Scale = "float8_scale";
inline constexpr float kFloat8Largest = 448;
// The least compute capability of NVIDIA's GPUs with such products: Ada.
inline constexpr int kFloat8Compute = 89;

// Positive; nullopt if the operands must stay what they are.
std::optional<float> Float8ScaleOf(const Node& node);
bool UsesFloat8(const Graph& graph);

// The nearest code, ties to even, of what is beyond the largest the largest; that of NaN is 0x7f. Never that of -0.
uint8_t EncodeFloat8(float x);
float DecodeFloat8(uint8_t code);

// Rows of a weight as codes, number = scale of the row * code. Numbers that are codes times one scale already, but for
// a rounding to 16 bits, become these codes.
struct Float8Rows {
  std::vector<uint8_t> codes;
  std::vector<float> scales;
};
Float8Rows RoundToFloat8(std::span<const float> rows, int64_t count);

// Puts into the graph what devices with such products do to the operands of its Linear nodes: x by way of
// QuantizeLinear and DequantizeLinear, weights rounded. For f32 graphs, to compute what such a device must give.
void EmulateFloat8(Graph& graph);

}  // namespace tamis
