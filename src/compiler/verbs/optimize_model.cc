#include "src/compiler/verbs/optimize_model.h"

#include "src/base/atomic_file.h"
#include "src/base/json_writer.h"
#include "src/base/request_problems.h"
#include "src/base/thread_count.h"
#include "src/compiler/calibrate/coverage.h"
#include "src/compiler/verbs/output_targets.h"
#include "src/tuner/timing_cache.h"

namespace tamis {
namespace {

// Samples that are looked at before the work; it takes some hundreds of its own.
constexpr int64_t kLookedAt = 512;

Precision ChoicePrecision(const OptimizeRequest& request, RequestProblems* problems) {
  if (request.precision == "int8") {
    problems->Need(false, "--precision auto is where int8 is chosen, layer by layer; f32 and bf16 leave it out");
    return Precision::kAuto;
  }
  const Precision precision = problems->Take(ParsePrecision(request.precision));
  problems->Need(precision != Precision::kFloat16 && precision != Precision::kTf32,
                 "optimize measures on the CPU, in f32, bf16 or auto; `tamis build --device cuda --precision {}` makes "
                 "such engines",
                 Name(precision));
  return precision;
}

Result<OptimizeOptions> OptionsOf(const OptimizeRequest& request, const VerbHooks& hooks) {
  OptimizeOptions options;
  RequestProblems problems;
  problems.Need(!request.min_agreement || *request.min_agreement > 0,
                "--min-agreement is {}; it takes a mean cosine, above 0 and at most 1",
                request.min_agreement.value_or(0));
  problems.Need(!request.max_drop || *request.max_drop >= 0, "--max-drop is {}; it takes points of top-1, 0 or more",
                request.max_drop.value_or(0));
  options.budget.min_agreement = std::max(request.min_agreement.value_or(0), 0.0);
  options.budget.max_drop = request.max_drop.value_or(request.min_agreement ? -1 : OptimizeOptions::kDefaultDrop);
  problems.Add(CheckBudget(options.budget));
  options.build.precision = ChoicePrecision(request, &problems);
  options.prune.method = problems.Take(ParsePruneMethod(request.method));
  problems.Need(
      options.prune.method != PruneOptions::Method::kGradient,
      "--method gradient is of `tamis prune`; optimize, which measures what every layer costs at the outputs, "
      "takes reconstruct, activation and magnitude");
  options.quantize.observer.observer = problems.Take(ParseObserver(request.observer));
  problems.Add(CheckThreads(request.threads));
  TAMIS_RETURN_IF_ERROR(problems.status());
  options.int8 = options.build.precision == Precision::kAuto;
  options.build.threads = request.threads;
  options.build.cache_path = TimingCache::DefaultPath();
  options.build.profiles = request.profiles;
  options.prune.keep = request.keep;
  options.permute = request.permute.value_or(FitsOutputs(options.prune.method));
  options.unseen = request.unseen;
  options.split = OptimizeSplit(request.data.samples);
  options.command = request.command;
  options.cancelled = hooks.cancelled;
  options.log = hooks.log;
  options.progress = hooks.progress;
  return options;
}

void WriteQuality(const Quality& quality, JsonWriter* json) {
  json->BeginObject().Field("agreement", quality.agreement).Field("agreement_error", quality.agreement_error);
  json->Field("drop", quality.drop).Field("drop_error", quality.drop_error);
  json->Field("counted_drop", quality.counted_drop).Field("divergence", quality.divergence);
  json->Field("has_scores", quality.has_scores).Field("labelled", quality.labelled);
  json->Field("by_probabilities", quality.by_probabilities);
  json->Field("mixed", quality.mixed).Field("mixed_drop", quality.mixed_drop);
  json->Field("mixed_drop_error", quality.mixed_drop_error).EndObject();
}

void WriteTimes(std::string_view key, const double (&seconds)[3], JsonWriter* json) {
  json->Key(key).BeginArray();
  for (const double value : seconds) json->Value(value * 1e3);
  json->EndArray();
}

void WriteLayer(const OptimizedLayer& layer, const std::string& full, JsonWriter* json) {
  const LayerRow& row = layer.row;
  json->BeginObject().Field("weight", layer.name).Field("node", layer.node).Field("operator", layer.op);
  json->Field("elements", layer.elements)
      .Field("pattern", Name(layer.setting.pattern))
      .Field("type", layer.setting.type == LayerType::kFull ? full : Name(layer.setting.type));
  json->Field("int8", layer.setting.IsInt8()).Field("reason", layer.reason);
  WriteTimes("float_ms", row.TimesAs(LayerType::kFull).seconds, json);
  WriteTimes("bf16_ms", row.TimesAs(LayerType::kBFloat16).seconds, json);
  WriteTimes("int8_ms", row.TimesAs(LayerType::kInt8).seconds, json);
  json->Field("bf16_error", row.type_error[1]).Field("int8_error", row.type_error[2]).Key("pattern_error").BeginArray();
  for (const double error : row.pattern_error) json->Value(error);
  json->EndArray().Field("bf16_divergence", row.type_divergence[1]).Field("int8_divergence", row.type_divergence[2]);
  json->Key("pattern_divergence").BeginArray();
  for (const double divergence : row.pattern_divergence) json->Value(divergence);
  json->EndArray().Field("output_error", layer.report.output_error).EndObject();
}

void WriteTrial(const OptimizeTrial& trial, JsonWriter* json) {
  json->BeginObject().Field("label", trial.label).Field("uniform", trial.uniform).Field("in_order", trial.in_order);
  json->Field("int8_layers", CountInt8(trial.assignment)).Field("bf16_layers", CountBFloat16(trial.assignment));
  json->Field("sparse_layers", CountSparse(trial.assignment));
  json->Field("predicted_ms", trial.seconds * 1e3).Field("ms", trial.measured_seconds * 1e3).Key("quality");
  WriteQuality(trial.quality, json);
  json->Field("holds", trial.holds).EndObject();
}

}  // namespace

Status OptimizeOutcome::Verdict() const {
  if (result.holds) return {};
  if (output.empty()) return UserError("{}", BudgetMissed(result));
  return UserError("{}. {}", BudgetMissed(result),
                   written ? "It was written as asked" : "Nothing was written; --write-closest writes that");
}

Result<OptimizeOutcome> OptimizeModel(const OptimizeRequest& request, const VerbHooks& hooks) {
  TAMIS_ASSIGN_OR_RETURN(OptimizeOptions options, OptionsOf(request, hooks));
  TAMIS_RETURN_IF_ERROR(CheckTargets({request.output, request.report}, {request.model.path}));
  TAMIS_ASSIGN_OR_RETURN(const Network network, request.model.LoadOnnx("optimize"));
  TAMIS_RETURN_IF_ERROR(CheckWeightsStay({request.output, request.report}, network.weight_files));
  OptimizeOutcome outcome;
  outcome.output = request.output;
  for (const std::string& remark : network.remarks) Tell(remark, hooks, &outcome.notices);
  std::shared_ptr<const DataSource> data;
  {
    TAMIS_ASSIGN_OR_RETURN(const CheckedSamples samples, ReadChecked(request.data, network.graph, request.threads,
                                                                     kLookedAt, hooks, &outcome.notices));
    options.build.values = RecordInputs(network.graph, samples.batches);
    TAMIS_ASSIGN_OR_RETURN(data, WithLabels(samples.source, request.labels));
  }
  TAMIS_ASSIGN_OR_RETURN(outcome.result, Optimize(network, *data, options));
  for (const std::string& notice : outcome.result.notices) Tell(notice, hooks, &outcome.notices);
  outcome.written = outcome.result.holds || request.write_closest;
  if (!outcome.written) return outcome;
  if (!request.output.empty()) TAMIS_RETURN_IF_ERROR(WriteEngine(*outcome.result.engine, request.output));
  if (!request.report.empty()) {
    TAMIS_RETURN_IF_ERROR(AtomicFile::WriteWhole(request.report, OptimizeReportHtml(network, options, outcome.result)));
  }
  return outcome;
}

std::string ToJson(const OptimizeOutcome& outcome) {
  const OptimizeResult& result = outcome.result;
  JsonWriter json;
  json.BeginObject().Field("output", outcome.output).Field("precision", result.precision).Field("holds", result.holds);
  json.Field("budget", result.budget.Text());
  json.Field("chosen", result.trials[static_cast<size_t>(result.chosen)].label);
  json.Field("best_uniform",
             result.best_uniform < 0 ? std::string() : result.trials[static_cast<size_t>(result.best_uniform)].label);
  json.Key("permuted");
  if (result.permuted) {
    json.BeginObject();
    WriteJson(*result.permuted, &json);
    json.EndObject();
  } else {
    json.Null();
  }
  json.Key("choose");
  WriteQuality(result.choose, &json);
  json.Key("confirm");
  WriteQuality(result.confirm, &json);
  json.Field("dense_ms", result.dense_ms).Field("ms", result.ms);
  json.Field("dense_predicted_ms", result.dense_predicted_ms).Field("predicted_ms", result.predicted_ms);
  json.Field("fit_samples", result.fit_samples).Field("choose_samples", result.choose_samples);
  json.Key("sensitivities").BeginObject().Field("measured", result.sensitivities_measured);
  json.Field("cached", result.sensitivities_cached).Field("cache", result.sensitivity_cache).EndObject();
  json.Field("confirm_samples", result.confirm_samples).Field("notes", outcome.notices).Key("layers").BeginArray();
  for (const OptimizedLayer& layer : result.layers) WriteLayer(layer, result.full, &json);
  json.EndArray().Key("trials").BeginArray();
  for (const OptimizeTrial& trial : result.trials) WriteTrial(trial, &json);
  return json.EndArray().EndObject().text();
}

}  // namespace tamis
