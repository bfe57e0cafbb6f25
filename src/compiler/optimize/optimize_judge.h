// Samples with the dense network's answers, by which other engines are judged.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/optimize/optimize_budget.h"
#include "src/compiler/optimize/optimize_score_drop.h"
#include "src/compiler/samples/data_source.h"
#include "tamis/session.h"

namespace tamis {

class Judge {
 public:
  // Answers of `dense`, computed once, and with `mix`, where there are class scores, also those to mixtures of the
  // samples. Error (kUser) if a label is no class of the scores.
  static Result<Judge> Make(const DataSource& data, const std::vector<int64_t>& samples, int64_t batch, Session& dense,
                            bool mix);

  int64_t samples() const { return samples_; }
  // Whether an output has a score for each of several classes. Rows that all have one length are embeddings.
  bool HasScores() const { return !scores_.empty(); }
  const std::vector<NamedTensors>& batches() const { return seen_.batches; }
  // The first batches with at least `samples` samples, or all; without mixtures.
  Judge First(int64_t samples) const;
  // Takes the other's samples too.
  void Join(const Judge& other);

  Result<Quality> Measure(Session& session) const;

 private:
  // Inputs with the dense network's answers.
  struct Answered {
    std::vector<NamedTensors> batches, dense;
    Status Add(Session& session);  // the answers
    void Join(const Answered& other);
  };
  static Result<std::vector<NamedTensors>> AnswersOf(Session& session, std::span<const NamedTensors> batches);
  // Of one output.
  ScoreDrop DropOf(const std::string& output, bool labelled, const Answered& of,
                   const std::vector<NamedTensors>& ours) const;

  int64_t samples_ = 0;
  std::set<std::string> scores_;  // outputs
  Answered seen_, mixed_;         // the latter empty where samples can't be mixed, or have no scores
  std::vector<int64_t> labels_;   // empty if there are none
};

}  // namespace tamis
