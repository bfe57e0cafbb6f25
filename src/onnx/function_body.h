// One call of a model-local function: names and attributes of the body's nodes, as the caller's graph needs them.
#pragma once

#include <onnx-ml.pb.h>

#include <map>
#include <string>

#include "src/onnx/names.h"

namespace tamis {

class FunctionBody {
 public:
  // The call has at most as many inputs and outputs as the function. `names` gives out names and outlives this.
  FunctionBody(const onnx::NodeProto& call, const onnx::FunctionProto& function, std::string prefix, NameSet* names);

  // Nodes for outputs of the function that are inputs handed through.
  void EmitIdentities(google::protobuf::RepeatedPtrField<onnx::NodeProto>* out) const;
  // Turns a copy of one of the function's nodes into a node of the caller.
  void Rewrite(onnx::NodeProto* node) { Rewrite(node, &root_); }

 private:
  struct Scope {
    std::map<std::string, std::string> names;  // in the function -> in the caller; "" for an omitted input
    const Scope* parent = nullptr;
  };
  std::string Resolve(const std::string& name, const Scope& scope);
  void Define(std::string* name, Scope* scope);
  void Rewrite(onnx::NodeProto* node, Scope* scope);
  void Rewrite(onnx::GraphProto* graph, const Scope& outer);

  const std::string prefix_;
  NameSet* names_;
  Scope root_;
  std::map<std::string, std::string> handed_through_;  // the caller's output -> what it copies
  std::map<std::string, const onnx::AttributeProto*> attributes_;
};

}  // namespace tamis
