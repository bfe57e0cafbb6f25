#include "src/compiler/verbs/quantize_model.h"

#include "src/base/hash.h"
#include "src/base/json_writer.h"
#include "src/base/request_problems.h"
#include "src/base/thread_count.h"
#include "src/base/version.h"
#include "src/compiler/quantize/quantize_float8.h"
#include "src/compiler/verbs/output_targets.h"
#include "src/onnx/onnx.h"

namespace tamis {
namespace {

Result<QuantizeOptions> OptionsOf(const QuantizeRequest& request, const VerbHooks& hooks) {
  QuantizeOptions options;
  RequestProblems problems;
  options.observer.observer = problems.Take(ParseObserver(request.observer));
  problems.Need(request.percentile > 50 && request.percentile <= 100,
                "--percentile is {}; it takes more than 50 and at most 100", request.percentile);
  options.signed_activations = problems.Take(ParseActivations(request.activations));
  problems.Need(request.rounding == "nearest" || request.rounding == "descent",
                "--rounding '{}' is not known; use nearest or descent", request.rounding);
  problems.Need(request.format == "int8" || request.format == "fp8", "--format '{}' is not known; use int8 or fp8",
                request.format);
  const QuantizeRequest plain;
  const bool shaped = request.observer != plain.observer || request.activations != plain.activations ||
                      request.rounding != plain.rounding;
  problems.Need(
      request.format != "fp8" || !shaped,
      "--format fp8 has one way to choose scales and codes: without --observer, --activations and --rounding");
  problems.Add(CheckThreads(request.threads));
  TAMIS_RETURN_IF_ERROR(problems.status());
  options.observer.percentile = request.percentile;
  options.clip_weights = request.clip_weights;
  options.descend = request.rounding == "descent";
  options.correct_bias = request.correct_bias;
  options.balance = request.balance;
  options.keep = request.keep;
  options.threads = request.threads;
  options.cancelled = hooks.cancelled;
  options.progress = hooks.progress;
  return options;
}

}  // namespace

Result<QuantizeOutcome> QuantizeModel(const QuantizeRequest& request, const VerbHooks& hooks) {
  TAMIS_ASSIGN_OR_RETURN(const QuantizeOptions options, OptionsOf(request, hooks));
  TAMIS_RETURN_IF_ERROR(CheckTargets({request.output}, {request.model.path}));
  TAMIS_ASSIGN_OR_RETURN(Network network, request.model.LoadOnnx("quantize"));
  TAMIS_RETURN_IF_ERROR(CheckWeightsStay(FilesOfExport(network.graph, request.output), network.weight_files));
  QuantizeOutcome outcome;
  outcome.output = request.output;
  for (const std::string& remark : network.remarks) Tell(remark, hooks, &outcome.notices);
  TAMIS_ASSIGN_OR_RETURN(const CheckedSamples samples,
                         ReadChecked(request.data, network.graph, request.threads, 0, hooks, &outcome.notices));
  const auto quantize = request.format == "fp8" ? QuantizeToFloat8 : Quantize;
  TAMIS_ASSIGN_OR_RETURN(outcome.report, quantize(network.graph, samples.batches, options));
  for (const std::string& note : outcome.report.notes) Tell(note, hooks, &outcome.notices);
  if (!outcome.report.settled) Tell(outcome.report.verdict, hooks, &outcome.notices);
  ModelMeta meta = std::move(network.meta);
  meta.Set("tamis.version", kVersion);
  meta.Set("tamis.observer", request.format == "fp8" ? "largest" : request.observer);
  meta.Set("tamis.source_hash", network.hash);
  meta.Set("tamis.data_hash", HexString(samples.source->hash()));
  TAMIS_RETURN_IF_ERROR(ExportOnnx(network.graph, request.output, meta, network.notes));
  return outcome;
}

std::string ToJson(const QuantizeOutcome& outcome) {
  const QuantizeReport& report = outcome.report;
  JsonWriter json;
  json.BeginObject().Field("output", outcome.output).Field("samples", report.samples);
  json.Field("settled", report.settled).Field("verdict", report.verdict).Field("notes", outcome.notices);
  json.Key("layers").BeginArray();
  for (const QuantizedLayer& layer : report.layers) {
    json.BeginObject().Field("weight", layer.name).Field("node", layer.node).Field("operator", layer.op);
    json.Field("int8", layer.quantized && report.type == "int8").Field("type", layer.quantized ? report.type : "");
    json.Field("reason", layer.reason).Field("weight_error", layer.weight_error);
    json.Field("bias_moved", layer.bias_moved).EndObject();
  }
  json.EndArray().Key("tensors").BeginArray();
  for (const QuantizedTensor& tensor : report.tensors) {
    json.BeginObject().Field("name", tensor.name);
    json.Field("low", static_cast<double>(tensor.low)).Field("high", static_cast<double>(tensor.high));
    json.Field("scale", static_cast<double>(tensor.map.scale));
    json.Field("zero_point", static_cast<int64_t>(tensor.map.zero));
    json.Field("clipped", tensor.clipped).Field("growth", tensor.growth).EndObject();
  }
  return json.EndArray().Field("balanced", report.balanced).EndObject().text();
}

}  // namespace tamis
