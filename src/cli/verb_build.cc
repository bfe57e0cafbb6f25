#include <fmt/format.h>

#include <filesystem>

#include "src/base/json_writer.h"
#include "src/cli/explain.h"
#include "src/cli/model_file.h"
#include "src/cli/verb.h"
#include "src/tuner/timing_cache.h"

namespace tamis {
namespace {

struct Flags {
  std::string input, output, precision = "f32", device = "cpu", workspace;
  int threads = 0;
  std::vector<std::string> profiles, without;
  bool explain = false;
  std::string min_shapes, opt_shapes, max_shapes;
};

Status CheckDevice(const std::string& device) {
  if (device == "cpu") return {};
  if (device == "cuda" || device.rfind("cuda:", 0) == 0)
    return UserError("--device {} is not supported yet; cpu is", device);
  return UserError("--device '{}' is unknown; it takes cpu (cuda is not supported yet)", device);
}

std::string Summary(const Engine& engine, const std::string& output, const std::vector<PassRecord>* passes) {
  JsonWriter json;
  json.BeginObject().Field("output", output).Field("precision", engine.provenance.precision);
  json.Field("nodes_before", engine.provenance.nodes_before).Field("nodes_after", engine.provenance.nodes_after);
  json.Field("bytes", static_cast<int64_t>(std::filesystem::file_size(output))).Key("plans").BeginArray();
  for (const Plan& plan : engine.plans) {
    json.BeginObject().Field("device", plan.device).Field("threads", plan.threads).Field("measured", plan.measured);
    json.Key("points").BeginArray();
    for (const PlanPoint& point : plan.points) {
      double seconds = 0;
      for (const NodePlan& node : point.nodes) seconds += node.seconds;
      json.BeginObject().Key("shape").BeginObject();
      for (const auto& [symbol, size] : point.binding) json.Field(symbol, size);
      json.EndObject().Field("predicted_ms", seconds * 1e3).EndObject();
    }
    json.EndArray().EndObject();
  }
  json.EndArray();
  if (passes != nullptr) {
    json.Key("passes");
    WritePasses(*passes, &json);
  }
  return json.EndObject().text();
}

Status Run(const Flags& flags, const CommonFlags& common) {
  TAMIS_RETURN_IF_ERROR(CheckDevice(flags.device));
  if (!flags.workspace.empty()) {
    return UserError("--workspace is for --device cuda, which is not supported yet; CPU plans need no limit");
  }
  if (flags.threads < 0) return UserError("--threads is {}; it takes 1 or more, or 0 for every core", flags.threads);
  BuildOptions options;
  TAMIS_ASSIGN_OR_RETURN(options.precision, ParsePrecision(flags.precision));
  options.threads = flags.threads;
  options.without = flags.without;
  options.cache_path = TimingCache::DefaultPath();
  for (const std::string& profile : flags.profiles) TAMIS_RETURN_IF_ERROR(ParseProfile(profile, &options.ranges));
  TAMIS_RETURN_IF_ERROR(ParseShapes(flags.min_shapes, flags.opt_shapes, flags.max_shapes, &options.ranges));

  Network network;
  if (LooksLikeEngine(flags.input)) {
    TAMIS_ASSIGN_OR_RETURN(network, NetworkFromEngine(flags.input));
  } else {
    TAMIS_ASSIGN_OR_RETURN(network, LoadNetwork(flags.input, {.skip = flags.without}));
  }
  BuildResult built;
  {
    Progress progress("building");
    options.progress = [&](int done, int total, const std::string& what) { progress.Update(done, total, what); };
    TAMIS_ASSIGN_OR_RETURN(built, BuildEngine(network, options));
  }
  if (common.verbose) {
    for (const PassRecord& pass : built.passes) {
      fmt::print(stderr, "pass {:<24} {:>5} -> {:>5} nodes  {:.1f} ms\n", pass.name, pass.nodes_before,
                 pass.nodes_after, pass.seconds * 1e3);
    }
  }
  for (const std::string& notice : built.notices) PrintNotice(notice);
  TAMIS_RETURN_IF_ERROR(WriteEngine(*built.engine, flags.output));
  if (common.json) {
    fmt::print("{}\n", Summary(*built.engine, flags.output, flags.explain ? &built.passes : nullptr));
    return {};
  }
  if (flags.explain) PrintPasses(built.passes);
  fmt::print("{}: {} nodes became {}, {}, {:.1f} MB\n", flags.output, built.engine->provenance.nodes_before,
             built.engine->provenance.nodes_after, built.engine->provenance.precision,
             static_cast<double>(std::filesystem::file_size(flags.output)) / 1e6);
  return {};
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("IN", flags->input, "ONNX file, or an engine to be tuned for this machine")->required();
  app.add_option("-o,--output", flags->output, "Engine file to write")->required();
  app.add_option("--precision", flags->precision, "f32, bf16 or auto (f16 and int8: not supported yet)");
  app.add_option("--device", flags->device, "cpu (cuda[:N]: not supported yet)");
  app.add_option("--workspace", flags->workspace, "GPU scratch limit (with cuda, not supported yet)");
  app.add_option("--threads", flags->threads, "Threads the plan is tuned for; 0: one for every core");
  app.add_option("--profile", flags->profiles, "input=MIN:OPT:MAX, once an input with dynamic dimensions");
  app.add_option("--minShapes", flags->min_shapes, "As trtexec: input:1x16,other:1x16");
  app.add_option("--optShapes", flags->opt_shapes, "As trtexec");
  app.add_option("--maxShapes", flags->max_shapes, "As trtexec");
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
