#include "src/onnx/graph_writer.h"

#include <map>
#include <set>
#include <tuple>

#include "src/onnx/attributes.h"
#include "src/onnx/names.h"
#include "src/onnx/problems.h"
#include "src/onnx/tensor_proto.h"
#include "src/onnx/type_proto.h"

namespace tamis {
namespace {

// The elements' place in memory, and how they are read.
using ConstantKey = std::tuple<const std::byte*, DType, Dims>;

// What the graphs of one model share.
struct WriteContext {
  NameSet value_names;
  NameSet node_names;
  Problems problems;
  std::vector<PendingWeight>* weights;
  // Initializers of the graphs around the one being written. A body that shares a constant with one of them refers to
  // it, as the file did from which it came.
  std::map<ConstantKey, std::string> written;
};

class GraphWriter {
 public:
  GraphWriter(const Graph& graph, bool main, WriteContext* context)
      : graph_(graph), main_(main), context_(context), names_(graph.NumValues()), defined_(graph.NumValues()) {}

  // `captured`: names in the outer graph of the values that the last inputs stand for.
  void Write(const std::vector<std::string>& captured, onnx::GraphProto* proto) {
    proto->set_name(graph_.name.empty() ? (main_ ? "graph" : "body") : graph_.name);
    if (main_) KeepInterfaceNames();
    const size_t formal = graph_.inputs.size() - captured.size();
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      const ValueId id = graph_.inputs[i];
      if (i >= formal) {
        names_[static_cast<size_t>(id)] = captured[i - formal];
        continue;
      }
      auto* info = proto->add_input();
      WriteInfo(id, info);
      if (i < graph_.input_docs.size() && !graph_.input_docs[i].empty()) info->set_doc_string(graph_.input_docs[i]);
    }
    WriteConstants(proto);
    for (NodeId id : graph_.NodeIds()) WriteNode(graph_.node(id), proto->add_node());
    WriteOutputs(proto);
    WriteValueInfo(proto);
    for (const ConstantKey& key : own_constants_) context_->written.erase(key);
  }

 private:
  void KeepInterfaceNames() {
    std::set<ValueId> ids;
    for (const auto* list : {&graph_.inputs, &graph_.outputs}) {
      for (ValueId id : *list) {
        const std::string& name = graph_.value(id).name;
        if (list == &graph_.outputs && !ids.insert(id).second) {
          context_->problems.Add("output " + Quote(name) + " is listed twice");
        }
        if (!names_[static_cast<size_t>(id)].empty()) continue;  // an input handed through
        if (name.empty() || !context_->value_names.Insert(name)) {
          context_->problems.Add("the name " + Quote(name) + " of an input or output is empty or used twice");
        }
        names_[static_cast<size_t>(id)] = name;
      }
    }
  }

  const std::string& NameOf(ValueId id) {
    std::string& name = names_[static_cast<size_t>(id)];
    if (name.empty()) {
      const std::string& own = graph_.value(id).name;
      name = context_->value_names.Unique(own.empty() ? "value" : own);
    }
    return name;
  }

  void WriteInfo(ValueId id, onnx::ValueInfoProto* info) {
    info->set_name(NameOf(id));
    const Type& type = graph_.value(id).type;
    if (!type.IsTensor() || type.dtype != DType::kUndefined) WriteType(type, info->mutable_type());
  }

  void WriteConstants(onnx::GraphProto* proto) {
    std::set<ValueId> used(graph_.outputs.begin(), graph_.outputs.end());
    for (NodeId id : graph_.NodeIds()) {
      const Node& node = graph_.node(id);
      used.insert(node.inputs.begin(), node.inputs.end());
      for (const Region& region : node.regions) used.insert(region.captures.begin(), region.captures.end());
    }
    used.erase(kNoValue);
    for (ValueId id : used) {
      const Value& value = graph_.value(id);
      // A folded result keeps its node; the node's output is no initializer.
      if (!value.constant || value.producer != kNoNode) continue;
      ConstantKey key{value.constant->raw(), value.constant->dtype(), value.constant->dims()};
      const auto written = context_->written.find(key);
      if (!main_ && written != context_->written.end()) {
        names_[static_cast<size_t>(id)] = written->second;
        continue;
      }
      auto* tensor = proto->add_initializer();
      WriteTensorHeader(NameOf(id), *value.constant, tensor);
      context_->weights->push_back({tensor, *value.constant});
      if (context_->written.emplace(key, NameOf(id)).second) own_constants_.push_back(std::move(key));
    }
  }

