// `tamis prune` and `tamis.prune`: from a model and samples to a pruned ONNX file, with int8 codes if that is wanted,
// that was read again and checked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/compiler/calibrate/coverage.h"
#include "src/compiler/permute/permute.h"
#include "src/compiler/prune/prune.h"
#include "src/compiler/quantize/quantize.h"
#include "src/compiler/samples/labels.h"
#include "src/compiler/verbs/model_source.h"
#include "src/compiler/verbs/sample_request.h"

namespace tamis {

// Everything as the user says it; PruneModel judges it, all at once.
struct PruneRequest {
  ModelSource model;
  std::string output;  // ONNX file to write
  SampleRequest data;
  LabelRequest labels;  // of the method "gradient"
  std::string method = "reconstruct", pattern = "2:4";
  std::vector<std::string> keep;
  int threads = 0;
  // "int8": in the same walk, kept weights become codes and activations get ranges, as of QuantizeRequest.
  std::string quantize = "none", observer = "mse", activations = "u8";
  std::vector<std::string> keep_float;
  // Channels are put in the order in which most is kept, first of all. Not said: where layers are fitted and become
  // 2:4.
  std::optional<bool> permute;
};

struct PruneOutcome {
  std::string output, pattern;
  PruneReport report;
  std::optional<QuantizeReport> quantize;  // if that was asked for
  std::optional<PermuteReport> permuted;
  CoverageVerdict coverage;
  std::vector<std::string> notices;
};

// The target is tried first, then the model and the samples are read and checked; the layers are fitted, and the file
// is written, with what it was made of as metadata, read again and verified.
Result<PruneOutcome> PruneModel(const PruneRequest& request, const VerbHooks& hooks);

// What `--json` prints and Python's report is made of.
std::string ToJson(const PruneOutcome& outcome);

}  // namespace tamis
