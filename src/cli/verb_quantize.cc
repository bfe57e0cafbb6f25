#include <fmt/format.h>

#include "src/base/atomic_file.h"
#include "src/base/hash.h"
#include "src/base/json_writer.h"
#include "src/cli/data_flags.h"
#include "src/cli/verb.h"
#include "src/compiler/build.h"
#include "src/compiler/quantize.h"
#include "src/onnx/onnx.h"

namespace tamis {
namespace {

struct Flags {
  std::string input, output, observer = "mse", activations = "u8";
  double percentile = 99.99;
  bool plain_weights = false, keep_bias = false, no_balance = false;
  std::vector<std::string> keep;
  DataFlags data;
  int threads = 0;
};

void PrintReport(const Flags& flags, const QuantizeReport& report) {
  fmt::print("{:<44} {:<8} {:>12}  {}\n", "weight", "type", "weight error", "why not");
  for (const QuantizedLayer& layer : report.layers) {
    const std::string error = layer.quantized ? fmt::format("{:.2e}", layer.weight_error) : "";
    fmt::print("{:<44} {:<8} {:>12}  {}\n", layer.name, layer.quantized ? "int8" : "float", error, layer.reason);
  }
  fmt::print("\n{}: {} of {} layers are int8; {} tensors have ranges, {} were balanced; {}\n", flags.output,
             report.Quantized(), report.layers.size(), report.tensors.size(), report.balanced.size(), report.verdict);
}

std::string Json(const Flags& flags, const QuantizeReport& report) {
  JsonWriter json;
  json.BeginObject().Field("output", flags.output).Field("samples", report.samples);
  json.Field("settled", report.settled).Field("verdict", report.verdict).Key("layers").BeginArray();
  for (const QuantizedLayer& layer : report.layers) {
    json.BeginObject().Field("weight", layer.name).Field("node", layer.node).Field("operator", layer.op);
    json.Field("int8", layer.quantized).Field("reason", layer.reason).Field("weight_error", layer.weight_error);
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
  json.EndArray().Key("balanced").BeginArray();
  for (const std::string& name : report.balanced) json.String(name);
  return json.EndArray().EndObject().text();
}

Status Run(const Flags& flags, const CommonFlags& common) {
  QuantizeOptions options;
  TAMIS_ASSIGN_OR_RETURN(options.observer.observer, ParseObserver(flags.observer));
  if (!(flags.percentile > 50 && flags.percentile <= 100)) {
    return UserError("--percentile is {}; it takes more than 50 and at most 100", flags.percentile);
  }
  if (flags.activations != "u8" && flags.activations != "s8") {
    return UserError("--activations '{}' is not known; use u8 or s8", flags.activations);
  }
  options.observer.percentile = flags.percentile;
  options.signed_activations = flags.activations == "s8";
  options.clip_weights = !flags.plain_weights;
  options.correct_bias = !flags.keep_bias;
  options.balance = !flags.no_balance;
  options.keep = flags.keep;
  options.threads = flags.threads;
  TAMIS_RETURN_IF_ERROR(AtomicFile::CheckTarget(flags.output));
  TAMIS_ASSIGN_OR_RETURN(Network network, LoadNetwork(flags.input));
  TAMIS_ASSIGN_OR_RETURN(const auto data, OpenData(flags.data, network.graph));
  TAMIS_ASSIGN_OR_RETURN(const auto batches, ReadBatches(*data, AllSamples(*data, flags.data.samples), 32));
  TAMIS_RETURN_IF_ERROR(NoticeOddSamples(network.graph, batches, flags.threads));
  QuantizeReport report;
  {
    Progress progress("calibrating");
    options.progress = [&](int done, int total, const std::string& what) { progress.Update(done, total, what); };
    TAMIS_ASSIGN_OR_RETURN(report, Quantize(network.graph, batches, options));
  }
  if (!report.settled) PrintNotice(report.verdict);
  TAMIS_RETURN_IF_ERROR(ExportOnnx(network.graph, flags.output,
                                   {{"tamis.observer", flags.observer},
                                    {"tamis.source_hash", network.hash},
                                    {"tamis.data_hash", HexString(data->hash())}}));
  if (common.json) {
    fmt::print("{}\n", Json(flags, report));
  } else {
    PrintReport(flags, report);
  }
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("IN", flags->input, "ONNX file")->required();
  app.add_option("-o,--output", flags->output, "ONNX file to write, with QuantizeLinear and DequantizeLinear")
      ->required();
  app.add_option("--observer", flags->observer,
                 "How ranges are chosen: mse (the default), minmax, percentile, entropy");
  app.add_option("--percentile", flags->percentile, "Share of the values that percentile keeps, in percent");
  app.add_option("--activations", flags->activations, "u8 (asymmetric, the default) or s8 (symmetric)");
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
                                   "Quantize a network to int8 from unlabelled samples and write it as ONNX",
                                   "tamis quantize model.onnx -o int8.onnx --data calibration/ --samples 512", Declare};

}  // namespace tamis
