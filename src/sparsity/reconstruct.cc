#include "src/sparsity/reconstruct.h"

#include <limits>
#include <numeric>

#include "src/sparsity/alternate.h"
#include "src/sparsity/group_descent.h"
#include "src/sparsity/objective.h"
#include "src/sparsity/partners.h"
#include "src/sparsity/refit.h"

namespace tamis {
namespace {

RowMatrix Masked(const RowMatrix& weight, const Mask& mask) {
  RowMatrix result = weight;
  for (Eigen::Index i = 0; i < result.size(); ++i) {
    if (!mask[static_cast<size_t>(i)]) result.data()[i] = 0;
  }
  return result;
}

PrunedWeight Finish(const Objective& objective, const RowMatrix& v, Mask mask) {
  PrunedWeight pruned;
  pruned.weight = ToF32(v);
  const std::vector<float> dense = ToF32(objective.weight());
  pruned.saliency_kept = SaliencyKept(dense, mask);
  pruned.mask = std::move(mask);
  const double energy = objective.energies().sum();
  const double error = objective.Errors(v).sum();
  pruned.output_error = energy > 0 ? error / energy : 0;
  if (objective.centred()) pruned.bias_delta = objective.BiasDelta(v);
  return pruned;
}

// Every row its own, or, if `paired`, the pairs.
std::vector<int64_t> PartnersOf(const Objective& objective, const WeightLayout& layout, bool paired, ThreadPool& pool) {
  std::vector<int64_t> alone(static_cast<size_t>(layout.rows));
  std::iota(alone.begin(), alone.end(), 0);
  if (!paired) return alone;
  const RowMatrix saliency =
      objective.weight().array().square().rowwise() * objective.hessian().diagonal().transpose().array();
  return ChoosePartners(saliency, layout, pool);
}

// The damping of kDampings whose weights, fitted to the first fold, have the least error on the others. Some rows speak
// for all. Masks come from a local search alone, for a factorisation a candidate would cost too much.
double ChooseDamping(const RowMatrix& weight, const WeightLayout& layout, const Moments& fit, const Moments& check,
                     const ReconstructOptions& options, ThreadPool& pool) {
  constexpr int64_t kRows = 48;
  constexpr int kSweeps = 3, kIterations = 8;
  std::vector<int64_t> picked;
  const int64_t step = std::max<int64_t>(1, layout.rows / kRows);
  for (int64_t row = 0; row < layout.rows; row += step) picked.push_back(row);
  Objective judge(weight, check, kDampings[0], options.free_bias, pool, picked);
  judge.KeepErrorsOnly();
  Objective objective(weight, fit, kDampings[0], options.free_bias, pool, picked);
  const WeightLayout some = {static_cast<int64_t>(picked.size()), layout.columns, layout.run};
  std::vector<int64_t> alone(picked.size());
  std::iota(alone.begin(), alone.end(), 0);
  double best = kUsualDamping, least = std::numeric_limits<double>::infinity();
  for (const double damping : kDampings) {
    objective.SetDamping(damping);
    const RowMatrix scaled =
        objective.weight().array().rowwise() * objective.hessian().diagonal().transpose().array().sqrt();
    Mask mask = MagnitudeMask(ToF32(scaled), some, options.rule);
    RowMatrix v = Masked(objective.weight(), mask);
    RefitKept(objective, mask, kIterations, v);
    if (options.rule.IsTwoFour()) DescendByGroups(objective, some, alone, kSweeps, mask, v, pool);
    RefitKept(objective, mask, kIterations, v);
    const double error = judge.Errors(v).sum();
    if (!(error < least)) continue;
    least = error;
    best = damping;
  }
  return best;
}

}  // namespace

Objective MakeObjective(std::span<const float> weight, const WeightLayout& layout, std::vector<Moments> folds,
                        const ReconstructOptions& options, ThreadPool& pool) {
  constexpr int64_t kLeastRows = 64;  // of a fold that says something
  TAMIS_ASSERT(!folds.empty());
  RowMatrix dense = ToMatrix(weight, layout.rows, layout.columns);
  double damping = options.damping > 0 ? options.damping : kUsualDamping;
  if (options.damping <= 0 && folds.size() > 1 && folds[0].rows() >= kLeastRows && folds[1].rows() >= kLeastRows) {
    damping = ChooseDamping(dense, layout, folds[0], folds[1], options, pool);
  }
  for (; folds.size() > 1; folds.pop_back()) folds[0].Add(folds.back());
  return Objective(std::move(dense), std::move(folds[0]), damping, options.free_bias, pool);
}

Result<PrunedWeight> Reconstruct(const Objective& objective, const WeightLayout& layout,
                                 const ReconstructOptions& options, ThreadPool& pool) {
  constexpr int64_t kSettledShare = 500;  // rounds end when fewer than one group in so many has changed
  const std::vector<int64_t> partner = PartnersOf(objective, layout, options.paired, pool);
  TAMIS_ASSIGN_OR_RETURN(Alternated found, Alternate(objective, layout, partner, options.rule, options.turns, pool));
  RowMatrix v = std::move(found.weight);
  Mask mask = std::move(found.mask);
  RefitKept(objective, mask, options.refit_iterations, v);
  constexpr int64_t kSweeps = 1;
  const int rounds = options.rule.IsTwoFour() ? options.descent_rounds : 0;
  int64_t others = layout.rows * layout.GroupsPerRow();
  for (int round = 0; round < rounds && others * kSettledShare > layout.rows * layout.GroupsPerRow(); ++round) {
    others = DescendByGroups(objective, layout, partner, kSweeps, mask, v, pool);
    RefitKept(objective, mask, options.refit_iterations, v);
  }

  // Rows, or pairs, are independent: each takes the better of two masks.
  const Mask by_magnitude = MagnitudeMask(ToF32(objective.weight()), layout, partner, options.rule);
  RowMatrix other = Masked(objective.weight(), by_magnitude);
  RefitKept(objective, by_magnitude, options.refit_iterations, other);
  const Eigen::VectorXd errors = objective.DampedErrors(v), other_errors = objective.DampedErrors(other);
  for (Eigen::Index row = 0; row < v.rows(); ++row) {
    const Eigen::Index pair = partner[static_cast<size_t>(row)];
    const double before = errors[row] + (pair == row ? 0 : errors[pair]);
    if (!(other_errors[row] + (pair == row ? 0 : other_errors[pair]) < before)) continue;
    v.row(row) = other.row(row);
    std::copy_n(by_magnitude.begin() + row * layout.columns, layout.columns, mask.begin() + row * layout.columns);
  }
  if (!v.allFinite()) return RuntimeError("the layer's inputs are not finite or far too ill-conditioned");
  return Finish(objective, v, std::move(mask));
}

PrunedWeight PruneBySaliency(const Objective& objective, const WeightLayout& layout, Saliency saliency,
                             const ReconstructOptions& options, ThreadPool& pool) {
  RowMatrix size = objective.weight();
  if (saliency == Saliency::kActivation) {
    size.array().rowwise() *= objective.hessian().diagonal().transpose().array().sqrt();
  }
  Mask mask = MagnitudeMask(ToF32(size), layout, PartnersOf(objective, layout, options.paired, pool), options.rule);
  const RowMatrix v = Masked(objective.weight(), mask);
  return Finish(objective, v, std::move(mask));
}

}  // namespace tamis