  void WriteNode(const Node& node, onnx::NodeProto* proto) {
    if (node.domain == kTamisDomain) {
      context_->problems.Add(
          fmt::format("node {} is {}.{}, which ONNX does not have; export the graph from before the "
                      "passes that make such nodes",
                      Quote(node.name), node.domain, node.op));
    }
    proto->set_op_type(node.op);
    proto->set_domain(node.domain);
    proto->set_name(context_->node_names.Unique(node.name.empty() ? node.op : node.name));
    for (ValueId id : node.inputs) proto->add_input(id == kNoValue ? "" : NameOf(id));
    for (ValueId id : node.outputs) {
      proto->add_output(id == kNoValue ? "" : NameOf(id));
      if (id != kNoValue) defined_[static_cast<size_t>(id)] = true;
    }
    for (const auto& [name, attribute] : node.attributes) WriteAttribute(name, attribute, proto->add_attribute());
    if (node.Is("Optional") && node.inputs.empty()) WriteOptionalType(node, proto);
    for (const Region& region : node.regions) {
      auto* attribute = proto->add_attribute();
      attribute->set_name(region.name);
      attribute->set_type(onnx::AttributeProto::GRAPH);
      std::vector<std::string> captured;
      for (ValueId id : region.captures) captured.push_back(NameOf(id));
      if (captured.size() > region.body->inputs.size()) {
        context_->problems.Add("region " + Quote(region.name) + " of node " + Quote(node.name) +
                               " has more captures than inputs");
        continue;
      }
      GraphWriter(*region.body, false, context_).Write(captured, attribute->mutable_g());
    }
  }

  // The builder turned the attribute into the output's type.
  void WriteOptionalType(const Node& node, onnx::NodeProto* proto) {
    const ValueId output = node.outputs.empty() ? kNoValue : node.outputs[0];
    if (output == kNoValue || !graph_.value(output).type.element) return;
    auto* attribute = proto->add_attribute();
    attribute->set_name("type");
    attribute->set_type(onnx::AttributeProto::TYPE_PROTO);
    WriteType(*graph_.value(output).type.element, attribute->mutable_tp());
  }

  void WriteOutputs(onnx::GraphProto* proto) {
    for (ValueId id : graph_.outputs) {
      auto* info = proto->add_output();
      const bool own = defined_[static_cast<size_t>(id)];
      defined_[static_cast<size_t>(id)] = false;
      WriteInfo(id, info);
      // A body returns what its nodes define, and each value once; anything else goes through an Identity.
      if (main_ || own) continue;
      auto* identity = proto->add_node();
      identity->set_op_type("Identity");
      identity->set_name(context_->node_names.Unique("Identity"));
      identity->add_input(NameOf(id));
      info->set_name(context_->value_names.Unique(NameOf(id)));
      identity->add_output(info->name());
    }
  }

  // Types of values between nodes, where they are known; readers that infer shapes need none.
  void WriteValueInfo(onnx::GraphProto* proto) {
    for (NodeId node : graph_.NodeIds()) {
      for (ValueId id : graph_.node(node).outputs) {
        if (id == kNoValue || graph_.IsOutput(id)) continue;
        const Type& type = graph_.value(id).type;
        if (type.IsTensor() && type.dtype != DType::kUndefined && type.has_rank) WriteInfo(id, proto->add_value_info());
      }
    }
  }

  const Graph& graph_;
  const bool main_;
  WriteContext* context_;
  std::vector<std::string> names_;  // by ValueId; empty: not chosen yet
  std::vector<ConstantKey> own_constants_;
  std::vector<bool> defined_;  // by ValueId: written by a node of this graph and not yet an output
};

}  // namespace

Status WriteGraph(const Graph& graph, onnx::GraphProto* proto, std::vector<PendingWeight>* weights) {
  WriteContext context{{}, {}, {}, weights, {}};
  GraphWriter(graph, true, &context).Write({}, proto);
  return context.problems.ToStatus();
}

}  // namespace tamis
