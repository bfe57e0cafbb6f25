#include <fmt/format.h>

#include "src/cli/data_flags.h"
#include "src/cli/verb.h"
#include "src/compiler/verbs/quantize_model.h"

namespace tamis {
namespace {

struct Flags {
  std::string input, output, format = "int8", observer = "mse", activations = "u8", rounding = "nearest";
  double percentile = 99.99;
  bool plain_weights = false, keep_bias = false, no_balance = false;
  std::vector<std::string> keep;
  DataFlags data;
  int threads = 0;
};

void PrintReport(const Flags& flags, const QuantizeReport& report) {
  fmt::print("{:<44} {:<12} {:>12}  {}\n", "weight", "type", "weight error", "why not");
  for (const QuantizedLayer& layer : report.layers) {
    const std::string error = layer.quantized ? fmt::format("{:.2e}", layer.weight_error) : "";
    fmt::print("{:<44} {:<12} {:>12}  {}\n", layer.name, layer.quantized ? report.type : "float", error, layer.reason);
  }
  fmt::print("\n{}: {} of {} layers are {}; {} tensors have ranges, {} were balanced; {}\n", flags.output,
             report.Quantized(), report.layers.size(), report.type, report.tensors.size(), report.balanced.size(),
             report.verdict);
}

Status Run(const Flags& flags, const CommonFlags& common) {
  QuantizeRequest request;
  request.model.path = flags.input;
  request.output = flags.output;
  TAMIS_ASSIGN_OR_RETURN(request.data, RequestOf(flags.data));
  request.format = flags.format;
  request.observer = flags.observer;
  request.activations = flags.activations;
  request.percentile = flags.percentile;
  request.rounding = flags.rounding;
  request.clip_weights = !flags.plain_weights;
  request.correct_bias = !flags.keep_bias;
  request.balance = !flags.no_balance;
  request.keep = flags.keep;
  request.threads = flags.threads;
  QuantizeOutcome outcome;
  {
    Progress progress("calibrating");
    TAMIS_ASSIGN_OR_RETURN(outcome, QuantizeModel(request, HooksOf(&progress, common, "quantize")));
  }
  if (common.json) {
    fmt::print("{}\n", ToJson(outcome));
  } else {
    PrintReport(flags, outcome.report);
  }
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("IN", flags->input, "ONNX file")->required();
  app.add_option("-o,--output", flags->output, "ONNX file to write, with QuantizeLinear and DequantizeLinear")
      ->required();
  app.add_option("--format", flags->format,
                 "int8 (the default), or fp8: float8e4m3fn, for NVIDIA GPUs of compute capability 8.9 and later");
  app.add_option("--observer", flags->observer,
                 "How ranges are chosen: mse (the default), minmax, percentile, entropy");
  app.add_option("--percentile", flags->percentile, "Share of the values that percentile keeps, in percent");
  app.add_option("--activations", flags->activations, "u8 (asymmetric, the default) or s8 (symmetric)");
  app.add_option(
      "--rounding", flags->rounding,
      "nearest (the default), or descent: every code makes up for the rounding of the others, layer after layer");
  app.add_flag("--plain-weights", flags->plain_weights, "Weight scales by the largest weight, none clipped");
  app.add_flag("--no-bias-correction", flags->keep_bias, "Leave biases as they are");
  app.add_flag("--no-balance", flags->no_balance,
               "Leave activations as they are: no factors between their channels and the weights");
  app.add_option("--keep", flags->keep, "Layers that stay float, by weight or node name");
  app.add_option("--threads", flags->threads, "Threads; 0: one for every core");
  DeclareDataFlags(app, &flags->data);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_quantize = {"quantize",
                                   "Quantize a network to int8 or float8 from unlabelled samples and write it as ONNX",
                                   "tamis quantize model.onnx -o int8.onnx --data calibration/ --samples 512", Declare};

}  // namespace tamis
