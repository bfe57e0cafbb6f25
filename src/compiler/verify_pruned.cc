#include <set>

#include "src/compiler/build.h"
#include "src/compiler/prune.h"
#include "src/compiler/prune_layers.h"
#include "src/passes/detect_patterns.h"

namespace tamis {

Status VerifyPruned(const std::string& onnx_path, const PruneReport& report) {
  TAMIS_ASSIGN_OR_RETURN(const Network written, LoadNetwork(onnx_path));
  TAMIS_ASSIGN_OR_RETURN(const Graph fused, Fuse(written.graph, {}));
  std::set<std::string> sparse;
  for (const WeightLayer& layer : FindWeightLayers(written.graph, fused, {})) {
    if (HoldsTwoFour(*fused.value(layer.weight).constant)) sparse.insert(layer.initializer);
  }
  for (const LayerReport& layer : report.layers) {
    if (layer.pattern == "2:4" && sparse.count(layer.name) == 0) {
      return InternalError("'{}' is not 2:4 in the file that was written", layer.name);
    }
  }
  return {};
}

}  // namespace tamis
