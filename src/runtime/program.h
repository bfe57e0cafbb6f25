// A graph bound to concrete shapes: kernels prepared, memory planned. What a session runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "src/runtime/arena_pool.h"
#include "src/runtime/prepared_node.h"
#include "tamis/session.h"

namespace tamis {

struct ProgramOptions {
  int threads = 1;
  KernelWish wish;                              // may be empty
  std::shared_ptr<ArenaPool> arenas = nullptr;  // shared between programs; null: one of its own
};

// Thread-safe: each Run takes an arena of its own from the pool.
class Program {
 public:
  // `graph` as Specialize makes it; taken over.
  static Result<std::unique_ptr<Program>> Make(Graph graph, const ProgramOptions& options, PackCache& cache);

  // `inputs` in the order of the graph's inputs, with the dtypes and dimensions it was made for.
  Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs, ThreadPool& pool) const;
  // Mean time of every node over `repeats` runs.
  Result<std::vector<Session::NodeTime>> Profile(std::span<const Tensor> inputs, int repeats, ThreadPool& pool) const;

  const Graph& graph() const { return graph_; }
  size_t ArenaBytes() const { return arena_bytes_; }

 private:
  // Where a value's bytes are during a run.
  struct Place {
    enum class Kind : uint8_t { kNone, kConstant, kInput, kOutput, kArena };
    Kind kind = Kind::kNone;
    const void* constant = nullptr;
    size_t index = 0;  // of the input or output
    size_t offset = 0;
  };
  struct Step {
    NodeId node = kNoNode;
    std::unique_ptr<PreparedNode> prepared;
    std::vector<Place> inputs, outputs;
    size_t workspace_offset = 0;
  };
  Program() = default;
  Status PlaceValues();
  Result<std::vector<Tensor>> RunTimed(std::span<const Tensor> inputs, ThreadPool& pool,
                                       std::vector<double>* seconds) const;

  Graph graph_;
  std::vector<Step> steps_;
  std::vector<Place> output_places_;  // of the graph's outputs; kOutput: written in place
  size_t arena_bytes_ = 0;
  std::shared_ptr<ArenaPool> arenas_;
};

}  // namespace tamis
