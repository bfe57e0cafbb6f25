// Samples with the dense network's answers, by which other engines are judged.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "src/compiler/data_source.h"
#include "src/compiler/optimize_budget.h"
#include "tamis/session.h"

namespace tamis {

class Judge {
 public:
  // Answers of `dense`, computed once. Error (kUser) if a label is no class of the scores.
  static Result<Judge> Make(const DataSource& data, const std::vector<int64_t>& samples, int64_t batch, Session& dense);

  int64_t samples() const { return samples_; }
  bool HasScores() const;  // whether an output has a score for each of several classes
  const std::vector<NamedTensors>& batches() const { return batches_; }
  // The first batches with at least `samples` samples, or all.
  Judge First(int64_t samples) const;
  // Takes the other's samples too.
  void Join(const Judge& other);

  Result<Quality> Measure(Session& session) const;

 private:
  int64_t samples_ = 0;
  std::vector<NamedTensors> batches_, dense_;
  std::vector<int64_t> labels_;  // empty if there are none
};

}  // namespace tamis
