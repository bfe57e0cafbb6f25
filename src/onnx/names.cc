#include "src/onnx/names.h"

namespace tamis {

std::string CanonicalDomain(const std::string& domain) {
  return domain == "ai.onnx" ? "" : domain;
}

std::string DisplayDomain(const std::string& domain) {
  return domain.empty() ? "ai.onnx" : domain;
}

std::string NameSet::Unique(const std::string& base) {
  if (Insert(base)) return base;
  int& next = next_.try_emplace(base, 2).first->second;
  std::string name;
  do {
    name = base + "_" + std::to_string(next++);
  } while (!Insert(name));
  return name;
}

void CollectNames(const onnx::GraphProto& graph, NameSet* names) {
  for (const auto& input : graph.input()) names->Insert(input.name());
  for (const auto& output : graph.output()) names->Insert(output.name());
  for (const auto& tensor : graph.initializer()) names->Insert(tensor.name());
  for (const auto& tensor : graph.sparse_initializer()) names->Insert(tensor.values().name());
  for (const auto& node : graph.node()) {
    for (const auto& name : node.input()) names->Insert(name);
    for (const auto& name : node.output()) names->Insert(name);
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) CollectNames(attribute.g(), names);
      for (const auto& nested : attribute.graphs()) CollectNames(nested, names);
    }
  }
}

}  // namespace tamis
