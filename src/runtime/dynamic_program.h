// A graph that runs node by node, because not all of its shapes are known before it runs: dimensions depend on data, or
// there are regions, sequences, optionals or strings. Kernels are those a Program would take; they are prepared when a
// node first meets its operands' shapes and kept.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/runtime/buffer_pool.h"
#include "src/runtime/node_kernels.h"
#include "src/runtime/program.h"
#include "tamis/datum.h"

namespace tamis {

// Whether a graph as Specialize makes it can't be a Program.
bool RunsNodeByNode(const Graph& concrete);

// Thread-safe: each Run has values of its own; kernels and recycled buffers are shared.
class DynamicProgram {
 public:
  // `graph` as Specialize makes it; taken over.
  static Result<std::unique_ptr<DynamicProgram>> Make(Graph graph, const ProgramOptions& options, PackCache& cache);
  ~DynamicProgram();

  // `inputs` in the order of the graph's inputs. A value's memory is free again after its last reader, and a loop takes
  // what one iteration takes. Asks `cancelled`, if given, before every node; a run that it ends is an error.
  Result<std::vector<Datum>> Run(std::span<const Datum> inputs, ThreadPool& pool,
                                 const std::function<bool()>& cancelled = {}) const;
  // Mean time of every node over `repeats` runs, a body's nodes summed over its iterations. What nodes with regions
  // take is without their bodies.
  Result<std::vector<Session::NodeTime>> Profile(std::span<const Datum> inputs, int repeats, ThreadPool& pool) const;

  const Graph& graph() const { return graph_; }

 private:
  struct Block;
  struct Step;
  struct Record;
  struct Frame;
  class Execution;
  class Regions;
  DynamicProgram();
  Status MakeBlock(const Graph& graph, const std::string& path, const ProgramOptions& options, PackCache& cache,
                   Block* block);

  Graph graph_;
  std::unique_ptr<Block> main_;
  std::vector<std::string> names_;  // of all steps, a body's with what it is the body of in front
  std::vector<std::string> ops_;
  std::shared_ptr<BufferPool> buffers_ = BufferPool::Make();
};

}  // namespace tamis
