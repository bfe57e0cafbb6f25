// What two networks answer to the same samples, sample by sample.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/samples/data_source.h"
#include "tamis/session.h"

namespace tamis {

// One output of the network. Vectors have an entry a sample.
struct AnswersOfOutput {
  std::string name;
  // Of the angle between the two sides' elements of that sample; empty unless the output is of floats.
  std::vector<float> cosines;
  // Largest column of rank-2 floats with at least two, or the only element of integers; empty for other outputs.
  std::vector<int64_t> dense_class, candidate_class;
  int64_t classes = 0;  // columns; 0 where the output is of integers
  // All rows of the dense side have one length, as embeddings have and class scores have not.
  bool unit_rows = false;
  int64_t different = 0;  // samples whose elements are not all equal; only of outputs that are not of floats
  int64_t broken = 0;     // samples with an element of the candidate that is not finite where the dense one is
  int64_t first_broken = -1;

  bool HasClasses() const { return !dense_class.empty(); }
  double MeanCosine() const;
  double MinCosine() const;
  double SameShare() const;  // of samples with the same class
};

struct Answers {
  std::vector<int64_t> samples;  // what was run, in order
  int64_t distinct = 0;          // of these, without those that equal an earlier one in every input
  std::vector<AnswersOfOutput> outputs;
};

// The inputs that both sides take: fixed where either is. Error (kUser) that lists every difference in inputs and
// outputs, called as `dense` and `candidate`.
Result<std::vector<TensorSpec>> CommonInputs(const Session& dense, const Session& candidate);

// Runs both on `samples`. Errors (kUser): outputs of different shapes, dense answers that are not finite. `cancelled`
// is asked between batches.
Result<Answers> CollectAnswers(Session& dense, Session& candidate, const DataSource& data,
                               std::span<const int64_t> samples,
                               const std::function<void(int64_t done, int64_t total)>& progress,
                               const std::function<bool()>& cancelled = {});

}  // namespace tamis
