// How steep the loss of each sample is at the outputs of each weight layer, where labels say what the loss is.
// Estimated from runs of the network alone: Tamis takes no derivatives.
//
// With g the gradient of a sample's cross-entropy with respect to a layer's outputs, the mean over samples of g g' is
// the empirical Fisher matrix, the second order of the loss where the network is trained. A fit of the layer's outputs
// that counts each sample by |g|^2 is that second order with the outputs of a sample taken alike (as GuidedQuant does
// for groups of outputs: Kim et al. 2025). |g|^2 is the mean square of the loss's derivative along random signs, each
// of which two runs tell (simultaneous perturbation: Spall 1992), for all samples of a batch at once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "src/base/thread_pool.h"
#include "src/ir/graph.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

// How often a sample counts in a fit, by batch, then by sample; 1 in the mean.
using SampleShares = std::vector<std::vector<float>>;

// The output of class scores [samples, classes], or an error (kUser) that says there is none.
struct ScoreOutput {
  ValueId value = kNoValue;
  std::string name;
  int64_t classes = 0;
};
Result<ScoreOutput> FindScoreOutput(const Graph& graph);

struct LossGradientOptions {
  std::set<NodeId> nodes;                    // whose first output is perturbed
  std::vector<std::vector<int64_t>> labels;  // by batch
  uint64_t seed = 1;
  std::function<void(int done, int total, const std::string& what)> progress;
  std::function<bool()> cancelled;
};

// Shares of the samples for every node. A node whose samples can't be told apart (its first axis does not follow the
// batch) has none. Costs 2 kProbes runs of what comes after the node, for each of them. Half of every sample's share is
// its own whatever its gradient, and no gradient counts as more than kMostShare mean ones: few samples hold most of the
// steepness, and a fit to those alone would know its inputs badly. Errors (kUser): no scores; labels that are no class.
inline constexpr int kProbes = 4;
inline constexpr double kMostShare = 8;
Result<std::map<NodeId, SampleShares>> EstimateSampleShares(const Graph& fused, std::span<const NamedTensors> batches,
                                                            const LossGradientOptions& options,
                                                            std::shared_ptr<ThreadPool> pool);

// The mean squares of a node's derivatives, as shares.
SampleShares SharesFromSquares(const std::vector<std::vector<double>>& squares);

// Batches with their samples' labels as a further entry that no network reads, so that samples may be put together
// anew, and the labels taken out again. Error (kUser) if there are fewer labels than samples.
Result<std::vector<NamedTensors>> WithLabelsBeside(std::span<const NamedTensors> batches,
                                                   std::span<const int64_t> labels);
std::vector<std::vector<int64_t>> TakeLabels(std::vector<NamedTensors>* batches);

}  // namespace tamis
