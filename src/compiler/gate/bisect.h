// Where two runs of a network part: the pass, the kernel or the node at fault.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/measure/trace.h"
#include "src/kernels/block/row_block.h"
#include "src/passes/pass.h"

namespace tamis {

struct BisectTrial {
  std::string what;    // "after fold_constants (pass 3 of 22)"
  double error = 0;    // largest relative error of an output
  std::string failed;  // why it could not be run; empty if it could
};

struct BisectReport {
  std::string stage;  // what was switched on: "passes", "kernels", "blocks", "graphs"
  std::vector<BisectTrial> trials;
  std::string pass;  // at fault; empty if none is
  std::optional<Parting> parting;
  bool parted() const { return parting.has_value() || !pass.empty(); }
};

using BisectProgress = std::function<void(int done, int total, const std::string& what)>;

struct BisectOptions {
  double tolerance = 1e-3;  // relative to the largest magnitude of a value
  PassOptions passes;
  int threads = 0;
  BisectProgress progress;
};

// Switches the passes on one after another, each graph evaluated by the operators' references on the same inputs, and
// finds the first after which an output differs from the unfused graph's; then the first value at fault inside it.
Result<BisectReport> BisectPasses(const Graph& graph, const std::vector<Pass>& passes, const NamedTensors& inputs,
                                  const BisectOptions& options);

// Runs every node of `fused` on the kernel that a session would choose (`wish` as in a plan, may be empty) and judges
// it against the operator's reference on the same operands; the nodes of regions' bodies too, in their first run.
Result<BisectReport> BisectKernels(const Graph& fused, const NamedTensors& inputs,
                                   const std::function<std::string(const std::string& node)>& wish,
                                   const BisectOptions& options);

// Runs every block of a plan and judges it against its layers one by one, by the same kernels on the same operands.
Result<BisectReport> BisectBlocks(const Graph& fused, const NamedTensors& inputs, std::span<const BlockSpec> blocks,
                                  const BisectOptions& options);

// Two networks with the same names of values, `a` judged against `b`, both by reference.
Result<BisectReport> BisectGraphs(const Graph& a, const Graph& b, const NamedTensors& inputs,
                                  const BisectOptions& options);

}  // namespace tamis
