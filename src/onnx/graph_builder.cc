#include "src/onnx/graph_builder.h"

#include <unordered_map>

#include "src/onnx/attributes.h"
#include "src/onnx/constant_node.h"
#include "src/onnx/names.h"
#include "src/onnx/tensor_proto.h"
#include "src/onnx/type_proto.h"

namespace tamis {
namespace {

std::string Describe(const onnx::NodeProto& node) {
  const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  return node.op_type() + " " + Quote(name);
}

bool HasElementType(const onnx::TypeProto& type) {
  if (type.has_tensor_type()) return type.tensor_type().elem_type() != onnx::TensorProto::UNDEFINED;
  return type.value_case() != onnx::TypeProto::VALUE_NOT_SET;
}

class GraphBuilder {
 public:
  // `where` is put in front of problems: empty for the main graph, "If 'n', then_branch: " for a body.
  GraphBuilder(ImportContext* context, GraphBuilder* parent, std::string where)
      : context_(context), parent_(parent), where_(std::move(where)) {}

  // The values of the parent's graph that the body's last inputs stand for.
  const std::vector<ValueId>& captures() const { return captures_; }

  Graph Build(onnx::GraphProto* proto) {
    graph_.name = proto->name();
    graph_.opsets = context_->opsets;
    values_.reserve(static_cast<size_t>(proto->initializer_size() + proto->input_size() + proto->node_size()));
    DefineConstants(proto);
    DefineInputs(*proto);
    DefineResults(*proto);
    for (const auto& info : proto->value_info()) Declare(info, Declares::kValue);
    for (const auto& output : proto->output()) Declare(output, Declares::kValue);
    for (auto& node : *proto->mutable_node()) {
      if (!IsConstantNode(node)) AddNode(&node);
    }
    AddOutputs(*proto);
    graph_.inputs.insert(graph_.inputs.end(), captured_inputs_.begin(), captured_inputs_.end());
    graph_.input_docs.resize(graph_.inputs.size());
    Add("graph " + Quote(graph_.name), graph_.Sort());
    return std::move(graph_);
  }

 private:
  enum class By : uint8_t { kInitializer, kSparseInitializer, kConstant, kInput, kNode, kOuterGraph };
  // A large graph has many of these, and their names are told only where something is wrong.
  struct Definition {
    ValueId id = kNoValue;
    By by = By::kNode;
    const onnx::NodeProto* node = nullptr;  // of kNode
  };

  static std::string NameOf(const Definition& definition) {
    switch (definition.by) {
      case By::kInitializer:
        return "initializer";
      case By::kSparseInitializer:
        return "sparse initializer";
      case By::kConstant:
        return "Constant";
      case By::kInput:
        return "graph input";
      case By::kOuterGraph:
        return "an outer graph";
      case By::kNode:
        break;
    }
    return Describe(*definition.node);
  }
  // Who uses a value: a node, or (nullptr) the graph for its outputs.
  static std::string NameOf(const onnx::NodeProto* user) { return user == nullptr ? "graph output" : Describe(*user); }

  void Add(const std::string& what, const Status& status) { context_->problems.Add(status.WithContext(where_ + what)); }
  void AddProblem(const std::string& problem) { context_->problems.Add(where_ + problem); }

  void Define(const std::string& name, const Definition& definition) {
    if (name.empty()) return AddProblem(NameOf(definition) + " has no name");
    const auto [entry, added] = values_.try_emplace(name, definition);
    if (!added) {
      AddProblem(fmt::format("value {} is defined twice: by {} and by {}", Quote(name), NameOf(entry->second),
                             NameOf(definition)));
    }
  }

  void DefineConstant(const std::string& name, By by, Result<Tensor> tensor, bool file_error, bool refuse_on_use) {
    Definition definition{kNoValue, by};
    if (tensor.ok()) {
      definition.id = graph_.AddConstant(name, std::move(tensor).value());
    } else {
      definition.id = graph_.AddValue(name);
      const std::string what = NameOf(definition) + " " + Quote(name);
      if (refuse_on_use) {
        refused_.emplace(name, where_ + what + ": " + tensor.status().message());
      } else if (file_error) {
        context_->problems.AddShared(tensor.status().message(), name);
      } else {
        Add(what, tensor.status());
      }
    }
    Define(name, definition);
  }

