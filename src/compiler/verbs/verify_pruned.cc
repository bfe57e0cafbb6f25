#include "src/compiler/verbs/verify_pruned.h"

#include <map>
#include <string>

#include "src/compiler/plan/build.h"
#include "src/compiler/quantize/quantize.h"
#include "src/passes/detect_patterns.h"

namespace tamis {

Status VerifyPruned(const std::string& onnx_path, const PruneReport& report) {
  TAMIS_ASSIGN_OR_RETURN(const Network written, LoadNetwork(onnx_path));
  TAMIS_ASSIGN_OR_RETURN(const Graph fused, Fuse(written.graph, {}));
  std::map<std::string, bool> holds;  // all parts of the weight
  for (const NodeId id : fused.NodeIds()) {
    const Node& node = fused.node(id);
    const std::string name = WeightBehind(fused, node);
    if (name.empty()) continue;
    const bool part = HoldsTwoFour(*fused.value(node.input(1)).constant);
    const auto [found, fresh] = holds.emplace(name, part);
    if (!fresh) found->second = found->second && part;
  }
  for (const LayerReport& layer : report.layers) {
    const auto found = holds.find(layer.name);
    if (layer.pattern == "2:4" && (found == holds.end() || !found->second)) {
      return InternalError("'{}' is not 2:4 in the file that was written", layer.name);
    }
  }
  return {};
}

}  // namespace tamis
