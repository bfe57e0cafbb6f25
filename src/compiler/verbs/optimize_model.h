// `tamis optimize` and `tamis.optimize`: from a model and samples to an engine within a budget, and its report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/compiler/optimize/optimize.h"
#include "src/compiler/samples/labels.h"
#include "src/compiler/verbs/model_source.h"
#include "src/compiler/verbs/sample_request.h"

namespace tamis {

// Everything as the user says it; OptimizeModel judges it, all at once.
struct OptimizeRequest {
  ModelSource model;
  std::string output, report;  // engine file and HTML page to write; either may be empty
  SampleRequest data;
  LabelRequest labels;
  std::optional<double> min_agreement, max_drop;
  std::string precision = "auto", method = "reconstruct", observer = "mse";
  std::vector<std::string> keep;
  std::vector<InputRanges> profiles;
  std::optional<bool> permute;  // as of PruneRequest
  bool unseen = false;          // as of OptimizeOptions
  bool write_closest = false;   // what is nearest to the budget is written though it does not hold it
  int threads = 0;
  std::string command;  // for the report: how it was called
};

struct OptimizeOutcome {
  std::string output;
  bool written = false;  // output and report: if the budget holds, or as asked
  OptimizeResult result;
  std::vector<std::string> notices;

  // Error (kUser) if the budget was missed: what it was, what is closest, and what was written.
  Status Verdict() const;
};

// The targets are tried first, then the model and the samples are read and checked. The engine remembers the
// distributions of its inputs and, where they have codes, of its activations. A missed budget is no error here.
Result<OptimizeOutcome> OptimizeModel(const OptimizeRequest& request, const VerbHooks& hooks);

// What `--json` prints and Python's report is made of.
std::string ToJson(const OptimizeOutcome& outcome);

}  // namespace tamis