  void DefineConstants(onnx::GraphProto* proto) {
    bool file_error = false;
    size_t index = 0;
    for (auto& initializer : *proto->mutable_initializer()) {
      Tensor elements;
      if (parent_ == nullptr && index < context_->elements.size()) elements = std::move(context_->elements[index]);
      ++index;
      Result<Tensor> tensor = ReadTensor(&initializer, std::move(elements), &context_->external, &file_error);
      DefineConstant(initializer.name(), By::kInitializer, std::move(tensor), file_error, !IsReadable(initializer));
    }
    for (auto& initializer : *proto->mutable_sparse_initializer()) {
      const bool readable = IsReadable(initializer.values());
      Result<Tensor> tensor = ReadSparseTensor(&initializer, &context_->external, &file_error);
      DefineConstant(initializer.values().name(), By::kSparseInitializer, std::move(tensor), file_error, !readable);
    }
    for (auto& node : *proto->mutable_node()) {
      if (!IsConstantNode(node)) continue;
      bool refuse_on_use = false;
      Result<Tensor> tensor = ReadConstantNode(&node, &context_->external, &file_error, &refuse_on_use);
      DefineConstant(node.output(0), By::kConstant, std::move(tensor), file_error, refuse_on_use);
    }
  }

  void DefineInputs(const onnx::GraphProto& proto) {
    for (const auto& input : proto.input()) {
      const auto known = values_.find(input.name());
      if (known != values_.end() &&
          (known->second.by == By::kInitializer || known->second.by == By::kSparseInitializer)) {
        Declare(input, Declares::kInput);
        continue;
      }
      const ValueId id = graph_.AddValue(input.name());
      Define(input.name(), {id, By::kInput});
      graph_.inputs.push_back(id);
      graph_.input_docs.push_back(input.doc_string());
      if (parent_ == nullptr && !HasElementType(input.type())) {
        AddProblem("graph input " + Quote(input.name()) + " has no type");
      }
      Declare(input, Declares::kInput);
    }
  }

  void DefineResults(const onnx::GraphProto& proto) {
    for (const auto& node : proto.node()) {
      if (IsConstantNode(node)) continue;
      for (const auto& output : node.output()) {
        if (!output.empty()) Define(output, {graph_.AddValue(output), By::kNode, &node});
      }
    }
  }

  enum class Declares { kInput, kValue };

  // Gives a value the type that the file declares for it; the first declaration of a graph input stays.
  void Declare(const onnx::ValueInfoProto& info, Declares what) {
    const auto found = values_.find(info.name());
    if (found == values_.end() || info.type().value_case() == onnx::TypeProto::VALUE_NOT_SET) return;
    const bool of_model = what == Declares::kInput && parent_ == nullptr;
    Result<Type> type = ReadType(info.type(), info.name(), &context_->symbols,
                                 of_model ? Symbols::Of::kModelInput : Symbols::Of::kOther);
    if (!type.ok()) return Add("value " + Quote(info.name()), type.status());
    Value& value = graph_.value(found->second.id);
    if (value.IsConstant()) return CheckConstant(value, *type, what);
    if (!value.type.has_rank) value.type = std::move(type).value();
  }

  // An input that an initializer stands for is what callers know of the model. Other declarations were written beside
  // the elements, which decide.
  void CheckConstant(const Value& constant, const Type& declared, Declares what) {
    bool same = declared.IsTensor() && declared.dtype == constant.type.dtype;
    if (declared.has_rank && same) {
      same = declared.shape.size() == constant.type.shape.size();
      for (size_t i = 0; same && i < declared.shape.size(); ++i) {
        same = !declared.shape[i].IsConstant() || declared.shape[i] == constant.type.shape[i];
      }
    }
    if (same) return;
    std::string problem = fmt::format("initializer {} is {} but is declared as {}", Quote(constant.name),
                                      constant.type.ToString(), declared.ToString());
    if (what == Declares::kInput) return AddProblem(problem);
    context_->remarks.push_back(where_ + problem + ": the declaration is ignored");
  }

  // The value in this graph; kNoValue if nobody defines it.
  ValueId Find(const std::string& name, const onnx::NodeProto* user) {
    const auto found = values_.find(name);
    if (found != values_.end()) {
      const auto refused = refused_.empty() ? refused_.end() : refused_.find(name);
      if (refused != refused_.end()) context_->problems.AddShared(refused->second, NameOf(user));
      return found->second.id;
    }
    const ValueId outer = parent_ == nullptr ? kNoValue : parent_->Find(name, user);
    if (outer == kNoValue) return kNoValue;
    const Value& value = parent_->graph_.value(outer);
    ValueId id = kNoValue;
    if (value.IsConstant()) {
      id = graph_.AddConstant(name, *value.constant);
    } else {
      id = graph_.AddValue(name, value.type);
      captured_inputs_.push_back(id);
      captures_.push_back(outer);
    }
    values_[name] = {id, By::kOuterGraph};
    return id;
  }

  ValueId Use(const std::string& name, const onnx::NodeProto* user) {
    const ValueId id = Find(name, user);
    if (id == kNoValue) {
      context_->problems.AddShared(
          where_ + "value " + Quote(name) + " is not defined by any node, input or initializer", NameOf(user));
    }
    return id;
  }

