#include "src/onnx/operators.h"

#include <utility>

#include "src/onnx/names.h"
#include "src/ops/op_def.h"

namespace tamis {
namespace {

struct Use {
  size_t count = 0;
  std::string first;  // a node's name, or its first output's
};
using Uses = std::map<std::pair<std::string, std::string>, Use>;  // (domain, operator) -> nodes

void Collect(const Graph& graph, Uses* uses) {
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    Use& use = (*uses)[{node.domain, node.op}];
    if (use.count++ == 0) {
      const bool by_output = node.name.empty() && !node.outputs.empty() && node.outputs[0] != kNoValue;
      use.first = by_output ? graph.value(node.outputs[0]).name : node.name;
    }
    for (const Region& region : node.regions) Collect(*region.body, uses);
  }
}

std::string Line(const std::string& domain, const std::string& op, int64_t opset, const Use& use) {
  return fmt::format("\n  {} of {} {}: {} node{}, {} {}", Quote(op), DisplayDomain(domain), opset, use.count,
                     use.count == 1 ? "" : "s", use.count == 1 ? "named" : "the first named", Quote(use.first));
}

}  // namespace

std::map<std::string, int64_t> ReadOpsets(const onnx::ModelProto& model, Problems* problems) {
  std::map<std::string, int64_t> opsets;
  for (const auto& opset : model.opset_import()) {
    const auto [entry, added] = opsets.emplace(CanonicalDomain(opset.domain()), opset.version());
    if (!added && entry->second != opset.version()) {
      problems->Add(fmt::format("operator set {} is imported as version {} and as version {}",
                                DisplayDomain(entry->first), entry->second, opset.version()));
    }
  }
  const auto standard = opsets.find("");
  if (standard == opsets.end()) {
    if (opsets.empty()) problems->Add("the model imports no operator set (opset_import is empty)");
  } else if (standard->second < kOldestOpset || standard->second > kNewestOpset) {
    problems->Add(
        fmt::format("the model is written for operator set {} of ai.onnx; {} to {} are supported. Export it "
                    "again or convert it with onnx.version_converter",
                    standard->second, kOldestOpset, kNewestOpset));
  }
  return opsets;
}

void CheckOperators(const Graph& graph, Problems* problems) {
  constexpr size_t kMaxListed = 500;
  Uses uses;
  Collect(graph, &uses);
  std::string unknown, newer;
  size_t unknown_count = 0;
  for (const auto& [key, use] : uses) {
    const auto& [domain, op] = key;
    if (!graph.opsets.contains(domain)) {
      problems->Add(fmt::format("operator {} needs domain {}, which the model does not import", Quote(op),
                                Quote(DisplayDomain(domain))));
    }
    // What passes make is no part of a file.
    const OpDef* known = domain == kTamisDomain ? nullptr : FindOp(op, domain);
    const int64_t opset = graph.Opset(domain);
    if (known == nullptr) {
      if (++unknown_count <= kMaxListed) unknown += Line(domain, op, opset, use);
    } else if (opset < known->since_opset) {
      newer += Line(domain, op, opset, use) + fmt::format("; understood from version {}", known->since_opset);
    }
  }
  if (unknown_count > kMaxListed) unknown += fmt::format("\n  and {} more", unknown_count - kMaxListed);
  if (unknown_count > 0) {
    problems->Add(
        fmt::format("{} operator{} not known:{}\nWhat may help: fold constants (onnxsim removes operators that "
                    "only compute shapes), export without fused or contributed operators, or define the "
                    "operator in a file src/ops/NAME.cc",
                    unknown_count, unknown_count == 1 ? " is" : "s are", unknown));
  }
  if (!newer.empty()) {
    problems->Add("operators with an older meaning than is known:" + newer +
                  "\nConvert the model to a newer operator set with onnx.version_converter");
  }
}

}  // namespace tamis
