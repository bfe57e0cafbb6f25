#include <fmt/format.h>

#include <fstream>
#include <optional>

#include "src/base/atomic_file.h"
#include "src/base/json_writer.h"
#include "src/cli/data_flags.h"
#include "src/cli/profile_flags.h"
#include "src/cli/verb.h"
#include "src/compiler/coverage.h"
#include "src/compiler/optimize.h"
#include "src/tuner/timing_cache.h"

namespace tamis {
namespace {

struct Flags {
  std::string input, output, report, precision = "auto", method = "reconstruct", observer = "mse";
  std::optional<double> min_agreement, max_drop;
  bool write_closest = false;
  std::vector<std::string> keep;
  ProfileOptions profiles;
  DataFlags data;
  int threads = 0;
};

// As it was called, for the report.
std::string CommandLine() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string text, argument;
  while (std::getline(file, argument, '\0')) {
    const bool plain = argument.find_first_of(" '\"$*?") == std::string::npos;
    text += (text.empty() ? "" : " ") + (plain ? argument : "'" + argument + "'");
  }
  return text;
}

void WriteQuality(const Quality& quality, JsonWriter* json) {
  json->BeginObject().Field("agreement", quality.agreement).Field("agreement_error", quality.agreement_error);
  json->Field("drop", quality.drop).Field("drop_error", quality.drop_error);
  json->Field("counted_drop", quality.counted_drop).Field("labelled", quality.labelled).EndObject();
}

std::string ToJson(const Flags& flags, const OptimizeResult& result) {
  JsonWriter json;
  json.BeginObject().Field("output", flags.output).Field("precision", result.precision).Field("holds", result.holds);
  json.Field("chosen", result.trials[static_cast<size_t>(result.chosen)].label);
  json.Key("choose");
  WriteQuality(result.choose, &json);
  json.Key("confirm");
  WriteQuality(result.confirm, &json);
  json.Field("dense_ms", result.dense_ms).Field("ms", result.ms);
  json.Field("dense_predicted_ms", result.dense_predicted_ms).Field("predicted_ms", result.predicted_ms);
  json.Field("fit_samples", result.fit_samples).Field("choose_samples", result.choose_samples);
  json.Field("confirm_samples", result.confirm_samples).Key("layers").BeginArray();
  for (const OptimizedLayer& layer : result.layers) {
    const LayerRow& row = layer.row;
    json.BeginObject().Field("weight", layer.name).Field("node", layer.node).Field("operator", layer.op);
    json.Field("pattern", Name(layer.setting.pattern)).Field("int8", layer.setting.int8).Field("reason", layer.reason);
    json.Key("float_ms").BeginArray();
    for (const double seconds : row.as_float.seconds) json.Value(seconds * 1e3);
    json.EndArray().Key("int8_ms").BeginArray();
    for (const double seconds : row.as_int8.seconds) json.Value(seconds * 1e3);
    json.EndArray().Field("int8_error", row.int8_error).Key("pattern_error").BeginArray();
    for (const double error : row.pattern_error) json.Value(error);
    json.EndArray().Field("output_error", layer.report.output_error).EndObject();
  }
  json.EndArray().Key("trials").BeginArray();
  for (const OptimizeTrial& trial : result.trials) {
    json.BeginObject().Field("label", trial.label).Field("uniform", trial.uniform).Field("in_order", trial.in_order);
    json.Field("int8_layers", CountInt8(trial.assignment)).Field("sparse_layers", CountSparse(trial.assignment));
    json.Field("predicted_ms", trial.seconds * 1e3).Field("ms", trial.measured_seconds * 1e3).Key("quality");
    WriteQuality(trial.quality, &json);
    json.Field("holds", trial.holds).EndObject();
  }
  return json.EndArray().EndObject().text();
}

void Print(const Flags& flags, const Budget& budget, const OptimizeResult& result) {
  int64_t sparse = 0, int8 = 0;
  fmt::print("{:<10} {:<5} {:>9} {:>9} {:>9} {:>9}  {}\n", "pattern", "type", "float ms", "int8 ms", "2:4 costs",
             "int8 costs", "layer");
  for (const OptimizedLayer& layer : result.layers) {
    sparse += layer.setting.pattern != LayerPattern::kDense ? 1 : 0;
    int8 += layer.setting.int8 ? 1 : 0;
    const LayerRow& row = layer.row;
    fmt::print("{:<10} {:<5} {:>9.4f} {:>9.4f} {:>9.5f} {:>9.5f}  {}{}\n", Name(layer.setting.pattern),
               layer.setting.int8 ? "int8" : "float", row.as_float.seconds[0] * 1e3, row.as_int8.seconds[0] * 1e3,
               row.pattern_error[layer.setting.pattern == LayerPattern::kPaired ? 2 : 1], row.int8_error, layer.name,
               layer.reason.empty() ? "" : ": " + layer.reason);
  }
  fmt::print("\n{:>9} {:>9}  {}\n", "ms", "predicted", "tried");
  for (size_t i = 0; i < result.trials.size(); ++i) {
    const OptimizeTrial& trial = result.trials[i];
    const std::string measured = trial.measured_seconds > 0 ? fmt::format("{:.3f}", trial.measured_seconds * 1e3) : "";
    fmt::print("{:>9} {:>9.3f}  {}: {}{}{}\n", measured, trial.seconds * 1e3, trial.label,
               budget.Describe(trial.quality), trial.holds ? ", holds" : "",
               static_cast<int>(i) == result.chosen ? ", chosen" : "");
  }
  fmt::print("\n{}: {} of {} layers int8, {} of them 2:4; {} on {} samples kept for that; {:.3f} ms, dense {:.3f} ms\n",
             flags.output, int8, result.layers.size(), sparse, budget.Describe(result.confirm), result.confirm_samples,
             result.ms > 0 ? result.ms : result.predicted_ms,
             result.dense_ms > 0 ? result.dense_ms : result.dense_predicted_ms);
}

Result<OptimizeOptions> OptionsOf(const Flags& flags) {
  OptimizeOptions options;
  if (flags.min_agreement) options.budget.min_agreement = *flags.min_agreement;
  if (flags.max_drop) options.budget.max_drop = *flags.max_drop;
  if (flags.min_agreement && *flags.min_agreement <= 0) {
    return UserError("--min-agreement is {}; it takes a mean cosine, above 0 and at most 1", *flags.min_agreement);
  }
  if (flags.max_drop && *flags.max_drop < 0) {
    return UserError("--max-drop is {}; it takes points of top-1, 0 or more", *flags.max_drop);
  }
  if (!flags.min_agreement && !flags.max_drop) options.budget.max_drop = OptimizeOptions::kDefaultDrop;
  TAMIS_RETURN_IF_ERROR(CheckBudget(options.budget));
  if (flags.precision == "int8") {
    return UserError("--precision auto is where int8 is chosen, layer by layer; f32 and bf16 leave it out");
  }
  TAMIS_ASSIGN_OR_RETURN(options.build.precision, ParsePrecision(flags.precision));
  if (options.build.precision == Precision::kFloat16) {
    return UserError(
        "optimize measures on the CPU, in f32, bf16 or auto; `tamis build --device cuda` makes f16 engines");
  }
  options.int8 = options.build.precision == Precision::kAuto;
  options.build.threads = flags.threads;
  options.build.cache_path = TimingCache::DefaultPath();
  TAMIS_ASSIGN_OR_RETURN(options.build.profiles, flags.profiles.Read());
  TAMIS_ASSIGN_OR_RETURN(options.prune.method, ParsePruneMethod(flags.method));
  TAMIS_ASSIGN_OR_RETURN(options.quantize.observer.observer, ParseObserver(flags.observer));
  options.prune.keep = flags.keep;
  options.command = CommandLine();
  return options;
}

Status WriteReport(const Flags& flags, const Network& network, const OptimizeOptions& options,
                   const OptimizeResult& result) {
  if (flags.report.empty()) return {};
  return AtomicFile::WriteWhole(flags.report, OptimizeReportHtml(network, options, result));
}

Status Run(const Flags& flags, const CommonFlags& common) {
  TAMIS_ASSIGN_OR_RETURN(OptimizeOptions options, OptionsOf(flags));
  TAMIS_RETURN_IF_ERROR(AtomicFile::CheckTarget(flags.output));
  if (!flags.report.empty()) TAMIS_RETURN_IF_ERROR(AtomicFile::CheckTarget(flags.report));
  TAMIS_ASSIGN_OR_RETURN(const Network network, LoadNetwork(flags.input));
  TAMIS_ASSIGN_OR_RETURN(const auto data, OpenData(flags.data, network.graph));
  options.split = OptimizeSplit(flags.data.samples);
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
  if (!result.holds && !flags.write_closest) {
    return UserError("{}. Nothing was written; --write-closest writes that", BudgetMissed(result));
  }
  TAMIS_RETURN_IF_ERROR(WriteEngine(*result.engine, flags.output));
  TAMIS_RETURN_IF_ERROR(WriteReport(flags, network, options, result));
  if (common.json) {
    fmt::print("{}\n", ToJson(flags, result));
  } else {
    Print(flags, options.budget, result);
  }
  if (!result.holds) return UserError("{}. It was written as asked", BudgetMissed(result));
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("IN", flags->input, "ONNX file")->required();
  app.add_option("-o,--output", flags->output, "Engine file to write")->required();
  app.add_option("--max-drop", flags->max_drop,
                 "Budget: points of top-1, by the data's labels or, without any, the dense network's answers;\n"
                 "1.5 if no budget is given");
  app.add_option("--min-agreement", flags->min_agreement,
                 "Budget: mean cosine to the dense network's outputs; both may be given");
  app.add_flag("--write-closest", flags->write_closest,
               "Write the closest network even if the budget can't be held (and fail all the same)");
  app.add_option("--report", flags->report, "HTML page to write");
  app.add_option("--precision", flags->precision,
                 "auto (int8 and bf16 where they are faster and the budget allows it), f32 or bf16");
  app.add_option("--method", flags->method, "reconstruct or magnitude");
  app.add_option("--observer", flags->observer, "How int8 ranges are chosen: mse, minmax, percentile, entropy");
  app.add_option("--keep", flags->keep, "Layers that stay dense and float, by weight or node name");
  DeclareProfileFlags(app, &flags->profiles);
  app.add_option("--threads", flags->threads, "Threads; 0: one for every core");
  DeclareDataFlags(app, &flags->data);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_optimize = {
    "optimize", "Prune, quantize and compile, layer by layer as far as an accuracy budget allows",
    "tamis optimize model.onnx -o model.tamis --data calibration/ --min-agreement 0.97 --report report.html", Declare};

}  // namespace tamis