  void AddNode(onnx::NodeProto* proto) {
    Node node;
    node.op = proto->op_type();
    node.domain = CanonicalDomain(proto->domain());
    node.name = proto->name();
    if (node.op.empty()) AddProblem("node" + Describe(*proto) + " has no operator");
    node.inputs.reserve(static_cast<size_t>(proto->input_size()));
    for (const auto& input : proto->input()) node.inputs.push_back(input.empty() ? kNoValue : Use(input, proto));
    while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
    for (const auto& output : proto->output()) {
      ValueId id = kNoValue;
      if (!output.empty()) {
        id = values_.at(output).id;
        if (graph_.value(id).producer != kNoNode || graph_.value(id).IsConstant()) id = graph_.AddValue(output);
      }
      node.outputs.push_back(id);
    }
    for (auto& attribute : *proto->mutable_attribute()) AddAttribute(&attribute, *proto, &node);
    if (context_->of_pytorch && node.Is("Cast")) MeanBfloat16(*proto, &node);
    graph_.AddNode(std::move(node));
  }

  // PyTorch's older exporter gives its own number of bfloat16 to some casts, which ONNX has for complex128; no Cast of
  // ONNX may convert to that.
  void MeanBfloat16(const onnx::NodeProto& proto, Node* node) {
    if (node->Int("to", 0) != onnx::TensorProto::COMPLEX128) return;
    node->attributes["to"] = int64_t{onnx::TensorProto::BFLOAT16};
    context_->remarks.push_back(where_ + Describe(proto) +
                                " to complex128 is read as one to bfloat16, which PyTorch means");
  }

  void AddAttribute(onnx::AttributeProto* proto, const onnx::NodeProto& owner, Node* node) {
    const auto what = [&] { return Describe(owner) + ", attribute " + Quote(proto->name()); };
    if (!proto->ref_attr_name().empty()) {
      return AddProblem(what() + " refers to a function's attribute outside a function");
    }
    if (TypeOf(*proto) == onnx::AttributeProto::GRAPH) {
      GraphBuilder builder(context_, this, where_ + Describe(owner) + ", " + Quote(proto->name()) + ": ");
      Region region{proto->name(), std::make_unique<Graph>(builder.Build(proto->mutable_g())), {}};
      region.captures = builder.captures();
      node->regions.push_back(std::move(region));
      return;
    }
    if (TypeOf(*proto) == onnx::AttributeProto::TYPE_PROTO && node->Is("Optional"))
      return DeclareOptional(*proto, node);
    bool file_error = false;
    Result<Attribute> attribute = ReadAttribute(proto, &context_->external, &file_error);
    if (!attribute.ok()) {
      if (file_error)
        return context_->problems.AddShared(attribute.status().message(), Describe(owner) + " " + proto->name());
      return Add(what(), attribute.status());
    }
    if (!node->attributes.emplace(proto->name(), std::move(attribute).value()).second) {
      AddProblem(what() + " is there twice");
    }
  }

  // The type that an Optional of no input holds is the output's declared type.
  void DeclareOptional(const onnx::AttributeProto& proto, Node* node) {
    const ValueId output = node->outputs.empty() ? kNoValue : node->outputs[0];
    if (output == kNoValue) return;
    Value& value = graph_.value(output);
    Result<Type> type = ReadType(proto.tp(), value.name, &context_->symbols);
    if (!type.ok()) return Add("value " + Quote(value.name), type.status());
    value.type = Type{};
    value.type.kind = Type::Kind::kOptional;
    value.type.element = std::make_shared<const Type>(std::move(type).value());
  }

  void AddOutputs(const onnx::GraphProto& proto) {
    NameSet seen;
    for (const auto& output : proto.output()) {
      if (!seen.Insert(output.name())) AddProblem("graph output " + Quote(output.name()) + " is listed twice");
      graph_.outputs.push_back(Use(output.name(), nullptr));
    }
    if (parent_ == nullptr && proto.output().empty()) AddProblem("the graph has no outputs");
  }

  ImportContext* context_;
  GraphBuilder* parent_;
  const std::string where_;
  Graph graph_;
  std::unordered_map<std::string_view, Definition> values_;    // by names that the file's protos hold
  std::unordered_map<std::string_view, std::string> refused_;  // why a value can't be used; told with its users
  std::vector<ValueId> captured_inputs_;
  std::vector<ValueId> captures_;
};

}  // namespace

Graph BuildGraph(onnx::GraphProto* proto, ImportContext* context) {
  return GraphBuilder(context, nullptr, "").Build(proto);
}

}  // namespace tamis
