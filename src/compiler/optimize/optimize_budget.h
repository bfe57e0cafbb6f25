// What the user allows a network to lose, and what was measured of it.
#pragma once

#include <cstdint>
#include <string>

#include "tamis/status.h"

namespace tamis {

// How far answers are from the dense network's, in f32. Errors are standard errors over the samples.
struct Quality {
  double agreement = 1;  // mean over samples of the cosine between the outputs, of the worst output
  double agreement_error = 0;
  // Points of top-1: by the labels, or where there are none by the dense network's own answers, of which each counts
  // for what it is worth by that network's probabilities (`by_probabilities`), or as a whole where its scores are none.
  // The estimate of ScoreDrop (optimize_score_drop.h); `counted_drop` is what was counted on these samples, without
  // labels the share of changed answers, which is told and not judged: the estimate says the same with less noise.
  double drop = 0;
  double drop_error = 0;
  double counted_drop = 0;
  // The estimate on mixtures of the samples (optimize_mixtures.h), of which a network is less sure than of samples that
  // it was trained on; only if `mixed`.
  double mixed_drop = 0, mixed_drop_error = 0;
  double divergence = 0;    // mean Kullback-Leibler divergence of the class scores, in nats, of the worst output
  bool has_scores = false;  // an output has a score for each of several classes; else the drops say nothing
  bool labelled = false;
  bool by_probabilities = false;
  bool mixed = false;
};

// What stands behind `drop`: "counted 0.31", or without labels "1.04 % of the answers change".
std::string CountedText(const Quality& quality);

// One of the two or both.
struct Budget {
  double min_agreement = 0;  // 0: not used
  double max_drop = -1;      // negative: not used

  // At the bad end of a one-sided 95 % confidence interval, so that it holds on data never seen and not only on these.
  bool Holds(const Quality& quality) const;
  // Where the estimates are within the budget and their intervals are not: of how many samples like these `samples` an
  // interval would be within it too. 0: it holds, or is too much, or no number would do.
  int64_t SamplesToHold(const Quality& quality, int64_t samples) const;
  // What share of the budget is used at the bad end of the interval, of both the larger one: 1 where it just holds.
  double Use(const Quality& quality) const;
  // How far beyond the budget, in units of it: 0 where it holds, 1 where twice the budget is used.
  double Excess(const Quality& quality) const;
  // "mean cosine of at least 0.97 and at most 1.5 points of top-1"
  std::string Text() const;
  // What was measured, as far as the budget asks for it.
  std::string Describe(const Quality& quality) const;
};

// Error (kUser) that names every number that is no cosine and no share.
Status CheckBudget(const Budget& budget);

}  // namespace tamis
