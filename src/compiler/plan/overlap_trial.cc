#include "src/compiler/plan/overlap_trial.h"

#include <algorithm>

#include "src/runtime/benchmark.h"
#include "src/runtime/plan_choice.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

constexpr int kRounds = 4;        // of which the first two only warm up
constexpr double kSeconds = 0.2;  // of one measurement

// Kernels of libraries are named after them; all others wait for their predecessor inside (launch.h).
bool IsLibrary(const std::string& kernel) {
  return kernel.find("_cublaslt/") != std::string::npos || kernel.find("_cudnn/") != std::string::npos;
}

std::vector<NodePlan> PreferOverlap(const std::vector<NodePlan>& nodes, double slack) {
  std::vector<NodePlan> preferred = nodes;
  for (NodePlan& node : preferred) {
    if (!IsLibrary(node.kernel)) continue;
    const Candidate* best = nullptr;
    for (const Candidate& candidate : node.candidates) {
      if (candidate.seconds <= 0 || IsLibrary(candidate.kernel)) continue;
      if (best == nullptr || candidate.seconds < best->seconds) best = &candidate;
    }
    if (best == nullptr || best->seconds > node.seconds * slack) continue;
    node.kernel = best->kernel;
    node.seconds = best->seconds;
  }
  return preferred;
}

// Names of kernels of 2:4 weights have a 24 in them.
bool IsSparse(const std::string& kernel) {
  return kernel.find("24_") != std::string::npos;
}

// The fastest dense kernel wherever a 2:4 one won. Sparse tensor cores draw more power, which the timing of one kernel
// does not show.
std::vector<NodePlan> PreferDense(const std::vector<NodePlan>& nodes) {
  std::vector<NodePlan> preferred = nodes;
  for (NodePlan& node : preferred) {
    if (!IsSparse(node.kernel)) continue;
    const Candidate* best = nullptr;
    for (const Candidate& candidate : node.candidates) {
      if (candidate.seconds <= 0 || IsSparse(candidate.kernel)) continue;
      if (best == nullptr || candidate.seconds < best->seconds) best = &candidate;
    }
    if (best == nullptr) continue;
    node.kernel = best->kernel;
    node.seconds = best->seconds;
  }
  return preferred;
}

}  // namespace

Status TryOverlap(const Graph& fused, const CudaProgramOptions& options, PlanPoint* point) {
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Dims> dims, BoundInputDims(fused, point->binding));
  const std::vector<TensorSpec> specs = InputSpecs(fused);
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, RandomOperands(specs, point->binding, 1));

  const std::vector<NodePlan> winners = point->nodes;
  std::vector<std::vector<NodePlan>> trials = {winners};
  for (const double slack : {1.1, 1.25, 1.5}) trials.push_back(PreferOverlap(winners, slack));
  const auto sparse = [](const NodePlan& node) { return IsSparse(node.kernel); };
  if (std::any_of(winners.begin(), winners.end(), sparse)) {
    for (size_t i = 0; i < 4; ++i) trials.push_back(PreferDense(trials[i]));
  }
  PackCache cache;
  std::vector<std::unique_ptr<CudaProgram>> programs;
  for (const std::vector<NodePlan>& nodes : trials) {
    TAMIS_ASSIGN_OR_RETURN(Graph concrete, Specialize(fused, dims));
    auto program = CudaProgram::Make(std::move(concrete), options.Wishing(WishOf(nodes)), cache);
    if (!program.ok()) {
      if (programs.empty()) return program.status();
      break;  // there is no memory for more of them at once
    }
    programs.push_back(std::move(program).value());
  }
  // In turns, and long enough that the clocks are those of a card under load.
  std::vector<double> best(programs.size(), 0);
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < programs.size(); ++i) {
      const int repeats = best[i] > 0 ? std::clamp(static_cast<int>(kSeconds / best[i]), 20, 2000) : 20;
      const auto measured = programs[i]->Measure(inputs, repeats);
      if (!measured.ok()) return {};  // nodes on the CPU: the launches of the GPU are not what it waits for
      best[i] = round < 2 ? measured->seconds : std::min(best[i], measured->seconds);
    }
  }
  size_t chosen = 0;
  for (size_t i = 1; i < best.size(); ++i) {
    if (best[i] < best[chosen] * 0.99) chosen = i;
  }
  point->nodes = trials[chosen];
  return {};
}

}  // namespace tamis
