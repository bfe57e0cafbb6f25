// The dense and the pruned network side by side on the same samples, node by node.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "src/base/tensor_store.h"
#include "src/runtime/node_runner.h"
#include "tamis/session.h"

namespace tamis {

// A value that both networks agree on is computed and stored once: its two tensors share their elements. Both graphs
// have the same nodes and values and differ in constants only (and in inputs that were added to a node); they must
// outlive the run. Not synchronised.
class PairedRun {
 public:
  PairedRun(const Graph& dense, const Graph& pruned, std::shared_ptr<ThreadPool> pool);
  // Takes the inputs, named as the graph names them. Values of an earlier Start are dropped. With a store (it may be
  // null), values lie on disk but for those of the batch that is worked on.
  Status Start(std::span<const NamedTensors> batches, std::shared_ptr<TensorStore> store);
  size_t batches() const { return dense_.size(); }

  // The node in the dense network; afterwards the pruned one has the same results.
  Status RunDense(NodeId id);
  // The node in the pruned network, which has another weight (`changed`) or not. RunDense must have been called.
  Status RunPruned(NodeId id, bool changed);
  // What a Linear or ChannelsLastConv node gives in the dense network, before its activation, in f32.
  Result<Tensor> DenseResult(size_t batch, NodeId id);
  // What that node with the dense network's weight lacks of it when it reads the pruned network's operands (a residual
  // among them) instead; nothing if they are the same.
  Result<std::optional<Tensor>> Gap(size_t batch, NodeId id);
  // The pruned network has the dense network's values everywhere again.
  void ResetPruned() { pruned_ = dense_; }
  void Release(ValueId value);
  // Releases what nobody reads after the node. `last` is LastReaders of the dense graph.
  void ReleaseAfter(NodeId id, const std::vector<NodeId>& last);
  // The batch's values leave memory, if they are on disk, until they are read again.
  void Rest(size_t batch) const;

  const Tensor& dense(size_t batch, ValueId value) const { return dense_[batch][static_cast<size_t>(value)]; }
  const Tensor& pruned(size_t batch, ValueId value) const { return pruned_[batch][static_cast<size_t>(value)]; }
  bool Same(size_t batch, ValueId value) const { return dense(batch, value).raw() == pruned(batch, value).raw(); }

 private:
  using Values = std::vector<Tensor>;
  // Outputs of a node, where values are kept.
  Status Keep(std::vector<Tensor>* outputs) const;
  bool SameOperands(size_t batch, const Node& node) const;
  static Result<std::vector<Tensor>> RunNode(NodeRunner& runner, const Graph& graph, NodeId id, const Values& values);

  const Graph& dense_graph_;
  const Graph& pruned_graph_;
  Graph linear_graph_;  // the dense graph without its products' activations
  NodeRunner dense_runner_, pruned_runner_, linear_runner_;
  std::shared_ptr<TensorStore> store_;
  std::vector<Values> dense_, pruned_;  // by batch, then by value
};

// For every value the last node that reads it, kNoNode if none does.
std::vector<NodeId> LastReaders(const Graph& graph);
// The most bytes that values of one network take at once for these inputs, when each is freed after its last reader or,
// with `hold_all`, none is. Values whose shape does not follow from the inputs' count nothing.
size_t ValueBytes(const Graph& graph, const NamedTensors& inputs, bool hold_all);

}  // namespace tamis
