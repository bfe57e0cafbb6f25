#include "src/compiler/plan/layer_weight.h"

namespace tamis {

ValueId LayerWeight(const Graph& graph, const Node& node) {
  if (!node.IsTamis("Linear") && !node.IsTamis("ChannelsLastConv")) return kNoValue;
  const ValueId weight = node.input(1);
  return weight != kNoValue && graph.value(weight).constant ? weight : kNoValue;
}

std::string WeightName(const Graph& graph, ValueId weight) {
  const Value& value = graph.value(weight);
  return value.origin ? value.origin->initializer : value.name;
}

}  // namespace tamis
