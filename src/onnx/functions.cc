#include "src/onnx/functions.h"

#include <map>
#include <set>
#include <tuple>

#include "src/onnx/function_body.h"
#include "src/onnx/names.h"

namespace tamis {
namespace {

constexpr int kMaxDepth = 64;                  // of calls inside calls
constexpr size_t kMaxNodes = size_t{1} << 18;  // made by inlining, in the whole model
constexpr size_t kMaxBytes = size_t{1} << 30;  // of these nodes, their tensors included
constexpr size_t kMaxPrefixBytes = 120;

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
using Key = std::tuple<std::string, std::string, std::string>;  // domain, name, overload

std::string Describe(const onnx::FunctionProto& function) {
  return "function " + Quote(DisplayDomain(function.domain()) + "." + function.name());
}

class Inliner {
 public:
  Inliner(onnx::ModelProto* model, Problems* problems) : problems_(problems) {
    for (const auto& function : model->functions()) {
      const Key key{CanonicalDomain(function.domain()), function.name(), function.overload()};
      if (!functions_.emplace(key, &function).second) problems_->Add(Describe(function) + " is defined twice");
    }
    CollectNames(model->graph(), &names_);
  }

  void Run(onnx::GraphProto* graph, int depth) {
    Nodes nodes;
    nodes.Swap(graph->mutable_node());
    for (auto& node : nodes) Emit(&node, depth, graph->mutable_node());
  }

  const std::set<const onnx::FunctionProto*>& called() const { return called_; }

 private:
  // Moves `node` to `out`, or the body of the function that it calls.
  void Emit(onnx::NodeProto* node, int depth, Nodes* out) {
    const auto found = functions_.find({CanonicalDomain(node->domain()), node->op_type(), node->overload()});
    if (found == functions_.end()) {
      for (auto& attribute : *node->mutable_attribute()) {
        if (attribute.has_g()) Run(attribute.mutable_g(), depth);
        for (auto& graph : *attribute.mutable_graphs()) Run(&graph, depth);
      }
      out->Add()->Swap(node);
      return;
    }
    const onnx::FunctionProto& function = *found->second;
    if (stopped_) return;
    if (depth == kMaxDepth) {
      Stop(fmt::format("{} calls itself, or calls nest more than {} deep", Describe(function), kMaxDepth));
      return;
    }
    if (node->input_size() > function.input_size() || node->output_size() > function.output_size()) {
      problems_->Add(fmt::format("node {} calls {} with {} inputs and {} outputs, but it has {} and {}",
                                 Quote(node->name()), Describe(function), node->input_size(), node->output_size(),
                                 function.input_size(), function.output_size()));
      return;
    }
    called_.insert(&function);
    Call(*node, function, depth, out);
  }

  void Call(const onnx::NodeProto& call, const onnx::FunctionProto& function, int depth, Nodes* out) {
    const std::string& label = call.name().empty() ? function.name() : call.name();
    FunctionBody body(call, function, label.substr(0, kMaxPrefixBytes) + "/", &names_);
    body.EmitIdentities(out);
    for (const auto& original : function.node()) {
      onnx::NodeProto node = original;
      body.Rewrite(&node);
      bytes_ += node.ByteSizeLong();
      if (++nodes_ > kMaxNodes || bytes_ > kMaxBytes) {
        Stop(fmt::format("inlining {} makes more than {} nodes or {} bytes", Describe(function), kMaxNodes, kMaxBytes));
      }
      if (stopped_) return;
      Emit(&node, depth + 1, out);
    }
  }

  void Stop(std::string problem) {
    if (!stopped_) problems_->Add(std::move(problem));
    stopped_ = true;
  }

  Problems* problems_;
  std::map<Key, const onnx::FunctionProto*> functions_;
  std::set<const onnx::FunctionProto*> called_;
  NameSet names_;
  size_t nodes_ = 0;
  size_t bytes_ = 0;
  bool stopped_ = false;
};

// A graph has one version of each operator set; what a function needs must agree with it.
void MergeOpsets(const onnx::FunctionProto& function, onnx::ModelProto* model, Problems* problems) {
  for (const auto& wanted : function.opset_import()) {
    bool found = false;
    for (const auto& has : model->opset_import()) {
      if (CanonicalDomain(has.domain()) != CanonicalDomain(wanted.domain())) continue;
      found = true;
      if (has.version() == wanted.version()) continue;
      problems->Add(
          fmt::format("{} is written for operator set {} {}, the model for {}; convert one of them with "
                      "onnx.version_converter",
                      Describe(function), DisplayDomain(wanted.domain()), wanted.version(), has.version()));
    }
    if (!found) *model->add_opset_import() = wanted;
  }
}

}  // namespace

void InlineFunctions(onnx::ModelProto* model, Problems* problems) {
  if (model->functions().empty()) return;
  Inliner inliner(model, problems);
  inliner.Run(model->mutable_graph(), 0);
  for (const onnx::FunctionProto* function : inliner.called()) MergeOpsets(*function, model, problems);
  model->clear_functions();
}

}  // namespace tamis
