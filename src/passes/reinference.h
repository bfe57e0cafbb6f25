// Shape inference of what a rewrite changed: most passes change little of a large graph, and many change nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "src/ir/graph.h"
#include "src/passes/hash_set.h"
#include "tamis/status.h"

namespace tamis {

// Infers nodes of a graph, whose other nodes are inferred, in order: those that are asked for, and those that read what
// came out otherwise than before.
class Reinference {
 public:
  explicit Reinference(Graph& graph) : graph_(graph), changed_(graph.NumValues(), false) {}

  // The value is not what its readers were inferred with.
  void Changed(ValueId id) { changed_[static_cast<size_t>(id)] = true; }
  // Infers the node if `wanted` or if it reads a changed value; `*inferred`, if not null: whether that was so.
  Status Visit(NodeId id, bool wanted, bool* inferred = nullptr);

 private:
  bool ReadsChanged(const Node& node) const;

  Graph& graph_;
  std::vector<bool> changed_;
};

// What a graph was when its shapes were inferred last.
class InferredState {
 public:
  // Of a graph whose shapes are inferred.
  static InferredState Of(const Graph& graph);
  // Infers all of the graph first.
  static Result<InferredState> Infer(Graph& graph);
  // After a rewrite: infers what is new or reads something that is. Whether the rewrite changed anything.
  Result<bool> Update(Graph& graph);
  // Whether any node has regions.
  bool has_regions() const { return has_regions_; }

 private:
  HashSet nodes_;       // hashes of the nodes
  uint64_t graph_ = 0;  // of all of them in order, with the graph's inputs and outputs
  bool has_regions_ = false;
};

}  // namespace tamis
