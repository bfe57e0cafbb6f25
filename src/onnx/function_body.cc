#include "src/onnx/function_body.h"

namespace tamis {

FunctionBody::FunctionBody(const onnx::NodeProto& call, const onnx::FunctionProto& function, std::string prefix,
                           NameSet* names)
    : prefix_(std::move(prefix)), names_(names) {
  for (const auto& fallback : function.attribute_proto()) attributes_[fallback.name()] = &fallback;
  for (const auto& attribute : call.attribute()) attributes_[attribute.name()] = &attribute;
  for (int i = 0; i < function.input_size(); ++i) {
    root_.names[function.input(i)] = i < call.input_size() ? call.input(i) : "";
  }
  for (int i = 0; i < function.output_size(); ++i) {
    const std::string target = i < call.output_size() ? call.output(i) : "";
    const auto known = root_.names.find(function.output(i));
    if (known != root_.names.end()) {
      if (!target.empty()) handed_through_[target] = known->second;
    } else if (!target.empty()) {
      root_.names[function.output(i)] = target;
    }
  }
}

void FunctionBody::EmitIdentities(google::protobuf::RepeatedPtrField<onnx::NodeProto>* out) const {
  for (const auto& [target, source] : handed_through_) {
    auto* identity = out->Add();
    identity->set_op_type("Identity");
    identity->set_name(prefix_ + "Identity");
    identity->add_input(source);
    identity->add_output(target);
  }
}

std::string FunctionBody::Resolve(const std::string& name, const Scope& scope) {
  if (name.empty()) return name;
  for (const Scope* s = &scope; s != nullptr; s = s->parent) {
    const auto found = s->names.find(name);
    if (found != s->names.end()) return found->second;
  }
  // Written further down, or nowhere; the graph's builder finds out.
  return root_.names[name] = names_->Unique(prefix_ + name);
}

void FunctionBody::Define(std::string* name, Scope* scope) {
  if (!name->empty()) *name = scope->names[*name] = names_->Unique(prefix_ + *name);
}

void FunctionBody::Rewrite(onnx::NodeProto* node, Scope* scope) {
  if (!node->name().empty()) node->set_name(prefix_ + node->name());
  for (auto& name : *node->mutable_input()) name = Resolve(name, *scope);
  for (auto& name : *node->mutable_output()) name = Resolve(name, *scope);
  auto* list = node->mutable_attribute();
  int kept = 0;
  for (int i = 0; i < list->size(); ++i) {
    auto* attribute = list->Mutable(i);
    if (!attribute->ref_attr_name().empty()) {
      const auto found = attributes_.find(attribute->ref_attr_name());
      if (found == attributes_.end()) continue;  // the call leaves it out, so the node does
      const std::string name = attribute->name();
      attribute->CopyFrom(*found->second);
      attribute->set_name(name);
    } else {
      if (attribute->has_g()) Rewrite(attribute->mutable_g(), *scope);
      for (auto& graph : *attribute->mutable_graphs()) Rewrite(&graph, *scope);
    }
    if (kept != i) list->SwapElements(kept, i);
    ++kept;
  }
  list->DeleteSubrange(kept, list->size() - kept);
}

void FunctionBody::Rewrite(onnx::GraphProto* graph, const Scope& outer) {
  Scope scope{{}, &outer};
  for (auto& tensor : *graph->mutable_initializer()) Define(tensor.mutable_name(), &scope);
  for (auto& tensor : *graph->mutable_sparse_initializer()) Define(tensor.mutable_values()->mutable_name(), &scope);
  for (auto& input : *graph->mutable_input()) {
    // An initializer that is listed as an input, as old files do, is one value.
    const auto known = scope.names.find(input.name());
    if (known == scope.names.end()) {
      Define(input.mutable_name(), &scope);
    } else {
      input.set_name(known->second);
    }
  }
  for (const auto& node : graph->node()) {
    for (const auto& output : node.output()) {
      if (!output.empty() && !scope.names.contains(output)) scope.names[output] = names_->Unique(prefix_ + output);
    }
  }
  for (auto& node : *graph->mutable_node()) Rewrite(&node, &scope);
  for (auto& output : *graph->mutable_output()) output.set_name(Resolve(output.name(), scope));
  for (auto& info : *graph->mutable_value_info()) info.set_name(Resolve(info.name(), scope));
}

}  // namespace tamis
