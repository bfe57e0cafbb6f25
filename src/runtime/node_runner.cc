#include "src/runtime/node_runner.h"

#include "src/runtime/node_kernels.h"

namespace tamis {

NodeRunner::NodeRunner(std::shared_ptr<ThreadPool> pool) : pool_(std::move(pool)) {}
NodeRunner::~NodeRunner() = default;

void NodeRunner::Forget(NodeId id) {
  std::erase_if(kernels_, [id](const auto& entry) { return entry.first.node == id; });
}

NodeKernels& NodeRunner::KernelsOf(const Graph& graph, NodeId id, const std::string& wish) {
  auto& kernels = kernels_[Key{&graph, id, wish}];
  if (kernels == nullptr) kernels = std::make_unique<NodeKernels>(graph, id, pool_->threads(), wish, &cache_);
  return *kernels;
}

Result<std::vector<Tensor>> NodeRunner::Run(const Graph& graph, NodeId id, std::span<const Tensor* const> inputs,
                                            Choice* choice) {
  const Node& node = graph.node(id);
  std::vector<const Tensor*> operands(node.inputs.size(), nullptr);
  bool fixed_size = true;
  for (size_t i = 0; i < operands.size(); ++i) {
    const Tensor* constant = graph.ConstantInput(node, i);
    operands[i] = constant == nullptr && i < inputs.size() ? inputs[i] : constant;
    fixed_size = fixed_size && (operands[i] == nullptr || BitSize(operands[i]->dtype()) > 0);
  }
  std::shared_ptr<const ShapedNode> shaped;
  if (fixed_size) shaped = KernelsOf(graph, id, choice ? choice->wish : std::string()).Find(operands);
  if (shaped == nullptr) {
    std::vector<DType> dtypes;
    for (ValueId output : node.outputs) {
      dtypes.push_back(output == kNoValue ? DType::kUndefined : graph.value(output).type.dtype);
    }
    return EvaluateNode(node, graph.Opset(node.domain), operands, dtypes);
  }
  std::vector<Tensor> outputs;
  if (shaped->prepared == nullptr) {
    outputs.push_back(operands[0]->Reshaped(shaped->outputs[0].dims));
    return outputs;
  }
  if (choice != nullptr) choice->tactic = shaped->prepared->tactic();
  std::vector<const void*> in;
  for (const Tensor* operand : operands) in.push_back(operand ? operand->raw() : nullptr);
  std::vector<void*> out;
  for (const ShapedNode::Output& output : shaped->outputs) {
    const bool given = output.dtype != DType::kUndefined;
    outputs.push_back(given ? Tensor(output.dtype, output.dims) : Tensor());
    out.push_back(given ? outputs.back().raw() : nullptr);
  }
  const size_t workspace = shaped->prepared->WorkspaceBytes();
  if (workspace_ == nullptr || workspace_->Bytes() < workspace) workspace_ = std::make_unique<PackedBytes>(workspace);
  TAMIS_RETURN_IF_ERROR(shaped->prepared->Run(in, out, workspace_->data(), *pool_));
  return outputs;
}

}  // namespace tamis
