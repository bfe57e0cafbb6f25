#include "src/compiler/optimize/predict.h"

#include "src/compiler/plan/layer_weight.h"
#include "src/kernels/problem.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// Why no 2:4 kernel can run: the refusals of the kernels that are for 2:4, which is those that refuse the dense weight.
std::string SparseRefusal(const TunedNode& sparse) {
  std::string text;
  for (const TimedKernel& candidate : sparse.candidates) {
    if (candidate.kernel.find("24") == std::string::npos || candidate.seconds > 0) continue;
    text += (text.empty() ? "" : "; ") + candidate.kernel + ": " + candidate.reason;
  }
  return text.empty() ? "no 2:4 kernel for this operator" : text;
}

// The best tactic among those made for 2:4, which is not the best of all: dense kernels accept 2:4 weights too.
void KeepSparseKernels(const Problem& problem, TunedNode* tuned) {
  tuned->kernel.clear();
  tuned->seconds = 0;
  for (const TimedKernel& candidate : tuned->candidates) {
    const KernelDef* kernel = FindKernel(candidate.kernel);
    if (candidate.seconds <= 0 || kernel == nullptr) continue;
    Problem dense = problem;
    dense.inputs[1].pattern = Pattern::kDense;
    if (kernel->supports(dense).ok()) continue;
    if (tuned->kernel.empty() || candidate.seconds < tuned->seconds) {
      tuned->kernel = candidate.kernel;
      tuned->seconds = candidate.seconds;
    }
  }
}

}  // namespace

double GainPrediction::DenseSeconds() const {
  return SecondsWith([](const LayerTime&) { return false; });
}

double GainPrediction::SecondsWith(const std::function<bool(const LayerTime&)>& pruned) const {
  double seconds = other_seconds;
  for (const LayerTime& layer : layers) seconds += pruned(layer) ? layer.Best() : layer.dense_seconds;
  return seconds;
}

double GainPrediction::SecondsWithPaired(const std::function<bool(const LayerTime&)>& pruned) const {
  double seconds = other_seconds;
  for (const LayerTime& layer : layers) seconds += pruned(layer) ? layer.BestPaired() : layer.dense_seconds;
  return seconds;
}

Result<GainPrediction> PredictGain(const Graph& fused, const std::map<std::string, int64_t>& binding, Tuner& tuner,
                                   int threads) {
  TAMIS_ASSIGN_OR_RETURN(const Graph concrete, SpecializeAt(fused, binding));
  GainPrediction prediction;
  for (NodeId id : concrete.NodeIds()) {
    const Node& node = concrete.node(id);
    if (IsView(node) || !IsConcrete(concrete, node)) continue;  // what depends on data has no time of its own
    TAMIS_ASSIGN_OR_RETURN(const Problem problem, MakeProblem(concrete, node, threads));
    const ValueId weight = LayerWeight(concrete, node);
    if (weight == kNoValue) {
      TAMIS_ASSIGN_OR_RETURN(const TunedNode tuned, tuner.TimeProblem(problem));
      prediction.other_seconds += tuned.seconds;
      continue;
    }
    TAMIS_ASSIGN_OR_RETURN(const TunedNode dense, tuner.TimeAs(problem, Pattern::kDense));
    TAMIS_ASSIGN_OR_RETURN(TunedNode sparse, tuner.TimeAs(problem, Pattern::kTwoFour));
    KeepSparseKernels(problem, &sparse);
    LayerTime layer;
    layer.node = concrete.value(node.outputs[0]).name;
    layer.weight = WeightName(concrete, weight);
    layer.dense_seconds = dense.seconds;
    layer.dense_kernel = dense.kernel;
    layer.sparse_seconds = sparse.seconds;
    layer.sparse_kernel = sparse.kernel;
    TAMIS_ASSIGN_OR_RETURN(TunedNode paired, tuner.TimeAs(problem, Pattern::kTwoFour, true));
    KeepSparseKernels(problem, &paired);
    layer.paired_seconds = paired.seconds;
    layer.paired_kernel = paired.kernel;
    if (sparse.kernel.empty()) layer.sparse_reason = SparseRefusal(sparse);
    prediction.layers.push_back(std::move(layer));
  }
  return prediction;
}

}  // namespace tamis
