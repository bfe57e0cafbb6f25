#include "src/compiler/prune_model.h"

#include "src/base/atomic_file.h"
#include "src/base/hash.h"
#include "src/base/json_writer.h"
#include "src/compiler/request_problems.h"
#include "src/onnx/onnx.h"

namespace tamis {
namespace {

Result<PruneOptions> OptionsOf(const PruneRequest& request, const VerbHooks& hooks) {
  PruneOptions options;
  RequestProblems problems;
  problems.Need(request.pattern == "2:4" || request.pattern == "paired",
                "--pattern '{}' is not supported; 2:4 and paired are", request.pattern);
  options.reconstruct.paired = request.pattern == "paired";
  options.method = problems.Take(ParsePruneMethod(request.method));
  problems.Add(CheckThreads(request.threads));
  TAMIS_RETURN_IF_ERROR(problems.status());
  options.keep = request.keep;
  options.cancelled = hooks.cancelled;
  options.progress = hooks.progress;
  return options;
}

}  // namespace

Result<PruneOutcome> PruneModel(const PruneRequest& request, const VerbHooks& hooks) {
  TAMIS_ASSIGN_OR_RETURN(const PruneOptions options, OptionsOf(request, hooks));
  TAMIS_RETURN_IF_ERROR(AtomicFile::CheckTarget(request.output));
  TAMIS_ASSIGN_OR_RETURN(Network network, request.model.LoadOnnx("prune"));
  PruneOutcome outcome;
  outcome.output = request.output;
  for (const std::string& remark : network.remarks) Tell(remark, hooks, &outcome.notices);
  outcome.pattern = options.reconstruct.paired ? "paired 2:4" : "2:4";
  TAMIS_ASSIGN_OR_RETURN(const CheckedSamples samples,
                         ReadChecked(request.data, network.graph, request.threads, 0, hooks, &outcome.notices));
  CalibrateOptions calibrate;
  calibrate.threads = request.threads;
  calibrate.cancelled = hooks.cancelled;
  if (hooks.progress) {
    calibrate.progress = [&](int done, int total) { hooks.progress(done, total, "looking at the samples"); };
  }
  TAMIS_ASSIGN_OR_RETURN(outcome.coverage, MeasureCoverage(network.graph, samples.batches, calibrate));
  if (!outcome.coverage.settled) Tell(outcome.coverage.text, hooks, &outcome.notices);
  TAMIS_ASSIGN_OR_RETURN(outcome.report,
                         Prune(network.graph, samples.batches, options, std::make_shared<ThreadPool>(request.threads)));
  for (const std::string& note : outcome.report.notes) Tell(note, hooks, &outcome.notices);
  TAMIS_RETURN_IF_ERROR(ExportOnnx(network.graph, request.output,
                                   {{"tamis.pattern", outcome.pattern},
                                    {"tamis.method", request.method},
                                    {"tamis.source_hash", network.hash},
                                    {"tamis.data_hash", HexString(samples.source->hash())}}));
  TAMIS_RETURN_IF_ERROR(VerifyPruned(request.output, outcome.report));
  return outcome;
}

std::string ToJson(const PruneOutcome& outcome) {
  JsonWriter json;
  json.BeginObject().Field("output", outcome.output).Field("pattern", outcome.pattern);
  json.Field("samples", outcome.report.samples).Field("settled", outcome.coverage.settled);
  json.Field("verdict", outcome.coverage.text).Field("notes", outcome.notices).Key("layers").BeginArray();
  for (const LayerReport& layer : outcome.report.layers) {
    json.BeginObject().Field("weight", layer.name).Field("node", layer.node).Field("operator", layer.op);
    json.Field("outputs", layer.n).Field("inputs", layer.k).Field("pattern", layer.pattern);
    json.Field("reason", layer.reason).Field("saliency_kept", layer.saliency_kept);
    json.Field("output_error", layer.output_error).Field("bias_moved", layer.bias_moved).EndObject();
  }
  return json.EndArray().EndObject().text();
}

}  // namespace tamis
