#include "src/runtime/node_runner.h"

#include <map>

#include "src/runtime/prepared_node.h"

namespace tamis {

// One node at one set of input shapes. The scratch graph holds just the node and its operands.
struct NodeRunner::Entry {
  NodeId node = kNoNode;
  std::vector<Dims> dims;
  Graph scratch;
  std::unique_ptr<PreparedNode> prepared;
  std::vector<std::byte> workspace;
};

NodeRunner::NodeRunner(std::shared_ptr<ThreadPool> pool) : pool_(std::move(pool)) {}
NodeRunner::~NodeRunner() = default;

void NodeRunner::Forget(NodeId id) {
  std::erase_if(entries_, [id](const auto& entry) { return entry->node == id; });
}

namespace {

// Operands whose elements decide the output's shape; they are part of the problem, not of its data.
bool DecidesShape(const Tensor& tensor) {
  return IsInteger(tensor.dtype()) && tensor.NumElements() <= 16;
}

Node CopyForScratch(const Node& node) {
  Node copy;
  copy.op = node.op;
  copy.domain = node.domain;
  copy.name = node.name;
  copy.attributes = node.attributes;
  return copy;
}

}  // namespace

Result<std::vector<Tensor>> NodeRunner::Run(const Graph& graph, NodeId id, std::span<const Tensor* const> inputs,
                                            Choice* choice) {
  const Node& node = graph.node(id);
  std::vector<const Tensor*> operands(node.inputs.size(), nullptr);
  std::vector<Dims> dims;
  bool cacheable = true;
  for (size_t i = 0; i < operands.size(); ++i) {
    const bool given = i < inputs.size() && inputs[i] != nullptr;
    operands[i] = given ? inputs[i] : graph.ConstantInput(node, i);
    if (given && DecidesShape(*inputs[i])) cacheable = false;
    dims.push_back(operands[i] ? operands[i]->dims() : Dims{});
  }
  std::vector<DType> dtypes;
  for (ValueId output : node.outputs) {
    dtypes.push_back(output == kNoValue ? DType::kUndefined : graph.value(output).type.dtype);
  }
  if (!cacheable) return EvaluateNode(node, graph.Opset(node.domain), operands, dtypes);

  Entry* entry = nullptr;
  for (const auto& candidate : entries_) {
    if (candidate->node == id && candidate->dims == dims) entry = candidate.get();
  }
  if (entry == nullptr) {
    auto fresh = std::make_unique<Entry>();
    fresh->node = id;
    fresh->dims = dims;
    fresh->scratch.opsets = graph.opsets;
    Node copy = CopyForScratch(node);
    for (size_t i = 0; i < operands.size(); ++i) {
      if (operands[i] == nullptr) {
        copy.inputs.push_back(kNoValue);
        continue;
      }
      const std::string name = "in" + std::to_string(i);
      const bool constant = i >= inputs.size() || inputs[i] == nullptr;
      if (constant) {
        copy.inputs.push_back(fresh->scratch.AddConstant(name, *operands[i]));
        fresh->scratch.value(copy.inputs.back()).pattern = graph.value(node.inputs[i]).pattern;
      } else {
        copy.inputs.push_back(
            fresh->scratch.AddValue(name, Type::Tensor(operands[i]->dtype(), ToShape(operands[i]->dims()))));
      }
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      copy.outputs.push_back(node.outputs[i] == kNoValue ? kNoValue
                                                         : fresh->scratch.AddValue("out" + std::to_string(i)));
    }
    const NodeId scratch_id = fresh->scratch.AddNode(std::move(copy));
    TAMIS_RETURN_IF_ERROR(InferNode(fresh->scratch, scratch_id));
    auto prepared = PreparedNode::Make(fresh->scratch, fresh->scratch.node(scratch_id), pool_->threads(),
                                       choice ? choice->wish : std::string(), cache_);
    if (!prepared.ok()) return EvaluateNode(node, graph.Opset(node.domain), operands, dtypes);
    fresh->prepared = std::move(prepared).value();
    fresh->workspace.resize(fresh->prepared->WorkspaceBytes() + 64);
    entries_.push_back(std::move(fresh));
    entry = entries_.back().get();
  }
  if (choice != nullptr) choice->tactic = entry->prepared->tactic();
  const Problem& problem = entry->prepared->problem();
  std::vector<const void*> in;
  for (const Tensor* operand : operands) in.push_back(operand ? operand->raw() : nullptr);
  std::vector<Tensor> outputs;
  std::vector<void*> out;
  for (const Operand& output : problem.outputs) {
    outputs.push_back(output.Present() ? Tensor(output.dtype, output.dims) : Tensor());
    out.push_back(output.Present() ? outputs.back().raw() : nullptr);
  }
  void* workspace = entry->workspace.data();
  size_t space = entry->workspace.size();
  std::align(64, entry->workspace.size() - 64, workspace, space);
  TAMIS_RETURN_IF_ERROR(entry->prepared->Run(in, out, static_cast<std::byte*>(workspace), *pool_));
  return outputs;
}

}  // namespace tamis
