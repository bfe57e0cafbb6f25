// fuse_norm_codes: a LayerNormalization in f32 that only a QuantizeLinear with one scale reads writes the codes itself:
// QuantizedLayerNorm, as stands in front of the products of a quantised transformer. Behind lower_precision, which
// decides what is computed in f32. GPUs join the two in a way of their own (src/cuda/fuse_quantized.cc) and take the
// node apart for that.
#include <algorithm>

#include "src/passes/all_passes.h"
#include "src/passes/codes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// Whether the operand has exactly the axes that are normalised, as kernels want it.
bool IsOfColumns(const Graph& graph, ValueId operand, const Shape& x, int64_t axis) {
  const Shape* shape = ShapeOf(graph, operand);
  return shape != nullptr && std::equal(shape->begin(), shape->end(), x.begin() + axis, x.end());
}

}  // namespace

Status FuseNormCodes(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (const NodeId id : graph.NodeIds()) {
    const Node& quantize = graph.node(id);
    if (quantize.removed || !quantize.Is("QuantizeLinear")) continue;
    const auto y = CodesOf(graph, quantize);
    const Node* norm = y ? Producer(graph, quantize.input(0), "LayerNormalization") : nullptr;
    if (norm == nullptr || norm->outputs.size() != 1 || !rewriter.SingleUse(norm->outputs[0])) continue;
    const Shape* x = ShapeOf(graph, norm->input(0));
    if (x == nullptr || DTypeOf(graph, norm->input(0)) != DType::kFloat32) continue;
    int64_t axis = norm->Int("axis", -1);
    if (axis < 0) axis += static_cast<int64_t>(x->size());
    const bool with_bias = norm->input(2) != kNoValue;
    if (!IsOfColumns(graph, norm->input(1), *x, axis)) continue;
    if (with_bias && !IsOfColumns(graph, norm->input(2), *x, axis)) continue;
    std::map<std::string, Attribute> attributes = {{"axis", axis}, {"epsilon", norm->Float("epsilon", 1e-5f)}};
    SetCodes(*y, &attributes);
    std::vector<ValueId> inputs = {norm->input(0), norm->input(1)};
    if (with_bias) inputs.push_back(norm->input(2));
    const ValueId output = quantize.outputs[0];
    options.Matched(graph, output, "LayerNormalization to codes");
    rewriter.Replace(id, MakeNode("QuantizedLayerNorm", kTamisDomain, std::move(inputs), {output}, attributes));
  }
  return {};
}

}  // namespace tamis
