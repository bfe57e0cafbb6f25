#include <fmt/format.h>

#include "src/base/atomic_file.h"
#include "src/base/hash.h"
#include "src/base/json_writer.h"
#include "src/cli/data_flags.h"
#include "src/cli/layer_table.h"
#include "src/cli/verb.h"
#include "src/compiler/build.h"
#include "src/compiler/coverage.h"
#include "src/compiler/prune.h"
#include "src/onnx/onnx.h"

namespace tamis {
namespace {

struct Flags {
  std::string input, output, method = "reconstruct", pattern = "2:4";
  std::vector<std::string> keep;
  DataFlags data;
  int threads = 0;
};

Status Run(const Flags& flags, const CommonFlags& common) {
  if (flags.pattern != "2:4" && flags.pattern != "paired") {
    return UserError("--pattern '{}' is not supported; 2:4 and paired are", flags.pattern);
  }
  PruneOptions options;
  options.reconstruct.paired = flags.pattern == "paired";
  TAMIS_ASSIGN_OR_RETURN(options.method, ParsePruneMethod(flags.method));
  options.keep = flags.keep;
  TAMIS_RETURN_IF_ERROR(AtomicFile::CheckTarget(flags.output));
  TAMIS_ASSIGN_OR_RETURN(Network network, LoadNetwork(flags.input));
  TAMIS_ASSIGN_OR_RETURN(const auto data, OpenData(flags.data, network.graph));
  TAMIS_ASSIGN_OR_RETURN(const auto batches, ReadBatches(*data, AllSamples(*data, flags.data.samples), 32));
  TAMIS_RETURN_IF_ERROR(NoticeOddSamples(network.graph, batches, flags.threads));
  CoverageVerdict coverage;
  {
    Progress progress("looking at the samples");
    CalibrateOptions calibrate;
    calibrate.threads = flags.threads;
    calibrate.progress = [&](int done, int total) { progress.Update(done, total, "batch"); };
    TAMIS_ASSIGN_OR_RETURN(coverage, MeasureCoverage(network.graph, batches, calibrate));
  }
  if (!coverage.settled) PrintNotice(coverage.text);
  PruneReport report;
  {
    Progress progress("pruning");
    options.progress = [&](int done, int total, const std::string& layer) { progress.Update(done, total, layer); };
    auto pool = std::make_shared<ThreadPool>(flags.threads);
    TAMIS_ASSIGN_OR_RETURN(report, Prune(network.graph, batches, options, pool));
  }
  for (const std::string& note : report.notes) PrintNotice(note);
  TAMIS_RETURN_IF_ERROR(ExportOnnx(network.graph, flags.output,
                                   {{"tamis.pattern", options.reconstruct.paired ? "paired 2:4" : "2:4"},
                                    {"tamis.method", flags.method},
                                    {"tamis.source_hash", network.hash},
                                    {"tamis.data_hash", HexString(data->hash())}}));
  TAMIS_RETURN_IF_ERROR(VerifyPruned(flags.output, report));
  if (common.json) {
    JsonWriter json;
    json.BeginObject().Field("output", flags.output).Field("samples", report.samples);
    json.Field("settled", coverage.settled).Field("verdict", coverage.text).Key("layers");
    WriteLayers(report.layers, &json);
    fmt::print("{}\n", json.EndObject().text());
    return {};
  }
  PrintLayers(report.layers);
  fmt::print("\n{}: {} of {} layers are {}, verified after writing; {} samples\n", flags.output, report.Pruned(),
             report.layers.size(), options.reconstruct.paired ? "paired 2:4" : "2:4", report.samples);
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("IN", flags->input, "ONNX file")->required();
  app.add_option("-o,--output", flags->output, "ONNX file to write")->required();
  app.add_option("--method", flags->method, "reconstruct (second order, the default) or magnitude");
  app.add_option("--pattern", flags->pattern,
                 "2:4, or paired: 2:4 whose outputs keep the same positions two by two, faster on CPUs and less exact");
  app.add_option("--keep", flags->keep, "Layers that stay dense, by weight or node name");
  app.add_option("--threads", flags->threads, "Threads; 0: one for every core");
  DeclareDataFlags(app, &flags->data);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_prune = {"prune", "Prune a network to 2:4 from unlabelled samples and write it as ONNX",
                                "tamis prune model.onnx -o pruned.onnx --data calibration/ --keep lm_head.weight",
                                Declare};

}  // namespace tamis
