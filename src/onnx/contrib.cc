#include "src/onnx/contrib.h"

#include <algorithm>
#include <unordered_map>

#include "src/onnx/contrib_node.h"
#include "src/onnx/operators.h"
#include "src/ops/ml/op_ml.h"

namespace tamis {
namespace {

using RuleMap = std::unordered_map<std::string_view, const ContribRule*>;

RuleMap Joined(std::initializer_list<std::span<const ContribRule>> groups) {
  RuleMap rules;
  for (const auto& group : groups) {
    for (const ContribRule& rule : group) rules.emplace(rule.op, &rule);
  }
  return rules;
}

const RuleMap& Rules(std::string_view domain) {
  static const RuleMap kMicrosoft =
      Joined({AttentionRules(), ExpertRules(), FusedRules(), GroupQueryRules(), LowBitRules(), NormRules(),
              PackedRules(), PlainRules(), PositionRules(), QuantizedRules()});
  static const RuleMap kMl = Joined({MlFeatureRules(), MlLinearRules(), MlSvmRules(), MlTreeRules()});
  static const RuleMap kStray = Joined({StrayRules()});
  return domain == kMlDomain ? kMl : domain.empty() ? kStray : kMicrosoft;
}

const ContribRule* RuleOf(const onnx::NodeProto& node) {
  // onnxruntime has its norm without means in the domain of ONNX as well.
  const bool simplified = node.domain().empty() && node.op_type() == "SimplifiedLayerNormalization";
  const std::string domain = simplified ? "com.microsoft" : CanonicalDomain(node.domain());
  if (!domain.empty() && domain != "com.microsoft" && domain != kMlDomain) return nullptr;
  const RuleMap& rules = Rules(domain);
  const auto found = rules.find(node.op_type());
  return found == rules.end() || node.output_size() == 0 || node.output(0).empty() ? nullptr : found->second;
}

bool Occur(const onnx::GraphProto& graph) {
  for (const onnx::NodeProto& node : graph.node()) {
    if (RuleOf(node) != nullptr) return true;
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g() && Occur(attribute.g())) return true;
    }
  }
  return false;
}

class Expander {
 public:
  explicit Expander(const onnx::ModelProto& model) {
    CollectNames(model.graph(), &names_);
    for (const auto& opset : model.opset_import()) {
      if (CanonicalDomain(opset.domain()).empty()) opset_ = opset.version();
    }
  }

  void Run(onnx::GraphProto* graph) {
    ContribScope scope = {graph, opset_, &names_};
    for (auto& initializer : *graph->mutable_initializer()) {
      scope.initializers.emplace(initializer.name(), &initializer);
    }
    for (const auto* values : {&graph->input(), &graph->value_info(), &graph->output()}) {
      for (const auto& info : *values) {
        if (!info.type().tensor_type().has_shape()) continue;
        scope.ranks.emplace(info.name(), static_cast<size_t>(info.type().tensor_type().shape().dim_size()));
      }
    }
    for (auto& info : *graph->mutable_value_info()) scope.declarations.emplace(info.name(), &info);
    const auto is_view = [&](const onnx::NodeProto& node) {
      return node.op_type() == "Reshape" && node.domain().empty() && node.input_size() == 2 &&
             node.output_size() == 1 && scope.initializers.contains(node.input(0));
    };
    for (const onnx::NodeProto& node : graph->node()) {
      if (is_view(node)) scope.views.emplace(node.output(0), node.input(0));
    }
    ContribNode::Nodes expanded(graph->GetArena());
    for (onnx::NodeProto& node : *graph->mutable_node()) {
      for (auto& attribute : *node.mutable_attribute()) {
        if (attribute.has_g()) Run(attribute.mutable_g());
      }
      const ContribRule* rule = RuleOf(node);
      ContribNode contrib(scope, node, &expanded);
      if (rule == nullptr || !rule->expand(contrib)) *expanded.Add() = std::move(node);
    }
    // What read them reads the initializers now.
    const auto is_stale = [&](const onnx::NodeProto& node) {
      return is_view(node) && scope.retyped.contains(node.input(0));
    };
    expanded.erase(std::remove_if(expanded.begin(), expanded.end(), is_stale), expanded.end());
    graph->mutable_node()->Swap(&expanded);
  }

 private:
  NameSet names_;
  int64_t opset_ = 0;
};

}  // namespace

void ExpandContribOperators(onnx::ModelProto* model) {
  const auto imports = [&](std::string_view domain) {
    const auto& opsets = model->opset_import();
    return std::any_of(opsets.begin(), opsets.end(),
                       [&](const auto& opset) { return CanonicalDomain(opset.domain()) == domain; });
  };
  // What a classic model becomes are operators of ONNX, whether it has any itself or not.
  if (imports(kMlDomain) && !imports("")) model->add_opset_import()->set_version(kNewestOpset);
  if (Occur(model->graph())) Expander(*model).Run(model->mutable_graph());
}

}  // namespace tamis
