#include "src/compiler/verbs/prune_model.h"

#include <algorithm>
#include <map>
#include "src/base/hash.h"
#include "src/base/json_writer.h"
#include "src/base/request_problems.h"
#include "src/base/thread_count.h"
#include "src/base/version.h"
#include "src/compiler/prune/loss_gradient.h"
#include "src/compiler/verbs/output_targets.h"
#include "src/compiler/verbs/verify_pruned.h"
#include "src/onnx/onnx.h"

namespace tamis {
namespace {

struct Options {
  std::optional<PermuteOptions> permute;
  PruneOptions prune;
  std::optional<QuantizeOptions> quantize;
};

Result<Options> OptionsOf(const PruneRequest& request, const VerbHooks& hooks) {
  Options all;
  PruneOptions& options = all.prune;
  RequestProblems problems;
  options.reconstruct.paired = request.pattern == "paired";
  const auto rule = std::find_if(std::begin(kMaskRules), std::end(kMaskRules),
                                 [&](const MaskRule& known) { return Name(known) == request.pattern; });
  if (rule != std::end(kMaskRules)) options.reconstruct.rule = *rule;
  problems.Need(options.reconstruct.paired || rule != std::end(kMaskRules),
                "--pattern '{}' is not supported; 2:4, paired, 1:4, 4:8 and unstructured are", request.pattern);
  options.method = problems.Take(ParsePruneMethod(request.method));
  problems.Need((request.labels.file.empty() && !request.labels.classes) || request.method == "gradient",
                "--labels says what the loss is whose gradient is estimated; it goes with --method gradient");
  problems.Add(CheckThreads(request.threads));
  problems.Need(request.quantize == "none" || request.quantize == "int8",
                "--quantize '{}' is not known; it takes int8, or none", request.quantize);
  QuantizeOptions quantize;
  quantize.observer.observer = problems.Take(ParseObserver(request.observer));
  quantize.signed_activations = problems.Take(ParseActivations(request.activations));
  problems.Need(request.quantize == "int8" || request.keep_float.empty(),
                "--keep-float names layers that stay float; it goes with --quantize int8");
  TAMIS_RETURN_IF_ERROR(problems.status());
  options.keep = request.keep;
  options.cancelled = hooks.cancelled;
  options.progress = hooks.progress;
  const bool pays = FitsOutputs(options.method) && options.reconstruct.rule.ImpliesTwoFour();
  if (request.permute.value_or(pays))
    all.permute = PermuteOptions{request.keep, options.seed, hooks.progress, hooks.cancelled};
  if (request.quantize == "int8") {
    quantize.keep = request.keep_float;
    quantize.threads = request.threads;
    quantize.cancelled = hooks.cancelled;
    quantize.progress = hooks.progress;
    all.quantize = std::move(quantize);
  }
  return all;
}

// The classes of the samples that were read, checked against the network's.
Result<std::vector<int64_t>> LabelsForLoss(const PruneRequest& request, const Graph& graph,
                                           const CheckedSamples& samples) {
  TAMIS_ASSIGN_OR_RETURN(const ScoreOutput output, FindScoreOutput(graph));
  TAMIS_ASSIGN_OR_RETURN(const auto source, WithLabels(samples.source, request.labels));
  if (source->labels().empty()) {
    return UserError(
        "--method gradient takes a label for every sample: give images in class folders, a labels.npy beside the data, "
        "or --labels FILE.npy; --method reconstruct needs none");
  }
  TAMIS_RETURN_IF_ERROR(CheckLabels(source->labels(), output.classes, output.name, source->class_names()));
  std::vector<int64_t> labels;
  for (const int64_t sample : AllSamples(*source, request.data.samples)) {
    labels.push_back(source->labels()[static_cast<size_t>(sample)]);
  }
  return labels;
}

// One sample has no other to check a fit on.
Status CheckEnough(const PruneOptions& options, std::span<const NamedTensors> batches) {
  if (!FitsOutputs(options.method) || batches.size() != 1) return {};
  const Tensor& first = batches[0].begin()->second;
  if (first.rank() == 0 || first.dim(0) != 1) return {};
  return UserError(
      "one sample is too few: masks and weights would be fitted to it and hold for no other. Some hundreds are usual, "
      "of "
      "every kind that the network will see; --method magnitude looks at the weights alone");
}

Status Work(const Options& options, std::span<const NamedTensors> batches, std::shared_ptr<ThreadPool> pool,
            Graph* graph, PruneOutcome* outcome) {
  if (options.permute) {
    TAMIS_ASSIGN_OR_RETURN(outcome->permuted, PermuteChannels(*graph, batches, *options.permute, pool));
  }
  if (!options.quantize) {
    TAMIS_ASSIGN_OR_RETURN(outcome->report, Prune(*graph, batches, options.prune, std::move(pool)));
    return {};
  }
  TAMIS_ASSIGN_OR_RETURN(PrunedAndQuantized both,
                         PruneAndQuantize(*graph, batches, options.prune, *options.quantize, std::move(pool)));
  outcome->report = std::move(both.prune);
  outcome->quantize = std::move(both.quantize);
  return {};
}

std::string NothingPruned(const PruneReport& report) {
  if (report.layers.empty())
    return "nothing was pruned: the network has no product or convolution with a constant weight";
  const LayerReport& first = report.layers.front();
  return fmt::format("nothing was pruned: all {} layers stayed dense, {}: {}", report.layers.size(), first.name,
                     first.reason);
}

}  // namespace

Result<PruneOutcome> PruneModel(const PruneRequest& request, const VerbHooks& hooks) {
  TAMIS_ASSIGN_OR_RETURN(Options options, OptionsOf(request, hooks));
  TAMIS_RETURN_IF_ERROR(CheckTargets({request.output}, {request.model.path}));
  TAMIS_ASSIGN_OR_RETURN(Network network, request.model.LoadOnnx("prune"));
  TAMIS_RETURN_IF_ERROR(CheckWeightsStay(FilesOfExport(network.graph, request.output), network.weight_files));
  PruneOutcome outcome;
  outcome.output = request.output;
  for (const std::string& remark : network.remarks) Tell(remark, hooks, &outcome.notices);
  const MaskRule& rule = options.prune.reconstruct.rule;
  outcome.pattern = options.prune.reconstruct.paired ? "paired 2:4" : Name(rule);
  if (!rule.ImpliesTwoFour()) {
    Tell(fmt::format("no kernel gains by {} weights: engines made of this file run them as dense ones. It is for "
                     "comparing what patterns cost",
                     outcome.pattern),
         hooks, &outcome.notices);
  }
  TAMIS_ASSIGN_OR_RETURN(const CheckedSamples samples,
                         ReadChecked(request.data, network.graph, request.threads, 0, hooks, &outcome.notices));
  TAMIS_RETURN_IF_ERROR(CheckEnough(options.prune, samples.batches));
  if (options.prune.method == PruneOptions::Method::kGradient) {
    TAMIS_ASSIGN_OR_RETURN(options.prune.labels, LabelsForLoss(request, network.graph, samples));
  }
  CalibrateOptions calibrate;
  calibrate.threads = request.threads;
  calibrate.cancelled = hooks.cancelled;
  if (hooks.progress) {
    calibrate.progress = [&](int done, int total) { hooks.progress(done, total, "looking at the samples"); };
  }
  TAMIS_ASSIGN_OR_RETURN(outcome.coverage, MeasureCoverage(network.graph, samples.batches, calibrate));
  if (!outcome.coverage.settled) Tell(outcome.coverage.text, hooks, &outcome.notices);
  TAMIS_RETURN_IF_ERROR(
      Work(options, samples.batches, std::make_shared<ThreadPool>(request.threads), &network.graph, &outcome));
  for (const std::string& note : outcome.report.notes) Tell(note, hooks, &outcome.notices);
  if (outcome.report.Pruned() == 0) Tell(NothingPruned(outcome.report), hooks, &outcome.notices);
  ModelMeta meta = std::move(network.meta);
  meta.Set("tamis.version", kVersion);
  meta.Set("tamis.pattern", outcome.pattern);
  meta.Set("tamis.method", request.method);
  meta.Set("tamis.source_hash", network.hash);
  meta.Set("tamis.data_hash", HexString(samples.source->hash()));
  if (outcome.quantize) meta.Set("tamis.observer", request.observer);
  TAMIS_RETURN_IF_ERROR(ExportOnnx(network.graph, request.output, meta, network.notes));
  TAMIS_RETURN_IF_ERROR(VerifyPruned(request.output, outcome.report, rule));
  return outcome;
}

std::string ToJson(const PruneOutcome& outcome) {
  JsonWriter json;
  json.BeginObject().Field("output", outcome.output).Field("pattern", outcome.pattern);
  json.Field("samples", outcome.report.samples).Field("settled", outcome.coverage.settled);
  json.Field("verdict", outcome.coverage.text).Field("notes", outcome.notices).Key("layers").BeginArray();
  std::map<std::string, const QuantizedLayer*> coded;
  if (outcome.quantize) {
    for (const QuantizedLayer& layer : outcome.quantize->layers) coded[layer.name] = &layer;
  }
  for (const LayerReport& layer : outcome.report.layers) {
    json.BeginObject().Field("weight", layer.name).Field("node", layer.node).Field("operator", layer.op);
    json.Field("outputs", layer.n).Field("inputs", layer.k).Field("pattern", layer.pattern);
    json.Field("reason", layer.reason).Field("saliency_kept", layer.saliency_kept);
    json.Field("output_error", layer.output_error).Field("bias_moved", layer.bias_moved);
    const auto found = coded.find(layer.name);
    const QuantizedLayer* codes = found == coded.end() ? nullptr : found->second;
    json.Field("int8", codes != nullptr && codes->quantized);
    json.Field("float_reason", codes != nullptr ? codes->reason : "");
    json.Field("weight_error", codes != nullptr ? codes->weight_error : 0.0).EndObject();
  }
  json.EndArray().Key("permuted");
  if (outcome.permuted) {
    json.BeginObject();
    WriteJson(*outcome.permuted, &json);
    json.EndObject();
  } else {
    json.Null();
  }
  return json.EndObject().text();
}

}  // namespace tamis
