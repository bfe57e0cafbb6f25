#include "src/onnx/operators.h"

#include <array>
#include <string_view>
#include <utility>
#include <variant>

#include "src/onnx/known_attributes.h"
#include "src/onnx/names.h"
#include "src/ops/ml/op_ml.h"
#include "src/ops/op_def.h"

namespace tamis {
namespace {

struct Use {
  size_t count = 0;
  std::vector<std::string> names;  // of the first nodes, or of their first outputs
};
using Uses = std::map<std::pair<std::string, std::string>, Use>;  // (domain, operator) -> nodes

// What is wrong with attributes: (operator, attribute) -> nodes, and (operator, "attribute is a float, must be an
// integer") -> nodes.
struct AttributeUses {
  Uses unknown, mistyped;
};

void Add(const Graph& graph, const Node& node, Use* use) {
  constexpr size_t kMaxNames = 8;
  if (use->count++ >= kMaxNames) return;
  const bool by_output = node.name.empty() && !node.outputs.empty() && node.outputs[0] != kNoValue;
  use->names.push_back(by_output ? graph.value(node.outputs[0]).name : node.name);
}

// The letter of an attribute's type (known_attributes.h). A sparse tensor was made a dense one.
char TypeLetter(const Attribute& attribute) {
  static constexpr std::string_view kLetters = "ifstIFS";
  static_assert(std::variant_size_v<Attribute> == kLetters.size());
  return kLetters[attribute.index()];
}

template <class T>
bool IsEmptyListOf(const Attribute& attribute) {
  const auto* list = std::get_if<std::vector<T>>(&attribute);
  return list != nullptr && list->empty();
}

bool IsEmptyList(const Attribute& attribute) {
  return IsEmptyListOf<int64_t>(attribute) || IsEmptyListOf<float>(attribute) || IsEmptyListOf<std::string>(attribute);
}

// In the order of kAnyAttributeType.
std::string_view TypeName(char letter) {
  static constexpr std::array<std::string_view, kAnyAttributeType.size()> kNames = {
      "an integer", "a float", "a string",           "a tensor",         "a sparse tensor",
      "a graph",    "a type",  "a list of integers", "a list of floats", "a list of strings"};
  return kNames[kAnyAttributeType.find(letter)];
}

void CheckAttribute(const Graph& graph, const Node& node, const std::string& name, char letter, bool empty_list,
                    AttributeUses* uses) {
  const auto types = AttributeTypes(node.op, name);
  if (!types) return Add(graph, node, &uses->unknown[{node.op, name}]);
  const auto takes = [&](std::string_view letters) { return types->find_first_of(letters) != std::string_view::npos; };
  // A list of nothing is written by some exporters as one of integers, whatever it should hold.
  if (takes({&letter, 1}) || (letter == 't' && takes("p")) || (empty_list && takes("IFS"))) return;
  std::string wanted;
  for (char type : *types) wanted += (wanted.empty() ? "" : " or ") + std::string(TypeName(type));
  Add(graph, node,
      &uses->mistyped[{node.op, fmt::format("{} of operator {} is {}, must be {}", Quote(name), Quote(node.op),
                                            TypeName(letter), wanted)}]);
}

void Collect(const Graph& graph, Uses* uses, AttributeUses* attributes) {
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    Add(graph, node, &(*uses)[{node.domain, node.op}]);
    if (node.domain.empty()) {
      for (const auto& [name, value] : node.attributes) {
        CheckAttribute(graph, node, name, TypeLetter(value), IsEmptyList(value), attributes);
      }
      for (const Region& region : node.regions) CheckAttribute(graph, node, region.name, 'g', false, attributes);
    }
    for (const Region& region : node.regions) Collect(*region.body, uses, attributes);
  }
}

// "3 nodes, named 'a', 'b', 'c'"
std::string Nodes(const Use& use) {
  return fmt::format("{} node{}, named {}{}", use.count, use.count == 1 ? "" : "s", QuoteList(use.names),
                     use.count > use.names.size() ? fmt::format(" and {} more", use.count - use.names.size()) : "");
}

std::string Line(const std::string& domain, const std::string& op, int64_t opset, const Use& use) {
  return fmt::format("\n  {} of {} {}: {}", Quote(op), DisplayDomain(domain), opset, Nodes(use));
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
  AttributeUses attributes;
  Collect(graph, &uses, &attributes);
  std::string unknown, newer;
  size_t unknown_count = 0;
  bool maps = false;  // operators on maps, which are no values here
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
      maps = maps || (domain == kMlDomain && (op == "ZipMap" || op == "DictVectorizer" || op == "CastMap"));
    } else if (opset < known->since_opset) {
      newer += Line(domain, op, opset, use) + fmt::format("; understood from version {}", known->since_opset);
    }
  }
  if (unknown_count > kMaxListed) unknown += fmt::format("\n  and {} more", unknown_count - kMaxListed);
  if (unknown_count > 0) {
    problems->Add(
        fmt::format("{} operator{} not known:{}\nWhat may help: fold constants (onnxsim removes operators that "
                    "only compute shapes), export without fused or contributed operators, or define the "
                    "operator in a library of your own (--custom-ops) or in a file src/ops/NAME.cc",
                    unknown_count, unknown_count == 1 ? " is" : "s are", unknown));
  }
  if (maps) {
    problems->Add(
        "ZipMap, DictVectorizer and CastMap are about maps, which no value of a network can be. Export classifiers "
        "with "
        "skl2onnx's options={'zipmap': False}: their probabilities are an array then, in the order of the classes");
  }
  if (!newer.empty()) {
    problems->Add("operators with an older meaning than is known:" + newer +
                  "\nConvert the model to a newer operator set with onnx.version_converter");
  }
  std::string strange;
  for (const auto& [key, use] : attributes.unknown) {
    strange += fmt::format("\n  {} of operator {}: {}", Quote(key.second), Quote(key.first), Nodes(use));
  }
  if (!strange.empty()) {
    problems->Add("attributes that no version of their operator has:" + strange +
                  "\nIf the operator is one of your own, give it a domain of its own");
  }
  std::string mistyped;
  for (const auto& [key, use] : attributes.mistyped) mistyped += "\n  " + key.second + ": " + Nodes(use);
  if (!mistyped.empty()) problems->Add("attributes of types that their operators do not take:" + mistyped);
}

}  // namespace tamis
