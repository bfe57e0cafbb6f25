#include <fmt/format.h>

#include <fstream>
#include <optional>

#include "src/cli/data_flags.h"
#include "src/cli/profile_flags.h"
#include "src/cli/verb.h"
#include "src/compiler/verbs/optimize_model.h"

namespace tamis {
namespace {

struct Flags {
  std::string input, output, labels, report, precision = "auto", method = "reconstruct", observer = "mse";
  std::optional<double> min_agreement, max_drop;
  std::optional<bool> permute;
  bool unseen = false, write_closest = false;
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

void Print(const Flags& flags, const OptimizeResult& result) {
  const Budget& budget = result.budget;
  int64_t sparse = 0, int8 = 0;
  fmt::print("{:<10} {:<5} {:>9} {:>9} {:>9} {:>9} {:>9}  {}\n", "pattern", "type", "float ms", "bf16 ms", "int8 ms",
             "2:4 costs", "int8 costs", "layer");
  for (const OptimizedLayer& layer : result.layers) {
    sparse += layer.setting.IsSparse() ? 1 : 0;
    int8 += layer.setting.IsInt8() ? 1 : 0;
    const LayerRow& row = layer.row;
    const auto ms = [&](LayerType type) { return row.SecondsAs({LayerPattern::kDense, type}) * 1e3; };
    fmt::print("{:<10} {:<5} {:>9.4f} {:>9.4f} {:>9.4f} {:>9.5f} {:>9.5f}  {}{}\n", Name(layer.setting.pattern),
               layer.setting.type == LayerType::kFull ? result.full : Name(layer.setting.type), ms(LayerType::kFull),
               ms(LayerType::kBFloat16), ms(LayerType::kInt8),
               row.pattern_error[layer.setting.pattern == LayerPattern::kPaired ? 2 : 1],
               row.type_error[static_cast<size_t>(LayerType::kInt8)], layer.name,
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
  if (result.sensitivities_cached > 0) {
    fmt::print("\n{} of {} costs of single layers were known from {}\n", result.sensitivities_cached,
               result.sensitivities_cached + result.sensitivities_measured, result.sensitivity_cache);
  }
  fmt::print("\n{}: {} of {} layers int8, {} of them 2:4; {} on {} samples kept for that; {:.3f} ms, dense {:.3f} ms\n",
             flags.output, int8, result.layers.size(), sparse, budget.Describe(result.confirm), result.confirm_samples,
             result.ms > 0 ? result.ms : result.predicted_ms,
             result.dense_ms > 0 ? result.dense_ms : result.dense_predicted_ms);
}

Status Run(const Flags& flags, const CommonFlags& common) {
  OptimizeRequest request;
  request.model.path = flags.input;
  request.output = flags.output;
  request.report = flags.report;
  TAMIS_ASSIGN_OR_RETURN(request.data, RequestOf(flags.data));
  request.labels.file = flags.labels;
  request.min_agreement = flags.min_agreement;
  request.max_drop = flags.max_drop;
  request.precision = flags.precision;
  request.method = flags.method;
  request.observer = flags.observer;
  request.keep = flags.keep;
  TAMIS_ASSIGN_OR_RETURN(request.profiles, flags.profiles.Read());
  request.permute = flags.permute;
  request.unseen = flags.unseen;
  request.write_closest = flags.write_closest;
  request.threads = flags.threads;
  request.command = CommandLine();
  OptimizeOutcome outcome;
  {
    Progress progress("optimizing");
    TAMIS_ASSIGN_OR_RETURN(outcome, OptimizeModel(request, HooksOf(&progress, common, "optimize")));
  }
  if (outcome.written && common.json) fmt::print("{}\n", ToJson(outcome));
  if (outcome.written && !common.json) Print(flags, outcome.result);
  return outcome.Verdict();
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
  app.add_option("--labels", flags->labels,
                 "Classes of all samples, integers in a .npy file; by default labels.npy in --data or the class\n"
                 "folders of images; none: don't use these");
  app.add_flag(
      "--unseen", flags->unseen,
      "The network was not trained on these samples: points of top-1 are not measured on mixtures of them too");
  app.add_flag("--write-closest", flags->write_closest,
               "Write the closest network even if the budget can't be held (and fail all the same)");
  app.add_option("--report", flags->report, "HTML page to write");
  app.add_option("--precision", flags->precision,
                 "auto (int8 and bf16 where they are faster and the budget allows it), f32 or bf16");
  app.add_option("--method", flags->method, "reconstruct, activation or magnitude, as of tamis prune");
  CLI::Option* permute = app.add_flag_callback(
      "--permute", [flags] { flags->permute = true; }, "Channels are first put in another order, as of tamis prune");
  app.add_flag_callback(
         "--no-permute", [flags] { flags->permute = false; }, "Channels stay in their order")
      ->excludes(permute);
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
