// A graph bound to concrete shapes: kernels prepared, memory planned. What a session runs.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "src/kernels/block/row_block.h"
#include "src/runtime/arena_pool.h"
#include "src/runtime/buffer_pool.h"
#include "src/runtime/memory_layout.h"
#include "src/runtime/micro_batches.h"
#include "src/runtime/prepared_node.h"
#include "tamis/session.h"

namespace tamis {

struct ProgramOptions {
  int threads = 1;
  KernelWish wish;                                 // may be empty
  std::shared_ptr<ArenaPool> arenas = nullptr;     // shared between programs; null: one of its own
  std::vector<BlockSpec> blocks = {};              // nodes that run as one where that is possible
  std::function<void(const Tensor&)> packed = {};  // may be empty; told each constant of a node that is prepared
  MicroBatchSpec micro_batches = {};               // layers that run for parts of the batch where that is possible
};

// Thread-safe: each Run takes an arena of its own from the pool.
class Program {
 public:
  // `graph` as Specialize makes it; taken over.
  static Result<std::unique_ptr<Program>> Make(Graph graph, const ProgramOptions& options, PackCache& cache);

  // `inputs` in the order of the graph's inputs, with the dtypes and dimensions it was made for.
  Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs, ThreadPool& pool) const;
  // The same into `outputs`, which fit OutputTypes(). Allocates nothing once as many runs as go on at once have been
  // made, but for nodes that run their reference evaluation.
  Status RunInto(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs, ThreadPool& pool) const;
  // Mean time of every node over `repeats` runs.
  Result<std::vector<Session::NodeTime>> Profile(std::span<const Tensor> inputs, int repeats, ThreadPool& pool) const;

  const Graph& graph() const { return graph_; }
  size_t ArenaBytes() const { return memory_.planned; }
  const MemoryFigures& memory() const { return memory_; }
  struct OutputType {
    DType dtype;
    Dims dims;
  };
  const std::vector<OutputType>& OutputTypes() const { return output_types_; }
  // Memory for output `i`, its elements not set. It is used again when the last tensor on it is gone: fresh pages cost
  // more than most operators take to fill them.
  Tensor NewOutput(size_t i) const { return results_->NewTensor(output_types_[i].dtype, output_types_[i].dims); }

 private:
  // A node with its kernel, or layers that run for one part of the batch after another.
  struct Step {
    NodeId node = kNoNode;
    std::unique_ptr<PreparedNode> prepared;  // null: `layers` run
    std::unique_ptr<Program> layers;
    int64_t parts = 1;
    std::vector<size_t> input_part_bytes, output_part_bytes;  // from one part to the next; 0: the same for all
    std::vector<Place> inputs, outputs;
    size_t workspace_offset = 0;
  };
  // Where the graph's inputs and outputs are during a run, and what the run works with.
  struct RunState {
    std::span<const void* const> inputs;
    std::span<void* const> outputs;
    std::byte* arena = nullptr;
    ArenaBlock* block = nullptr;
    double* seconds = nullptr;  // null, or NumTimes() sums
  };
  Program() = default;
  static Result<std::unique_ptr<Program>> MakeAsItIs(Graph graph, const ProgramOptions& options, PackCache& cache);
  static Result<Step> MakeStep(const Graph& graph, NodeId id, const ProgramOptions& options, PackCache& cache);
  static Status PrepareParts(const Graph& graph, const ProgramOptions& options, PackCache& cache, Step* step);
  void PlaceValues();
  size_t NumTimes() const;
  void AddNodeTimes(const double* seconds, int repeats, std::vector<Session::NodeTime>* times) const;
  Status RunAt(const RunState& state, ThreadPool& pool) const;
  static Status RunParts(const Step& step, std::span<const void* const> inputs, std::span<void* const> outputs,
                         const RunState& state, ThreadPool& pool);
  Status RunTimed(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs, ThreadPool& pool,
                  std::vector<double>* seconds) const;

  Graph graph_;
  std::vector<Step> steps_;
  std::vector<Place> output_places_;  // of the graph's outputs; kOutput: written in place
  std::vector<OutputType> output_types_;
  size_t most_inputs_ = 0, most_outputs_ = 0;  // addresses that a run holds at once
  MemoryFigures memory_;
  std::shared_ptr<ArenaPool> arenas_;
  std::shared_ptr<BufferPool> results_ = BufferPool::Make();
};

}  // namespace tamis
