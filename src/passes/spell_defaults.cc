// spell_defaults: attributes whose default depends on the operator set are written out, since kernels do not see it.
#include "src/passes/all_passes.h"

namespace tamis {

Status SpellDefaults(Graph& graph, const PassOptions& options) {
  constexpr const char* kMode = "coordinate_transformation_mode";
  for (NodeId id : graph.NodeIds()) {
    Node& node = graph.node(id);
    if (!node.Is("RoiAlign") || node.Has(kMode)) continue;
    // Before opset 16 there was no attribute, and no shift of the input's coordinates.
    node.attributes[kMode] = std::string(graph.Opset() < 16 ? "output_half_pixel" : "half_pixel");
    options.Edited();
  }
  return {};
}

}  // namespace tamis
