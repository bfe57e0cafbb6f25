#include <fmt/format.h>

#include "src/cli/data_flags.h"
#include "src/cli/layer_table.h"
#include "src/cli/verb.h"
#include "src/compiler/verbs/prune_model.h"

namespace tamis {
namespace {

struct Flags {
  std::string input, output, labels, method = "reconstruct", pattern = "2:4";
  std::string quantize = "none", observer = "mse", activations = "u8";
  std::vector<std::string> keep, keep_float;
  DataFlags data;
  int threads = 0;
  std::optional<bool> permute;
};

void PrintPermuted(const PermuteReport& report) {
  fmt::print("{:>10}  {:>7}  {:>7}  read by\n", "channels", "kept", "before");
  for (const PermutedClass& line : report.classes) {
    const std::string times = line.classes > 1 ? fmt::format("{} x ", line.classes) : "";
    const std::string more = line.layers.size() > 1 ? fmt::format(" and {} more", line.layers.size() - 1) : "";
    fmt::print("{:>10}  {:6.2f}%  {:6.2f}%  {}{}\n", times + std::to_string(line.channels), 100 * line.kept_after,
               100 * line.kept_before, line.layers[0], more);
    if (line.moved < line.classes) fmt::print("{:30}{} stay: {}\n", "", line.classes - line.moved, line.reason);
  }
  for (const FixedLayer& layer : report.fixed) fmt::print("{:30}{}: stay: {}\n", "", layer.name, layer.reason);
  fmt::print("{} of {} classes of channels moved, searched for {:.1f} s", report.Moved(), report.Classes(),
             report.seconds);
  fmt::print("; the dense network's outputs differ by {:.1e}, rounding explains {:.1e}\n\n", report.error,
             report.bound);
}

Status Run(const Flags& flags, const CommonFlags& common) {
  PruneRequest request;
  request.model.path = flags.input;
  request.output = flags.output;
  TAMIS_ASSIGN_OR_RETURN(request.data, RequestOf(flags.data));
  request.labels.file = flags.labels;
  request.method = flags.method;
  request.pattern = flags.pattern;
  request.keep = flags.keep;
  request.threads = flags.threads;
  request.quantize = flags.quantize;
  request.observer = flags.observer;
  request.activations = flags.activations;
  request.keep_float = flags.keep_float;
  request.permute = flags.permute;
  PruneOutcome outcome;
  {
    Progress progress("pruning");
    TAMIS_ASSIGN_OR_RETURN(outcome, PruneModel(request, HooksOf(&progress, common, "prune")));
  }
  if (common.json) {
    fmt::print("{}\n", ToJson(outcome));
    return {};
  }
  if (outcome.permuted) PrintPermuted(*outcome.permuted);
  PrintLayers(outcome.report.layers);
  const std::string int8 = outcome.quantize ? fmt::format(", {} of {} products int8", outcome.quantize->Quantized(),
                                                          outcome.quantize->layers.size())
                                            : "";
  fmt::print("\n{}: {} of {} layers are {}{}, verified after writing; {} samples\n", flags.output,
             outcome.report.Pruned(), outcome.report.layers.size(), outcome.pattern, int8, outcome.report.samples);
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("IN", flags->input, "ONNX file")->required();
  app.add_option("-o,--output", flags->output, "ONNX file to write")->required();
  app.add_option(
      "--method", flags->method,
      "How weights are chosen: reconstruct (second order, masks and weights fitted together; the default),\n"
      "gradient (the same with samples that count by how steep their loss is, which takes labels), activation\n"
      "(each weight's square times its input's energy) or magnitude");
  app.add_option("--labels", flags->labels,
                 "With --method gradient: classes of all samples, integers in a .npy file; by default labels.npy in\n"
                 "--data or the class folders of images");
  app.add_option(
      "--pattern", flags->pattern,
      "2:4; paired: 2:4 whose outputs keep the same positions two by two, faster on CPUs and less exact; 1:4,\n"
      "which is 2:4 too; or, only to compare with, for no kernel gains by them, 4:8 and unstructured (half of\n"
      "every output's weights)");
  app.add_option("--keep", flags->keep, "Layers that stay dense, by weight or node name");
  app.add_option("--quantize", flags->quantize,
                 "int8: kept weights become int8 codes in the same walk, each layer making up for the pruning and the "
                 "rounding before it, and activations get ranges; the file has QuantizeLinear and DequantizeLinear");
  app.add_option("--observer", flags->observer, "With --quantize: how ranges are chosen, as of tamis quantize");
  app.add_option("--activations", flags->activations, "With --quantize: u8 (asymmetric, the default) or s8");
  app.add_option("--keep-float", flags->keep_float, "With --quantize: layers that stay float, by weight or node name");
  CLI::Option* permute = app.add_flag_callback(
      "--permute", [flags] { flags->permute = true; },
      "First put channels in the order in which 2:4 keeps most (the dense network's outputs are checked), which is "
      "the\n"
      "default where weights are fitted and become 2:4");
  app.add_flag_callback(
         "--no-permute", [flags] { flags->permute = false; }, "Leave channels in their order")
      ->excludes(permute);
  app.add_option("--threads", flags->threads, "Threads; 0: one for every core");
  DeclareDataFlags(app, &flags->data);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_prune = {"prune", "Prune a network to 2:4 from unlabelled samples and write it as ONNX",
                                "tamis prune model.onnx -o pruned.onnx --data calibration/ --keep lm_head.weight",
                                Declare};

}  // namespace tamis
