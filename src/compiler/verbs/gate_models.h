// `tamis gate` and `tamis.gate`: two models, samples and limits to a verdict, and the files that say it.
#pragma once

#include <string>
#include <vector>

#include "src/compiler/gate/gate.h"
#include "src/compiler/gate/gate_report.h"
#include "src/compiler/samples/labels.h"
#include "src/compiler/verbs/model_source.h"
#include "src/compiler/verbs/sample_request.h"

namespace tamis {

// Everything as the user says it; GateModels judges it, all at once.
struct GateRequest {
  ModelSource dense, candidate;
  SampleRequest data;
  LabelRequest labels;
  GateOptions options;  // but for progress, cancelled and the batch of latency
  int64_t batch = 0;    // of a latency run; 0: what the engine was tuned for
  std::string junit;    // XML file to write; empty: none
  std::string precision = "f32", device = "cpu";
  int threads = 0;
};

struct GateOutcome {
  GateContext context;
  GateResult result;
};

// A gate that could not judge writes its error to the JUnit file too: a CI job that shows only that file must not show
// the last run's.
Result<GateOutcome> GateModels(const GateRequest& request, const VerbHooks& hooks);

}  // namespace tamis
