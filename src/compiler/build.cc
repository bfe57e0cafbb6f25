#include "src/compiler/build.h"

#include <chrono>
#include <ctime>
#include <filesystem>

#include "src/base/cpu.h"
#include "src/base/version.h"
#include "src/kernels/kernel.h"
#include "src/onnx/onnx.h"
#include "src/runtime/specialize.h"
#include "src/tuner/tuner.h"

namespace tamis {

namespace {

Network Imported(Graph graph, const OnnxInfo& info, std::string file) {
  Network network;
  network.graph = std::move(graph);
  network.file = std::move(file);
  network.hash = info.hash;
  network.producer = info.producer;
  network.nodes_in_file = static_cast<int64_t>(network.graph.NumNodes());
  return network;
}

Result<Network> Simplified(Network network, const PassOptions& options) {
  TAMIS_RETURN_IF_ERROR(RunPasses(network.graph, SimplifyPasses(), options, &network.passes).WithContext(network.file));
  return network;
}

}  // namespace

Result<Network> ImportNetwork(const std::string& onnx_path) {
  OnnxInfo info;
  TAMIS_ASSIGN_OR_RETURN(Graph graph, ImportOnnx(onnx_path, &info));
  return Imported(std::move(graph), info, std::filesystem::path(onnx_path).filename().string());
}

Result<Network> LoadNetwork(const std::string& onnx_path, const PassOptions& options) {
  TAMIS_ASSIGN_OR_RETURN(Network network, ImportNetwork(onnx_path));
  return Simplified(std::move(network), options);
}

Result<Network> LoadNetworkBytes(const void* data, size_t bytes, const std::string& folder) {
  OnnxInfo info;
  TAMIS_ASSIGN_OR_RETURN(Graph graph, ImportOnnxBytes(data, bytes, folder, &info));
  return Simplified(Imported(std::move(graph), info, "model.onnx"), {});
}

Result<Network> NetworkFromEngine(const std::string& engine_path) {
  TAMIS_ASSIGN_OR_RETURN(const EngineFile file, ReadEngine(engine_path, ReadMode::kRead));
  TAMIS_RETURN_IF_ERROR(file.weights->Verify());
  Network network;
  TAMIS_ASSIGN_OR_RETURN(network.graph, file.LoadSource());
  const Provenance& provenance = file.engine->provenance;
  network.file = provenance.source_file;
  network.hash = provenance.source_hash;
  network.nodes_in_file = provenance.nodes_before;
  return network;
}

Result<Precision> ParsePrecision(const std::string& text) {
  if (text == "f32") return Precision::kFloat32;
  if (text == "bf16") return Precision::kBFloat16;
  if (text == "auto") return Precision::kAuto;
  if (text == "f16" || text == "int8") {
    return UserError("--precision {} is not supported yet; f32, bf16 and auto are", text);
  }
  return UserError("--precision '{}' is unknown; it takes f32, bf16 or auto (f16 and int8 are not supported yet)",
                   text);
}

std::string_view Name(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return "f32";
    case Precision::kBFloat16:
      return "bf16";
    case Precision::kAuto:
      break;
  }
  return "auto";
}

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Result<Plan> TunePlan(const Graph& fused, const Profile& profile, const BuildOptions& options,
                      std::vector<std::string>* notices) {
  Plan plan;
  plan.device = Cpu().Fingerprint();
  plan.threads = options.threads > 0 ? options.threads : Cpu().usable_cores;
  plan.profile = profile;
  plan.measured = true;
  const auto points = TuningPoints(profile);
  int point_index = 0;
  TunerOptions tuner_options;
  tuner_options.threads = plan.threads;
  tuner_options.cache_path = options.cache_path;
  tuner_options.cancelled = options.cancelled;
  if (options.progress) {
    tuner_options.progress = [&](int done, int total, const std::string& node) {
      options.progress(point_index * total + done, static_cast<int>(points.size()) * total, "timing " + node);
    };
  }
  Tuner tuner(tuner_options);
  for (const auto& binding : points) {
    TAMIS_ASSIGN_OR_RETURN(const auto dims, BoundInputDims(fused, binding));
    TAMIS_ASSIGN_OR_RETURN(const Graph concrete, Specialize(fused, dims));
    TAMIS_ASSIGN_OR_RETURN(const auto tuned, tuner.Tune(concrete));
    PlanPoint point;
    point.binding = binding;
    for (const TunedNode& node : tuned) {
      NodePlan node_plan;
      node_plan.node = node.node;
      node_plan.kernel = node.kernel;
      node_plan.seconds = node.seconds;
      for (const TimedKernel& candidate : node.candidates) {
        node_plan.candidates.push_back({candidate.kernel, candidate.seconds, candidate.reason});
      }
      point.nodes.push_back(std::move(node_plan));
    }
    plan.points.push_back(std::move(point));
    ++point_index;
  }
  notices->insert(notices->end(), tuner.notices().begin(), tuner.notices().end());
  return plan;
}

Result<BuildResult> BuildEngine(const Network& network, const BuildOptions& options) {
  ConfigureLibraries();
  BuildResult result;
  const bool bf16 =
      options.precision == Precision::kBFloat16 || (options.precision == Precision::kAuto && Cpu().avx512_bf16);
  PassOptions pass_options;
  pass_options.precision = bf16 ? DType::kBFloat16 : DType::kFloat32;
  pass_options.skip = options.without;
  auto engine = std::make_shared<Engine>();
  engine->source = network.graph.Clone();
  result.passes = network.passes;
  TAMIS_ASSIGN_OR_RETURN(engine->fused, Fuse(network.graph, pass_options, &result.passes));
  HashConstants(engine->fused);
  TAMIS_ASSIGN_OR_RETURN(const Profile profile, MakeProfile(engine->fused, options.ranges));

  engine->plans.emplace_back();  // the safe plan: every kernel from the cost model of the machine it runs on
  engine->plans.back().profile = profile;
  const bool widened = bf16 && !Cpu().avx512_bf16;
  if (widened) {
    result.notices.push_back("this machine has no bf16 arithmetic: the engine carries no measured plan for it");
  } else if (options.tune) {
    TAMIS_ASSIGN_OR_RETURN(Plan plan, TunePlan(engine->fused, profile, options, &result.notices));
    engine->plans.push_back(std::move(plan));
  }
  Provenance& provenance = engine->provenance;
  provenance.tamis_version = kVersion;
  provenance.source_file = network.file;
  provenance.source_hash = network.hash;
  provenance.precision = bf16 ? "bf16" : "f32";
  provenance.host = Cpu().Fingerprint();
  provenance.created = UtcNow();
  provenance.nodes_before = network.nodes_in_file;
  provenance.nodes_after = static_cast<int64_t>(engine->fused.NumNodes());
  result.engine = std::move(engine);
  return result;
}

}  // namespace tamis
