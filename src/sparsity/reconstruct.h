// One-shot pruning of one weight, to 2:4 or by another rule, as a least-squares problem over masks and weights, by
// alternating minimisation and local search, against the dense network's outputs on the pruned network's inputs.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "src/base/thread_pool.h"
#include "src/sparsity/magnitude.h"
#include "src/sparsity/moments.h"
#include "src/sparsity/objective.h"
#include "tamis/status.h"

namespace tamis {

struct ReconstructOptions {
  // lambda, as a share of the mean squared input; 0: the one of kDampings under which half of the rows predict the
  // other half best
  double damping = 0;
  int turns = 32;            // of the search for masks and weights
  int descent_rounds = 1;    // of the local search that improves the mask; 0: none
  int refit_iterations = 8;  // on the kept elements, once the mask is final; 0: none
  MaskRule rule;             // local search is for 2:4
  bool paired = false;       // paired 2:4: outputs in pairs that keep the same positions
  bool free_bias = true;     // the layer has a bias that may move: outputs are compared about their means
};

inline constexpr std::array<double, 5> kDampings = {0.003, 0.01, 0.03, 0.1, 0.3};

struct PrunedWeight {
  std::vector<float> weight;      // [N][K], as the rule says
  std::vector<float> bias_delta;  // [N], to be added to the bias; empty without free_bias
  Mask mask;
  double saliency_kept = 1;  // share of the dense weight's squared magnitude under the mask
  double output_error = 0;   // |Y - Y^|^2 / |Y|^2 over the calibration rows (about the means with free_bias)
};

// The objective of a weight, [N][K] as `layout` says, and the moments of its inputs over one or several sets of
// samples. With one, or few rows, damping can't be compared and is kUsualDamping unless given. At its peak there are
// four K x K matrices of doubles, counted with the two of the moments.
inline constexpr double kUsualDamping = 0.01;
Objective MakeObjective(std::span<const float> weight, const WeightLayout& layout, std::vector<Moments> folds,
                        const ReconstructOptions& options, ThreadPool& pool);

// No row's damped error is above that of the magnitude mask with refitted weights. Error (kRuntime) if the moments
// can't be factorised even with damping, as when inputs hold infinities. With `options.paired` both masks are chosen
// for the pairs of ChoosePartners, whose costs are the squared weights times their inputs' energies, and it is the
// pair's damped error that is not above that of the other.
Result<PrunedWeight> Reconstruct(const Objective& objective, const WeightLayout& layout,
                                 const ReconstructOptions& options, ThreadPool& pool);

// A mask by the size of each weight alone; the bias moves if `options.free_bias`, what is kept stays as it is. By the
// weight's magnitude, or by what dropping it alone adds to the layer's error: its square times its input's energy,
// which is the diagonal of the second order, and the square of weight times activation.
enum class Saliency : uint8_t { kMagnitude, kActivation };
PrunedWeight PruneBySaliency(const Objective& objective, const WeightLayout& layout, Saliency saliency,
                             const ReconstructOptions& options, ThreadPool& pool);

}  // namespace tamis
