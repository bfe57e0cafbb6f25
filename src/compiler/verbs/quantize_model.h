// `tamis quantize` and `tamis.quantize`: from a model and samples to an ONNX file with codes.
#pragma once

#include <string>
#include <vector>

#include "src/compiler/quantize/quantize.h"
#include "src/compiler/verbs/model_source.h"
#include "src/compiler/verbs/sample_request.h"

namespace tamis {

// Everything as the user says it; QuantizeModel judges it, all at once.
struct QuantizeRequest {
  ModelSource model;
  std::string output;  // ONNX file to write
  SampleRequest data;
  // "int8", or "fp8": float8e4m3fn (quantize_float8.h), for which keep and threads alone count of what follows.
  std::string format = "int8";
  std::string observer = "mse", activations = "u8";
  double percentile = 99.99;
  bool clip_weights = true, correct_bias = true, balance = true;  // as of QuantizeOptions
  std::string rounding = "nearest";                               // or "descent"
  std::vector<std::string> keep;
  int threads = 0;
};

struct QuantizeOutcome {
  std::string output;
  QuantizeReport report;
  std::vector<std::string> notices;
};

// The target is tried first, then the model and the samples are read and checked; the ranges are measured, and the file
// is written with what it was made of as metadata.
Result<QuantizeOutcome> QuantizeModel(const QuantizeRequest& request, const VerbHooks& hooks);

// What `--json` prints and Python's report is made of.
std::string ToJson(const QuantizeOutcome& outcome);

}  // namespace tamis
