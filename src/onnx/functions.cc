#include "src/onnx/functions.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

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
    Nodes nodes(graph->GetArena());
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

// Operators whose nodes, as they were written before this version of ai.onnx, mean something else in it or are not
// allowed; from kOldestMixed on.
constexpr int64_t kOldestMixed = 13;
constexpr std::array<std::pair<std::string_view, int64_t>, 18> kRedefined = {{{"BatchNormalization", 14},
                                                                              {"RoiAlign", 16},
                                                                              {"Split", 18},
                                                                              {"ReduceL1", 18},
                                                                              {"ReduceL2", 18},
                                                                              {"ReduceLogSum", 18},
                                                                              {"ReduceLogSumExp", 18},
                                                                              {"ReduceMax", 18},
                                                                              {"ReduceMean", 18},
                                                                              {"ReduceMin", 18},
                                                                              {"ReduceProd", 18},
                                                                              {"ReduceSumSquare", 18},
                                                                              {"AveragePool", 19},
                                                                              {"LpPool", 18},
                                                                              {"DFT", 20},
                                                                              {"GridSample", 20},
                                                                              {"GroupNormalization", 21},
                                                                              {"Attention", 24}}};

// The first operator among the nodes, those of nested graphs included, that was redefined after `from` and up to `to`;
// empty if there is none.
std::string Redefined(const Nodes& nodes, int64_t from, int64_t to) {
  for (const auto& node : nodes) {
    const auto* redefined = std::find_if(kRedefined.begin(), kRedefined.end(), [&](const auto& entry) {
      return entry.first == node.op_type() && from < entry.second && entry.second <= to;
    });
    if (redefined != kRedefined.end() && CanonicalDomain(node.domain()).empty()) return node.op_type();
    for (const auto& attribute : node.attribute()) {
      if (!attribute.has_g()) continue;
      if (std::string op = Redefined(attribute.g().node(), from, to); !op.empty()) return op;
    }
  }
  return {};
}

// A graph has one version of each operator set. A function may be written for an older one, where the operators that it
// uses are still the same.
void MergeOpsets(const onnx::FunctionProto& function, onnx::ModelProto* model, Problems* problems) {
  for (const auto& wanted : function.opset_import()) {
    bool found = false;
    for (const auto& has : model->opset_import()) {
      if (CanonicalDomain(has.domain()) != CanonicalDomain(wanted.domain())) continue;
      found = true;
      if (has.version() == wanted.version()) continue;
      std::string changed;
      if (CanonicalDomain(has.domain()).empty() && wanted.version() >= kOldestMixed &&
          wanted.version() < has.version()) {
        changed = Redefined(function.node(), wanted.version(), has.version());
        if (changed.empty()) continue;
        changed = ", between which " + Quote(changed) + " was redefined";
      }
      problems->Add(
          fmt::format("{} is written for operator set {} {}, the model for {}{}; convert one of them with "
                      "onnx.version_converter",
                      Describe(function), DisplayDomain(wanted.domain()), wanted.version(), has.version(), changed));
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
