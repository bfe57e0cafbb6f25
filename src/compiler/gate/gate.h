// Whether a compressed network may take the dense one's place: the check that stands between a build and a release.
//
// A budget is judged by what was measured on the samples (the estimate) and by its 95 % interval from a paired
// bootstrap. An estimate over the budget fails, even where the interval still reaches into the budget: a gate that asks
// for proof of harm lets anything through that is tried on few samples. An estimate within the budget passes; where the
// interval reaches beyond the budget, the verdict says that it is not proven and about how many samples would do.
// `strict` makes that a failure too, and is right wherever there are samples enough.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/gate/gate_answers.h"
#include "src/compiler/measure/bootstrap.h"
#include "tamis/session.h"

namespace tamis {

struct GateOptions {
  double max_drop = 1.5;                     // points of top-1
  std::optional<double> min_agreement = {};  // mean cosine; without labels 0.99 if not given
  std::optional<double> min_same = {};       // share of samples with the same class; without labels 0.95 if not given
  std::optional<double> max_latency_ratio = {};
  bool strict = false;
  std::string output = {};  // the one that top-1 is taken from; may be empty where only one can be meant
  BootstrapOptions bootstrap = {};
  double latency_seconds = 3;  // a side
  int64_t latency_batch = 1;
  std::function<void(int64_t done, int64_t total, const std::string& what)> progress = {};
  std::function<bool()> cancelled = {};  // asked between batches and rounds; true ends the gate with an error

  static constexpr double kDefaultAgreement = 0.99, kDefaultSame = 0.95;
};

enum class Verdict : uint8_t { kPassed, kUnproven, kFailed };

// One thing that is judged, or only told (`limit` empty, then the verdict is kPassed).
struct GateCheck {
  std::string name;  // "top1_drop", "cosine", "same_answers", "finite", "equal", "latency_ratio"
  std::string output;
  double measured = 0;
  Interval interval;
  std::optional<double> limit;
  Verdict verdict = Verdict::kPassed;
  std::string text;            // the finding in a sentence
  int64_t samples_needed = 0;  // of kUnproven: about how many would do; 0: not known
};

struct GateResult {
  int64_t samples = 0;
  bool top1_measured = false;
  std::string top1_reason;                    // why it was not
  double dense_top1 = 0, candidate_top1 = 0;  // per cent
  int64_t lost = 0, won = 0;                  // samples that only the dense network, only the candidate has right
  std::vector<GateCheck> checks;
  struct Latency {
    int64_t batch = 0;
    int rounds = 0;
    double dense_ms = 0, candidate_ms = 0;  // medians
  };
  std::optional<Latency> latency;
  std::vector<std::string> notices;
  bool strict = false;

  // The worst; with `strict`, unproven counts as failed.
  Verdict verdict() const;
  bool Passed() const { return verdict() != Verdict::kFailed; }
};

// Judges `candidate` by `dense` on these samples. `labels`: a class for each sample of `data`, or empty. Errors
// (kUser): options out of range, all at once; fewer than two samples; labels that are no class; what CollectAnswers
// refuses.
Result<GateResult> RunGate(Session& dense, Session& candidate, const DataSource& data, std::span<const int64_t> samples,
                           std::span<const int64_t> labels, const GateOptions& options);

// Every problem with the options' numbers.
Status CheckGateOptions(const GateOptions& options);

}  // namespace tamis
