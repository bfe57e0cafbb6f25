// Whether a plan for another device answers as the CPU does.
//
// The tuner checks every kernel alone, on operands of its own. What only a whole network shows (a kernel that starts
// before its input is complete, two that share memory, a fusion that is wrong for this graph) is looked for here.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/runtime/devices/cuda/cuda_program.h"

namespace tamis {

// A device that a network can be run on by chosen kernels.
class PlanRunner {
 public:
  virtual ~PlanRunner() = default;
  // Prepares the network for the kernels of `nodes`, runs it `repeats` times on the same inputs and calls
  // visit(outputs) after each run.
  using Visit = std::function<Status(std::span<const Tensor>)>;
  virtual Status Run(const std::vector<NodePlan>& nodes, int repeats, const Visit& visit) = 0;
};

// Outputs as they should be, and how far from them they may be.
//
// The network is run on the CPU twice: with every value in f32, and with the values of half precision rounded to it,
// node by node, while codes near a half fall to its other side. How far the two are apart is what this network makes of
// that rounding. A device rounds at other places and sums in another order, so it may be kFactor times as far away, and
// at least kRoundings roundings.
class PlanReference {
 public:
  static constexpr double kFactor = 4, kRoundings = 8;
  // `concrete` as Specialize makes it, before fusions that only the device wants. Null if the answers are not finite,
  // so that nothing can be said.
  static Result<std::unique_ptr<PlanReference>> Make(const Graph& concrete, const std::vector<Tensor>& inputs,
                                                     int threads);

  // An output's error over what it may be, the worst output's: at most 1 if all are right.
  double Excess(std::span<const Tensor> outputs) const;

 private:
  struct Error {
    double root = 0;     // of the mean square of the differences, over that of the output
    double largest = 0;  // difference, over the largest magnitude
    double share = 0;    // of elements that differ, where they are no floats
  };
  static Error ErrorOf(const Tensor& tensor, const Tensor& exact);
  struct Output {
    Tensor exact;
    Error allowed;
  };
  std::vector<Output> outputs_;
};

struct PlanVerdict {
  bool right = false;
  double excess = 0;  // of the plan as it is in the end; if it is not right, as it came. Of the worst run
  // What was found wrong and what was done about it; empty if the plan was right.
  std::vector<std::string> notices;
};

// Runs the plan several times, because a race is not lost every time. If it is wrong, the node at fault is looked for:
// nodes are given their next best kernels from the first one on, and bisection finds how many it takes until the
// answers are right. The last of these keeps its other kernel, the first choice is struck out with the reason, and so
// on until the plan is right or nothing helps. Kernels are exchanged rather than values looked at, because looking
// changes the memory and the timing that a fault may depend on. `nodes` becomes what was found right.
Result<PlanVerdict> VerifyPlan(const PlanReference& reference, PlanRunner& runner, std::vector<NodePlan>* nodes);

// The same for one point of a plan of `fused` on a GPU. A network that can't be compared (it runs node by node, or its
// answers to random inputs are not finite) counts as right, with a notice that says so.
Result<PlanVerdict> VerifyCudaPlan(const Graph& fused, const CudaProgramOptions& options, PlanPoint* point);

}  // namespace tamis
