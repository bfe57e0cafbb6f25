// Runs single nodes of a graph on tensors of any shape: what layer-by-layer work (pruning, constant checks) uses
// instead of the planned executor. Kernels are the cost model's first choice, the reference where there is none.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/base/thread_pool.h"
#include "src/ir/graph.h"
#include "src/kernels/pack_cache.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

class NodeKernels;

// Not synchronised.
class NodeRunner {
 public:
  explicit NodeRunner(std::shared_ptr<ThreadPool> pool);
  ~NodeRunner();
  // `inputs` follow node.inputs; an omitted one is null, constants are taken from the graph, which must outlive its
  // last Run. Prepared kernels are kept per (node, shapes); Forget drops a node's after its weight has changed.
  // `choice`, if given, names the kernel to take where it can, and receives the one that was taken.
  struct Choice {
    std::string wish;
    std::string tactic = "reference";
  };
  Result<std::vector<Tensor>> Run(const Graph& graph, NodeId id, std::span<const Tensor* const> inputs,
                                  Choice* choice = nullptr);
  void Forget(NodeId id);
  ThreadPool& pool() { return *pool_; }

 private:
  struct Key {
    const Graph* graph;
    NodeId node;
    std::string wish;
    auto operator<=>(const Key&) const = default;
  };
  NodeKernels& KernelsOf(const Graph& graph, NodeId id, const std::string& wish);

  std::shared_ptr<ThreadPool> pool_;
  PackCache cache_;
  std::map<Key, std::unique_ptr<NodeKernels>> kernels_;
  std::unique_ptr<PackedBytes> workspace_;
};

}  // namespace tamis
