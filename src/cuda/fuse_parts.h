// What the fusions for GPUs share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

// The node that makes `value` for one reader alone, if it is this operator; nullptr otherwise. `users` is Graph::Users.
const Node* SoleProducer(const Graph& graph, const std::vector<std::vector<NodeId>>& users, ValueId value,
                         std::string_view op);
// A product of codes whose weight, scales and bias are constants.
bool IsQuantizedProduct(const Graph& graph, const Node& node);
// A name for a new value: this one, or where it is taken FreshName's. A plan names nodes by their values, and the
// numbers that FreshName counts differ between the graph of a build and the one that is read from its engine.
std::string StableName(Graph& graph, const std::string& name);
// A new constant with its hash. Constants of the graph move when one is added: whatever is read from them has to be
// read before.
ValueId AddHashed(Graph& graph, const std::string& name, Tensor constant, Pattern pattern = Pattern::kDense);
// Whether a convolution's kernel is one that a first layer has, and that is read as one.
bool IsFirstKernel(const Node& conv, const Tensor& weight);

// The part of FuseForCuda that is about int8: before what looks for f16 values.
void FuseQuantizedForCuda(Graph& graph);
// And what becomes of attentions once they are packed.
void QuantizePackedAttention(Graph& graph);
// Products of float8, for GPUs that have them: before what looks for f16 products.
void UseFloat8(Graph& graph);
// Whether the kernel of a whole attention takes heads of this depth.
constexpr bool IsFlashDepth(int64_t depth) {
  return depth == 32 || depth == 64 || depth == 128;
}
// Attentions of f32, for which there is no kernel but in tf32.
void ExpandFullAttention(Graph& graph);

}  // namespace tamis
