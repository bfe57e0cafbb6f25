#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "src/base/hash.h"
#include "src/base/json_writer.h"
#include "src/base/request_problems.h"
#include "src/cli/data_flags.h"
#include "src/cli/explain.h"
#include "src/cli/model_file.h"
#include "src/cli/plan_text.h"
#include "src/cli/profile_flags.h"
#include "src/cli/verb.h"
#include "src/compiler/calibrate/coverage.h"
#include "src/compiler/quantize/quantize.h"
#include "src/compiler/quantize/quantize_float8.h"
#include "src/compiler/verbs/output_targets.h"
#include "src/cuda/device.h"
#include "src/tuner/timing_cache.h"

namespace tamis {
namespace {

struct Flags {
  std::string input, output, device = "cpu";
  std::vector<std::string> precisions;
  int threads = 0;
  double time_budget = 0;
  uint64_t workspace_limit = 0;
  bool plan_only = false, explain = false;
  std::vector<std::string> without;
  ProfileOptions profiles;
  DataFlags calibration;
};

bool IsInt8(const Flags& flags) {
  return flags.precisions == std::vector<std::string>{"int8"};
}
bool IsFloat8(const Flags& flags) {
  return flags.precisions == std::vector<std::string>{"fp8"};
}

// Looks at the calibration samples, makes the network int8 or fp8 as tamis quantize does if that is asked for, and
// gives the engine what is to be remembered of the samples.
Status Calibrate(const Flags& flags, Network* network, BuildOptions* options) {
  TAMIS_ASSIGN_OR_RETURN(const SampleRequest request, RequestOf(flags.calibration));
  VerbHooks hooks;
  hooks.notice = PrintNotice;
  std::vector<std::string> notices;
  TAMIS_ASSIGN_OR_RETURN(const CheckedSamples samples,
                         ReadChecked(request, network->graph, flags.threads, 0, hooks, &notices));
  options->values = RecordInputs(network->graph, samples.batches);
  options->data_hash = HexString(samples.source->hash());
  if (!IsInt8(flags) && !IsFloat8(flags)) return {};
  QuantizeOptions options_of_codes;
  options_of_codes.threads = flags.threads;
  const auto quantize = IsFloat8(flags) ? QuantizeToFloat8 : Quantize;
  TAMIS_ASSIGN_OR_RETURN(const QuantizeReport report, quantize(network->graph, samples.batches, options_of_codes));
  for (const QuantizedTensor& tensor : report.tensors) {
    if (!tensor.record.input) options->values.push_back(tensor.record);
  }
  PrintNotice(
      fmt::format("{} of {} layers are {}; {}", report.Quantized(), report.layers.size(), report.type, report.verdict));
  return {};
}

std::string Summary(const Engine& engine, const std::string& output, const std::vector<PassRecord>* passes) {
  JsonWriter json;
  json.BeginObject().Field("output", output).Field("precision", engine.provenance.precision);
  json.Key("precisions").BeginArray();
  for (int variant = 0; variant < engine.NumVariants(); ++variant) json.Value(engine.Precision(variant));
  json.EndArray();
  json.Field("nodes_before", engine.provenance.nodes_before).Field("nodes_after", engine.provenance.nodes_after);
  json.Field("bytes", static_cast<int64_t>(std::filesystem::file_size(output))).Key("profiles");
  WriteProfiles(engine, &json);
  json.Key("plans");
  WritePlans(engine, false, &json);
  if (passes != nullptr) {
    json.Key("passes");
    WritePasses(*passes, &json);
  }
  return json.EndObject().text();
}

Result<BuildResult> Build(const Flags& flags, BuildOptions options, const std::vector<Precision>& precisions) {
  const bool engine = LooksLikeEngine(flags.input);
  if (engine && !flags.calibration.path.empty()) {
    return UserError("--calibration takes an ONNX file: what an engine remembers of its samples stays as it is");
  }
  // Other passes make another fused graph, for which the plans that are there mean nothing.
  if (engine && flags.without.empty()) {
    std::vector<std::string> names = flags.precisions;
    for (const Precision precision : precisions) names.emplace_back(Name(precision));  // the device's, if none is given
    return ExtendEngine(flags.input, names, options);
  }
  if (flags.plan_only) return UserError("--plan-only takes an engine, and no --without");
  Network network;
  if (engine) {
    TAMIS_ASSIGN_OR_RETURN(network, NetworkFromEngine(flags.input));
  } else {
    TAMIS_ASSIGN_OR_RETURN(network, LoadNetwork(flags.input, {.skip = flags.without}));
    TAMIS_RETURN_IF_ERROR(CheckWeightsStay({flags.output}, network.weight_files));
  }
  if (!flags.calibration.path.empty()) TAMIS_RETURN_IF_ERROR(Calibrate(flags, &network, &options));
  if (!precisions.empty()) {
    options.precision = precisions[0];
    options.more_precisions.assign(precisions.begin() + 1, precisions.end());
  }
  return BuildEngine(network, options);
}

void Print(const Flags& flags, const Engine& engine) {
  std::string precisions;
  for (int variant = 0; variant < engine.NumVariants(); ++variant) {
    precisions += (variant == 0 ? "" : " and ") + engine.Precision(variant);
  }
  fmt::print("{}: {} nodes became {}, {}, {:.1f} MB\n", flags.output, engine.provenance.nodes_before,
             engine.provenance.nodes_after, precisions,
             static_cast<double>(std::filesystem::file_size(flags.output)) / 1e6);
  const auto profiles = ProfilesOf(engine.plans);
  for (const Plan& plan : engine.plans) {
    if (!plan.measured || plan.device != Cpu().Fingerprint()) continue;
    fmt::print("  {}, {} threads, {}:", engine.Precision(plan.variant), plan.threads, ProfileText(plan.profile));
    for (const PlanPoint& point : plan.points) fmt::print(" {:.3f} ms", PointMs(point));
    fmt::print("\n");
    if (const std::string memory = MemoryText(plan.memory); !memory.empty()) fmt::print("    {}\n", memory);
  }
}

Status Run(const Flags& flags, const CommonFlags& common) {
  RequestProblems problems;
  const std::optional<int> gpu = problems.Take(ParseDevice(flags.device));
  problems.Need(flags.time_budget >= 0, "--time-budget is {}; it takes seconds", flags.time_budget);
  std::vector<Precision> precisions;
  const bool engine = LooksLikeEngine(flags.input);
  problems.Need(engine || !IsInt8(flags) || !flags.calibration.path.empty(),
                "--precision int8 needs --calibration with samples of the network's inputs");
  const DataFlags& data = flags.calibration;
  problems.Need(
      !data.path.empty() || (data.samples == 0 && data.image_size == 0 && data.mean.empty() && data.std.empty()),
      "--samples, --image-size, --mean and --std are of the data that --calibration names");
  for (const std::string_view alone : {"int8", "fp8"}) {
    problems.Need(engine || flags.precisions.size() < 2 ||
                      std::count(flags.precisions.begin(), flags.precisions.end(), alone) == 0,
                  "--precision {} stands alone: what can't be {} runs in f32; leave the others out", alone, alone);
  }
  for (const std::string& text : flags.precisions) {
    if (engine && flags.without.empty()) break;  // also by the names of what it has
    if (IsInt8(flags)) break;                    // what is not int8 runs in f32
    precisions.push_back(problems.Take(ParsePrecision(text)));
  }
  BuildOptions options;
  options.profiles = problems.Take(flags.profiles.Read());
  TAMIS_RETURN_IF_ERROR(problems.status());
  TAMIS_RETURN_IF_ERROR(CheckTargets({flags.output}, {flags.input}));
  if (gpu && flags.precisions.empty()) precisions.push_back(Precision::kAuto);
  options.device = flags.device;
  options.threads = flags.threads;
  options.without = flags.without;
  options.cache_path = TimingCache::DefaultPath();
  options.time_budget = flags.time_budget;
  options.workspace_limit = flags.workspace_limit;
  options.memory_figures = !flags.plan_only;
  BuildResult built;
  {
    Progress progress("building");
    options.progress = [&](int done, int total, const std::string& what) { progress.Update(done, total, what); };
    TAMIS_ASSIGN_OR_RETURN(built, Build(flags, options, precisions));
  }
  if (common.verbose) LogPasses(built.passes);
  for (const std::string& notice : built.notices) PrintNotice(notice);
  if (flags.plan_only) return WritePlanFile(*built.engine, flags.output);
  TAMIS_RETURN_IF_ERROR(WriteEngine(*built.engine, flags.output));
  if (common.json) {
    fmt::print("{}\n", Summary(*built.engine, flags.output, flags.explain ? &built.passes : nullptr));
  } else {
    if (flags.explain) PrintPasses(built.passes);
    Print(flags, *built.engine);
  }
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("IN", flags->input, "ONNX file, or an engine to which plans for this machine are added")->required();
  app.add_option("-o,--output", flags->output, "Engine file to write")->required();
  app.add_option(
      "--precision", flags->precisions,
      "f32 (the default), bf16, f16 or auto (the default on a GPU: f16, or bf16 where the file's weights are; on the "
      "CPU each node in what is measured faster); given again,\n"
      "the engine carries that precision as well. tf32, on a GPU: f32 whose products round their operands to 10 bits "
      "of "
      "mantissa. fp8, on a GPU of compute capability 8.9 or later: f16 with products of float8, of a network that "
      "tamis\n"
      "quantize --format fp8 made, or alone and with --calibration. int8, alone and with --calibration: quantised "
      "first, "
      "as tamis quantize does it");
  app.add_option(
      "--calibration", flags->calibration.path,
      "Samples, which int8 needs and any engine remembers, so that others can be compared with them: folder of .npy\n"
      "files (one an input), or folder or .zip of images");
  app.add_option("--samples", flags->calibration.samples, "Use at most so many of them, evenly spaced; 0: all");
  app.add_option("--image-size", flags->calibration.image_size, "Height and width that images are scaled to");
  app.add_option("--mean", flags->calibration.mean, "Per channel, for values in [0, 1]: 0.485,0.456,0.406");
  app.add_option("--std", flags->calibration.std, "Per channel: 0.229,0.224,0.225");
  app.add_option("--device", flags->device, "What plans are made for: cpu, cuda or cuda:N");
  app.add_option("--threads", flags->threads, "Threads the plan is tuned for; 0: one for every core");
  app.add_option("--time-budget", flags->time_budget,
                 "Seconds of timing; when they are spent, the cost model chooses the rest");
  app.add_option("--workspace-limit", flags->workspace_limit,
                 "Most memory that one kernel on a GPU may take beside its operands: 16M, 1G, or bytes; 0: any")
      ->transform(CLI::AsSizeValue(false));
  app.add_flag("--plan-only", flags->plan_only, "Write the plans of an engine without its weights (for --retune)");
  DeclareProfileFlags(app, &flags->profiles);
  app.add_flag("--explain", flags->explain, "Print what each pass did, what it nearly matched, and why not");
  app.add_option("--without", flags->without, "Switch a pass off, by name; may be given several times")
      ->take_all()
      ->allow_extra_args(false);
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_build = {
    "build", "Compile an ONNX network into one engine file, tuned for this machine",
    "tamis build model.onnx -o model.tamis --precision bf16 --profile ids=1x16:1x128:32x128", Declare};

}  // namespace tamis
