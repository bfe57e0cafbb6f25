#include "src/compiler/verbs/gate_models.h"

#include <algorithm>

#include "src/base/atomic_file.h"
#include "src/base/request_problems.h"
#include "src/base/thread_count.h"
#include "src/compiler/calibrate/coverage.h"
#include "src/compiler/samples/labels.h"
#include "src/compiler/verbs/output_targets.h"

namespace tamis {
namespace {

// The batch that the engine is tuned for: its first profile's, else 1.
int64_t TunedBatch(const OpenedModel& model) {
  const auto& inputs = model.session->inputs();
  if (inputs.empty() || inputs[0].dim_names.empty() || model.engine->plans.empty()) return 1;
  const Profile& profile = model.engine->plans.front().profile;
  const auto found = profile.find(inputs[0].dim_names[0]);
  return found == profile.end() ? 1 : std::max<int64_t>(1, found->second.opt);
}

// `junit` is emptied if that file must not be written, not even to say so.
Result<OpenedModel> OpenSide(const GateRequest& request, const ModelSource& model, const VerbHooks& hooks,
                             std::vector<std::string>* notices, std::string* junit) {
  BuildOptions build;
  build.threads = request.threads;
  build.device = request.device;
  build.tune = request.options.max_latency_ratio.has_value();  // an untuned side would lose by its kernels
  build.cancelled = hooks.cancelled;
  build.progress = hooks.progress;
  TAMIS_ASSIGN_OR_RETURN(build.precision, ParsePrecision(request.precision));
  TAMIS_ASSIGN_OR_RETURN(OpenedModel opened, OpenModel(model, build));
  if (Status stays = CheckWeightsStay({*junit}, opened.weight_files); !stays.ok()) {
    junit->clear();
    return stays;
  }
  for (const std::string& notice : opened.notices) Tell(notice, hooks, notices);
  return opened;
}

Status CheckRequest(const GateRequest& request) {
  RequestProblems problems;
  GateOptions options = request.options;
  options.latency_batch = std::max<int64_t>(1, request.batch);
  problems.Add(CheckGateOptions(options));
  problems.Need(request.batch >= 0, "--batch is {}; it takes 1 or more", request.batch);
  problems.Add(ParsePrecision(request.precision).status());
  problems.Add(CheckThreads(request.threads));
  return problems.status();
}

// `junit` as of OpenSide.
Result<GateResult> Judge(const GateRequest& request, const VerbHooks& hooks, GateContext* context, std::string* junit) {
  TAMIS_RETURN_IF_ERROR(CheckRequest(request));
  std::vector<std::string> notices;
  TAMIS_ASSIGN_OR_RETURN(const OpenedModel dense, OpenSide(request, request.dense, hooks, &notices, junit));
  TAMIS_ASSIGN_OR_RETURN(const OpenedModel candidate, OpenSide(request, request.candidate, hooks, &notices, junit));
  context->dense_hash = dense.engine->provenance.source_hash;
  context->candidate_hash = candidate.engine->provenance.source_hash;
  TAMIS_ASSIGN_OR_RETURN(const auto inputs, CommonInputs(*dense.session, *candidate.session));
  TAMIS_ASSIGN_OR_RETURN(const auto opened, request.data.Open(inputs));
  for (const std::string& remark : opened->remarks()) Tell(remark, hooks, &notices);
  context->data_hash = opened->hash();
  TAMIS_ASSIGN_OR_RETURN(const auto data, WithLabels(opened, request.labels));
  const std::vector<int64_t> samples = AllSamples(*data, request.data.samples);
  GateOptions options = request.options;
  options.progress = hooks.progress;
  options.cancelled = hooks.cancelled;
  options.latency_batch = request.batch;
  if (request.batch == 0) {
    const int64_t tuned = TunedBatch(request.candidate.IsEngine() ? candidate : dense);
    options.latency_batch = std::clamp<int64_t>(tuned, 1, std::max<int64_t>(1, static_cast<int64_t>(samples.size())));
  }
  TAMIS_ASSIGN_OR_RETURN(GateResult result,
                         RunGate(*dense.session, *candidate.session, *data, samples, data->labels(), options));
  const std::vector<ValueRecord>& records = candidate.engine->provenance.values;
  if (!records.empty()) {
    constexpr int64_t kCompared = 256;
    TAMIS_ASSIGN_OR_RETURN(const auto batches, ReadBatches(*data, AllSamples(*data, kCompared), 32));
    const auto odd = CompareInputs(records, batches);
    result.notices.insert(result.notices.end(), odd.begin(), odd.end());
  }
  for (const std::string& notice : result.notices) Tell(notice, hooks, &notices);
  result.notices = std::move(notices);
  return result;
}

}  // namespace

Result<GateOutcome> GateModels(const GateRequest& request, const VerbHooks& hooks) {
  GateOutcome outcome;
  outcome.context.dense = request.dense.Text();
  outcome.context.candidate = request.candidate.Text();
  outcome.context.data = request.data.Text();
  outcome.context.bootstrap = request.options.bootstrap;
  TAMIS_RETURN_IF_ERROR(CheckTargets({request.junit}, {request.dense.path, request.candidate.path}));
  std::string junit = request.junit;
  auto result = Judge(request, hooks, &outcome.context, &junit);
  if (!result.ok()) {
    if (!junit.empty()) {
      const Status written = AtomicFile::WriteWhole(junit, GateErrorJunit(outcome.context, result.status()));
      if (!written.ok() && hooks.notice) hooks.notice(written.message());
    }
    return result.status();
  }
  outcome.result = std::move(*result);
  if (!junit.empty()) {
    TAMIS_RETURN_IF_ERROR(AtomicFile::WriteWhole(junit, GateJunit(outcome.context, outcome.result)));
  }
  return outcome;
}

}  // namespace tamis
