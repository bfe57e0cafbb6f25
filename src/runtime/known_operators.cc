#include "src/runtime/known_operators.h"

#include <algorithm>
#include <map>

#include "src/ops/op_def.h"

namespace tamis {
namespace {

using Unknown = std::map<std::pair<std::string, std::string>, std::string>;  // (domain, operator) -> first node

void Collect(const Graph& graph, Unknown* unknown) {
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    for (const Region& region : node.regions) Collect(*region.body, unknown);
    if (FindOp(node.op, node.domain) != nullptr) continue;
    const bool by_output = node.name.empty() && !node.outputs.empty() && node.outputs[0] != kNoValue;
    unknown->try_emplace({node.domain, node.op}, by_output ? graph.value(node.outputs[0]).name : node.name);
  }
}

}  // namespace

Status CheckOperatorsKnown(const Graph& graph, const std::vector<CustomOpRecord>& custom_ops) {
  Unknown unknown;
  Collect(graph, &unknown);
  if (unknown.empty()) return {};
  std::string list;
  bool custom = false;
  for (const auto& [key, node] : unknown) {
    const std::string &domain = key.first, &op = key.second;
    list += fmt::format("{}'{}' of domain '{}' (node '{}')", list.empty() ? "" : ", ", op, domain, node);
    const auto record = std::find_if(custom_ops.begin(), custom_ops.end(),
                                     [&](const CustomOpRecord& r) { return r.op == op && r.domain == domain; });
    if (record == custom_ops.end()) continue;
    custom = true;
    list += fmt::format(" from the custom operator library '{}' {}", record->library, record->version);
  }
  return UserError("the engine needs operators that are not loaded: {}.{}", list,
                   custom ? " --custom-ops DIR or TAMIS_CUSTOM_OPS names the folder of the libraries"
                          : " Build it again with this program");
}

}  // namespace tamis
