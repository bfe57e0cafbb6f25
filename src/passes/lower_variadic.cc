// lower_variadic: Sum, Mean, Max and Min of up to three float32 operands become chains of two operands each, which
// products take in as residuals and fuse_elementwise walks over once; Mean a Sum that is scaled. More operands stay
// with the kernel that reads them all at once.
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

constexpr size_t kMostOperands = 3;

}  // namespace

Status LowerVariadic(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    const bool sum = node.Is("Sum") || node.Is("Mean");
    if (node.removed || !(sum || ((node.Is("Max") || node.Is("Min")) && node.inputs.size() != 2))) continue;
    if (node.inputs.size() > kMostOperands || DTypeOf(graph, node.outputs[0]) != DType::kFloat32) continue;
    const std::string op = sum ? "Add" : node.op, name = graph.value(node.outputs[0]).name;
    const std::vector<ValueId> inputs = node.inputs, outputs = node.outputs;
    const bool mean = node.Is("Mean") && inputs.size() > 1;
    options.Matched(graph, outputs[0], node.op + " as " + op);
    ValueId left = inputs[0];
    for (size_t i = 1; i + 1 < inputs.size(); ++i) {
      left = rewriter.Append(op, "", {left, inputs[i]}, {}, name + "_part");
    }
    if (inputs.size() == 1) {
      rewriter.Replace(id, MakeNode("Identity", "", {left}, outputs));
    } else if (mean) {
      const ValueId total = rewriter.Append(op, "", {left, inputs.back()}, {}, name + "_total");
      const ValueId factor =
          rewriter.AddConstant(name + "_factor", Tensor::Float(1.0f / static_cast<float>(inputs.size())));
      rewriter.Replace(id, MakeNode("Mul", "", {total, factor}, outputs));
    } else {
      rewriter.Replace(id, MakeNode(op, "", {left, inputs.back()}, outputs));
    }
  }
  return {};
}

}  // namespace tamis
