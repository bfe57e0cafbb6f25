// activate_parts: an activation of a Concat of convolutions' results is an activation of each, which the convolution
// then applies as it writes: no walk over the joined value.
#include <algorithm>

#include "src/passes/all_passes.h"
#include "src/passes/codes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

void Convert(Rewriter& rewriter, NodeId id, const PassOptions& options) {
  Graph& graph = rewriter.graph();
  const Node& activation = graph.node(id);
  const ValueId joined = activation.input(0), output = activation.outputs[0];
  const Node* concat = rewriter.SingleUse(joined) ? Producer(graph, joined, "Concat") : nullptr;
  if (concat == nullptr || !ActivationOf(graph, activation)) return;
  const auto plain = [&](ValueId part) {
    const Node* conv = rewriter.SingleUse(part) ? Producer(graph, part, "ChannelsLastConv", kTamisDomain) : nullptr;
    return conv != nullptr && conv->String("activation", "").empty();
  };
  if (!std::all_of(concat->inputs.begin(), concat->inputs.end(), plain)) return;
  options.Matched(graph, output, activation.op + " of a Concat's parts");
  const std::string op = activation.op, name = graph.value(output).name;
  const auto attributes = activation.attributes, joining = concat->attributes;
  const std::vector<ValueId> parts = concat->inputs, operands = activation.inputs;
  std::vector<ValueId> activated;
  for (ValueId part : parts) {
    std::vector<ValueId> inputs = operands;
    inputs[0] = part;
    activated.push_back(rewriter.Append(op, "", std::move(inputs), attributes, name + "_part", graph.value(part).type));
  }
  rewriter.Replace(id, MakeNode("Concat", "", std::move(activated), {output}, joining));
}

}  // namespace

Status ActivateParts(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (!node.removed && node.domain.empty() && !node.inputs.empty() && node.outputs.size() == 1) {
      Convert(rewriter, id, options);
    }
  }
  return {};
}

}  // namespace tamis
