#include <fmt/format.h>

#include "src/base/atomic_file.h"
#include "src/base/json_writer.h"
#include "src/cli/data_flags.h"
#include "src/cli/layer_table.h"
#include "src/cli/profile_flags.h"
#include "src/cli/verb.h"
#include "src/compiler/coverage.h"
#include "src/compiler/optimize.h"
#include "src/tuner/timing_cache.h"

namespace tamis {
namespace {

struct Flags {
  std::string input, output, report, precision = "auto", method = "reconstruct";
  double min_agreement = 0, max_drop = -1;
  std::vector<std::string> keep;
  ProfileOptions profiles;
  DataFlags data;
  int threads = 0;
};

std::string ToJson(const Flags& flags, const OptimizeResult& result) {
  JsonWriter json;
  json.BeginObject().Field("output", flags.output).Field("precision", result.precision).Field("holds", result.holds);
  json.Key("agreement").BeginObject().Field("choose", result.choose.agreement);
  json.Field("confirm", result.confirm.agreement).EndObject();
  json.Key("drop").BeginObject().Field("choose", result.choose.drop).Field("confirm", result.confirm.drop).EndObject();
  json.Field("dense_ms", result.dense_ms).Field("predicted_ms", result.predicted_ms);
  json.Field("fit_samples", result.fit_samples).Field("choose_samples", result.choose_samples);
  json.Field("confirm_samples", result.confirm_samples).Key("layers").BeginArray();
  for (const OptimizedLayer& layer : result.layers) {
    json.BeginObject().Field("weight", layer.time.weight).Field("node", layer.time.node);
    json.Field("pattern", layer.report.pattern).Field("reason", layer.report.reason);
    json.Field("dense_ms", layer.time.dense_seconds * 1e3).Field("sparse_ms", layer.time.sparse_seconds * 1e3);
    json.Field("sensitivity", layer.sensitivity).Field("output_error", layer.report.output_error).EndObject();
  }
  json.EndArray().Key("trials").BeginArray();
  for (const OptimizeTrial& trial : result.trials) {
    json.BeginObject().Field("layers", trial.layers).Field("agreement", trial.choose.agreement);
    json.Field("drop", trial.choose.drop).Field("holds", trial.holds).EndObject();
  }
  return json.EndArray().EndObject().text();
}

void Print(const Flags& flags, const OptimizeResult& result) {
  int64_t sparse = 0;
  fmt::print("{:<7} {:>9} {:>9} {:>11} {:>8}  {}\n", "pattern", "dense ms", "2:4 ms", "sensitivity", "error", "layer");
  for (const OptimizedLayer& layer : result.layers) {
    const bool pruned = layer.report.pattern == "2:4";
    sparse += pruned ? 1 : 0;
    fmt::print("{:<7} {:>9.4f} {:>9.4f} {:>11.5f} {:>7.2f}%  {}{}\n", layer.report.pattern,
               layer.time.dense_seconds * 1e3, layer.time.sparse_seconds * 1e3, layer.sensitivity,
               100 * layer.report.output_error, layer.time.weight, pruned ? "" : ": " + layer.report.reason);
  }
  fmt::print(
      "\n{}: {} of {} layers 2:4 in {}; agreement {:.4f}, drop {:.2f} points on {} held-out samples; predicted "
      "{:.3f} ms, dense {:.3f} ms\n",
      flags.output, sparse, result.layers.size(), result.precision, result.confirm.agreement, result.confirm.drop,
      result.confirm_samples, result.predicted_ms, result.dense_ms);
}

Status Run(const Flags& flags, const CommonFlags& common) {
  OptimizeOptions options;
  options.min_agreement = flags.min_agreement;
  options.max_drop = flags.max_drop;
  TAMIS_ASSIGN_OR_RETURN(options.build.precision, ParsePrecision(flags.precision));
  if (options.build.precision == Precision::kFloat16) {
    return UserError(
        "optimize measures on the CPU, in f32, bf16 or auto; `tamis build --device cuda` makes f16 engines");
  }
  options.build.threads = flags.threads;
  options.build.cache_path = TimingCache::DefaultPath();
  TAMIS_ASSIGN_OR_RETURN(options.build.profiles, flags.profiles.Read());
  TAMIS_ASSIGN_OR_RETURN(options.prune.method, ParsePruneMethod(flags.method));
  options.prune.keep = flags.keep;
  options.split = {512, 128, 128};
  TAMIS_ASSIGN_OR_RETURN(const Network network, LoadNetwork(flags.input));
  TAMIS_ASSIGN_OR_RETURN(const auto data, OpenData(flags.data, network.graph));
  {
    constexpr int64_t kLookedAt = 512;
    TAMIS_ASSIGN_OR_RETURN(const auto batches, ReadBatches(*data, AllSamples(*data, kLookedAt), 32));
    TAMIS_RETURN_IF_ERROR(NoticeOddSamples(network.graph, batches, flags.threads));
    options.build.values = RecordInputs(network.graph, batches);
  }
  OptimizeResult result;
  {
    Progress progress("optimizing");
    std::string step = "start";
    options.log = [&](const std::string& text) {
      step = text;
      if (common.verbose) fmt::print(stderr, "optimize: {}\n", text);
    };
    options.prune.progress = [&](int done, int total, const std::string& layer) {
      progress.Update(done, total, step + ", " + layer);
    };
    TAMIS_ASSIGN_OR_RETURN(result, Optimize(network, *data, options));
  }
  for (const std::string& notice : result.notices) PrintNotice(notice);
  if (!result.holds) {
    return UserError("the budget can't be held on the samples kept for confirmation; nothing was written");
  }
  TAMIS_RETURN_IF_ERROR(WriteEngine(*result.engine, flags.output));
  if (!flags.report.empty()) {
    const std::string html = OptimizeReportHtml(network, options, result);
    TAMIS_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(flags.report));
    TAMIS_RETURN_IF_ERROR(file.Write(html));
    TAMIS_RETURN_IF_ERROR(file.Commit());
  }
  if (common.json) {
    fmt::print("{}\n", ToJson(flags, result));
  } else {
    Print(flags, result);
  }
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("IN", flags->input, "ONNX file")->required();
  app.add_option("-o,--output", flags->output, "Engine file to write")->required();
  app.add_option("--max-drop", flags->max_drop, "Budget: points of top-1");
  app.add_option("--min-agreement", flags->min_agreement, "Budget: mean cosine to the dense network's outputs");
  app.add_option("--report", flags->report, "HTML page to write");
  app.add_option("--precision", flags->precision, "auto, f32 or bf16");
  app.add_option("--method", flags->method, "reconstruct or magnitude");
  app.add_option("--keep", flags->keep, "Layers that stay dense, by weight or node name");
  DeclareProfileFlags(app, &flags->profiles);
  app.add_option("--threads", flags->threads, "Threads; 0: one for every core");
  DeclareDataFlags(app, &flags->data);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_optimize = {
    "optimize", "Prune, choose a precision and compile, as far as an accuracy budget allows",
    "tamis optimize model.onnx -o model.tamis --data calibration/ --min-agreement 0.97 --report report.html", Declare};

}  // namespace tamis
