#include "src/server/inference.h"

#include <fmt/format.h>

namespace tamis {
namespace {

using Clock = std::chrono::steady_clock;

// Samples in a request: along the first dimension of the first input, where that is free.
int64_t Rows(const InferRequest& request, const Session& session) {
  if (session.inputs().empty()) return 1;
  const TensorSpec& spec = session.inputs()[0];
  const auto input = request.inputs.find(spec.name);
  if (input == request.inputs.end() || input->second.rank() < 1) return 1;
  return spec.has_rank && !spec.dims.empty() && spec.dims[0] < 0 ? input->second.dim(0) : 1;
}

}  // namespace

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::optional<std::string> TooLate(const InferRequest& request, const Metrics::Outcome& outcome) {
  const double waited = (outcome.queue_seconds + outcome.read_seconds) * 1e6;
  if (request.timeout_us == 0 || waited <= static_cast<double>(request.timeout_us)) return std::nullopt;
  return fmt::format("the request waited {:.0f} us and was not computed: its timeout is {} us", waited,
                     request.timeout_us);
}

InferenceRecord::InferenceRecord(Metrics* metrics, const ModelVersion& model, Clock::time_point arrived)
    : metrics_(*metrics), model_(model), start_(arrived) {
  outcome.code = 500;
  outcome.queue_seconds = SecondsSince(arrived);
  metrics_.Begin(model_.model, model_.version);
}

InferenceRecord::~InferenceRecord() {
  outcome.total_seconds = SecondsSince(start_);
  metrics_.End(model_.model, model_.version, outcome);
}

Result<NamedTensors> ComputeInference(const ModelVersion& model, const InferRequest& request,
                                      Metrics::Outcome* outcome) {
  outcome->rows = Rows(request, *model.session);
  const auto start = Clock::now();
  auto outputs = model.session->Run(request.inputs);
  outcome->compute_seconds = SecondsSince(start);
  if (!outputs.ok()) return outputs;
  if (model.drift != nullptr) model.drift->Observe(request.inputs);
  for (const RequestedOutput& output : request.outputs) {
    if (outputs->count(output.name) == 0) return InternalError("the model gave no output '{}'", output.name);
  }
  return outputs;
}

}  // namespace tamis
