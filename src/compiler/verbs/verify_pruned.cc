#include "src/compiler/verbs/verify_pruned.h"

#include <map>
#include <string>

#include "src/compiler/plan/build.h"
#include "src/compiler/quantize/quantize.h"
#include "src/ir/constant_store.h"
#include "src/passes/detect_patterns.h"

namespace tamis {

Status VerifyPruned(const std::string& onnx_path, const PruneReport& report, const MaskRule& rule) {
  TAMIS_ASSIGN_OR_RETURN(Network written, LoadNetwork(onnx_path));
  ConstantStore().Keep(written.graph);
  TAMIS_ASSIGN_OR_RETURN(const Graph fused, Fuse(written.graph, {}));
  std::map<std::string, bool> holds;  // all parts of the weight
  for (const NodeId id : fused.NodeIds()) {
    const Node& node = fused.node(id);
    const std::string name = WeightBehind(fused, node);
    if (name.empty()) continue;
    const Tensor& weight = *fused.value(node.input(1)).constant;
    const bool part = rule.IsTwoFour() ? HoldsTwoFour(weight) : Holds(weight, rule);
    const auto [found, fresh] = holds.emplace(name, part);
    if (!fresh) found->second = found->second && part;
  }
  for (const LayerReport& layer : report.layers) {
    const auto found = holds.find(layer.name);
    if (layer.pattern != "dense" && (found == holds.end() || !found->second)) {
      return InternalError("'{}' is not {} in the file that was written", layer.name, layer.pattern);
    }
  }
  return {};
}

}  // namespace tamis
