#include "src/compiler/plan/build.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "src/base/cpu.h"
#include "src/base/version.h"
#include "src/compiler/plan/choose_precision.h"
#include "src/compiler/plan/confirm_plan.h"
#include "src/compiler/plan/plan_maker.h"
#include "src/cuda/device.h"
#include "src/kernels/kernel.h"
#include "src/onnx/onnx.h"
#include "src/ops/op_custom.h"
#include "src/ops/op_float8.h"
#include "src/ops/op_tf32.h"
#include "src/runtime/known_operators.h"
#include "src/runtime/specialize.h"
#include "src/tuner/tuner.h"

namespace tamis {

namespace {

Network Imported(Graph graph, OnnxInfo info, std::string file) {
  Network network;
  network.graph = std::move(graph);
  network.file = std::move(file);
  network.hash = info.hash;
  network.meta = std::move(info.meta);
  network.notes = std::move(info.notes);
  network.remarks = std::move(info.remarks);
  network.weight_files = std::move(info.external_files);
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
  return Imported(std::move(graph), std::move(info), std::filesystem::path(onnx_path).filename().string());
}

Result<Network> LoadNetwork(const std::string& onnx_path, const PassOptions& options) {
  TAMIS_ASSIGN_OR_RETURN(Network network, ImportNetwork(onnx_path));
  return Simplified(std::move(network), options);
}

Result<Network> LoadNetworkBytes(const void* data, size_t bytes, const std::string& folder,
                                 const PassOptions& options) {
  OnnxInfo info;
  TAMIS_ASSIGN_OR_RETURN(Graph graph, ImportOnnxBytes(data, bytes, folder, &info));
  return Simplified(Imported(std::move(graph), std::move(info), "model.onnx"), options);
}

Result<Network> NetworkFromEngine(const std::string& engine_path) {
  TAMIS_ASSIGN_OR_RETURN(const EngineFile file, ReadEngine(engine_path, ReadMode::kRead));
  TAMIS_RETURN_IF_ERROR(file.weights->Verify());
  TAMIS_RETURN_IF_ERROR(LoadCustomOpsFromEnvironment());
  Network network;
  TAMIS_ASSIGN_OR_RETURN(network.graph, file.LoadSource());
  const Provenance& provenance = file.engine->provenance;
  network.file = provenance.source_file;
  network.hash = provenance.source_hash;
  network.nodes_in_file = provenance.nodes_before;
  network.meta = provenance.model;
  return network;
}

Result<Precision> ParsePrecision(const std::string& text) {
  if (text == "f32") return Precision::kFloat32;
  if (text == "bf16") return Precision::kBFloat16;
  if (text == "auto") return Precision::kAuto;
  if (text == "f16") return Precision::kFloat16;
  if (text == "tf32") return Precision::kTf32;
  if (text == "fp8") return Precision::kFloat8;
  if (text == "int8") {
    return UserError(
        "precision int8 needs samples to calibrate with: quantize the network first (tamis quantize), or give "
        "tamis build --calibration");
  }
  return UserError("--precision '{}' is unknown; it takes f32, bf16, f16, tf32, fp8, int8 or auto", text);
}

std::string_view Name(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return "f32";
    case Precision::kBFloat16:
      return "bf16";
    case Precision::kFloat16:
      return "f16";
    case Precision::kTf32:
      return "tf32";
    case Precision::kFloat8:
      return "fp8";
    case Precision::kAuto:
      break;
  }
  return "auto";
}

std::string BuildTime() {
  const char* const epoch = std::getenv("SOURCE_DATE_EPOCH");
  if (epoch == nullptr) return {};
  char* end = nullptr;
  errno = 0;
  const auto seconds = static_cast<std::time_t>(std::strtoll(epoch, &end, 10));
  std::tm parts{};
  if (errno != 0 || end == epoch || *end != '\0' || gmtime_r(&seconds, &parts) == nullptr) return {};
  char text[64];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

namespace {

// Whether most weights came in bf16: a network made for its range, which f16 may not hold.
bool ComesInBf16(const Graph& source) {
  int64_t bf16 = 0, all = 0;
  for (size_t id = 0; id < source.NumValues(); ++id) {
    const std::optional<Tensor>& weight = source.value(static_cast<ValueId>(id)).constant;
    if (!weight || weight->rank() < 2 || !IsFloat(weight->dtype())) continue;
    all += weight->NumElements();
    if (weight->dtype() == DType::kBFloat16) bf16 += weight->NumElements();
  }
  return bf16 * 2 > all;
}

DType DTypeOf(Precision precision, bool gpu, const Graph& source) {
  switch (precision) {
    case Precision::kFloat32:
    case Precision::kTf32:
      return DType::kFloat32;
    case Precision::kBFloat16:
      return DType::kBFloat16;
    case Precision::kFloat16:
      return DType::kFloat16;
    case Precision::kFloat8:
    case Precision::kAuto:
      break;
  }
  // On a CPU, where nothing may be assumed, ChoosePrecision measures; where nothing is to be timed, f32 it is.
  if (!gpu) return DType::kFloat32;
  return ComesInBf16(source) ? DType::kBFloat16 : DType::kFloat16;
}

// What a fused graph computes in: "f32", or "int8" and "int8+bf16" where products are int8 and the rest is in f32,
// bf16; likewise "fp8+f16".
std::string PrecisionName(const Graph& fused, DType dtype, bool tf32 = false) {
  const std::string full = tf32 ? "tf32" : "f32";
  const std::string rest = dtype == DType::kFloat16 ? "f16" : dtype == DType::kBFloat16 ? "bf16" : full;
  const std::vector<NodeId> ids = fused.NodeIds();
  const bool int8 = std::any_of(ids.begin(), ids.end(), [&](NodeId id) {
    const Node& node = fused.node(id);
    return node.IsTamis("QuantizedLinear") || node.IsTamis("QuantizedConv") || node.IsTamis("DynamicQuantizedLinear");
  });
  const std::string products = int8 ? "int8" : UsesFloat8(fused) ? "fp8" : "";
  return products.empty() ? rest : rest == "f32" ? products : products + "+" + rest;
}

Result<Graph> FuseFor(const Graph& source, DType precision, const BuildOptions& build, std::vector<PassRecord>* passes,
                      bool float8 = false) {
  PassOptions options;
  options.float8 = float8;
  options.skip = build.without;
  options.regroup_layers = !build.low_layers;  // a choice by layer finds its layers
  options.precision = precision;
  TAMIS_ASSIGN_OR_RETURN(Graph fused, Fuse(source, options, passes));
  HashConstants(fused);
  return fused;
}

void RecordCustomOps(const Graph& graph, std::vector<CustomOpRecord>* records) {
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    for (const Region& region : node.regions) RecordCustomOps(*region.body, records);
    const CustomOpSource* source = FindCustomOpSource(node.op, node.domain);
    const auto same = [&](const CustomOpRecord& r) { return r.op == node.op && r.domain == node.domain; };
    if (source == nullptr || std::any_of(records->begin(), records->end(), same)) continue;
    records->push_back({node.op, node.domain, source->library, source->version});
  }
}

int ThreadsOf(const BuildOptions& options) {
  return options.threads > 0 ? options.threads : Cpu().usable_cores;
}

// One tuner for a whole build: one worker, one time budget.
Result<std::unique_ptr<Tuner>> MakeTuner(const BuildOptions& options) {
  TAMIS_ASSIGN_OR_RETURN(const std::optional<int> gpu, ParseDevice(options.device));
  if (options.workspace_limit > 0 && !gpu) {
    return UserError("--workspace-limit is for kernels of NVIDIA GPUs (--device cuda); a CPU's take what a run needs");
  }
  TunerOptions tuner;
  if (gpu && options.tune) {
    TAMIS_ASSIGN_OR_RETURN(tuner.cuda, CudaDevice::Open(*gpu));
  }
  tuner.threads = ThreadsOf(options);
  tuner.cache_path = options.cache_path;
  tuner.time_budget = options.time_budget;
  tuner.workspace_limit = options.workspace_limit;
  tuner.cancelled = options.cancelled;
  if (options.progress) {
    tuner.progress = [progress = options.progress](int done, int total, const std::string& node) {
      progress(done, total, "timing " + node);
    };
  }
  return std::make_unique<Tuner>(std::move(tuner));
}

Status AddPlans(Engine* engine, const std::vector<int>& variants, const std::vector<Profile>& profiles,
                const BuildOptions& options, Tuner* tuner, BuildResult* result) {
  PlanMaker maker(engine, options, ThreadsOf(options), tuner, result);
  for (const int variant : variants) {
    for (const Profile& profile : profiles) maker.AddSafe(variant, profile);
  }
  if (options.tune) TAMIS_RETURN_IF_ERROR(maker.AddMeasured(variants, profiles));
  if (options.memory_figures) TAMIS_RETURN_IF_ERROR(maker.AddMemoryFigures());
  return {};
}

Result<std::vector<Profile>> MakeProfiles(const Graph& graph, const BuildOptions& options) {
  const std::vector<InputRanges>& ranges = options.profiles;
  const ProfileDefaults defaults = {.max_batch = options.device == "cpu" ? kMaxBatchOfCpu : kMaxBatchOfGpu};
  std::vector<Profile> profiles;
  for (size_t i = 0; i < std::max<size_t>(ranges.size(), 1); ++i) {
    auto profile = MakeProfile(graph, i < ranges.size() ? ranges[i] : InputRanges{}, defaults);
    if (!profile.ok()) {
      return ranges.size() < 2 ? profile.status() : profile.status().WithContext(fmt::format("profile {}", i));
    }
    if (std::find(profiles.begin(), profiles.end(), *profile) == profiles.end()) profiles.push_back(*profile);
  }
  return profiles;
}

// Fuses for a precision; where the CPU is to choose, by measured time.
class Fuser {
 public:
  Fuser(const Graph& source, const BuildOptions& options, Tuner* tuner, std::vector<PassRecord>* passes)
      : source_(source), options_(options), tuner_(*tuner), passes_(passes) {}

  Result<Variant> Make(Precision precision, const std::vector<Profile>& profiles, std::vector<std::string>* notices) {
    const bool cpu = tuner_.cuda() == nullptr && options_.device == "cpu";
    Variant variant;
    const bool tf32 = precision == Precision::kTf32;
    if (tf32 && cpu) return UserError("--precision tf32 is for NVIDIA GPUs (--device cuda); a CPU computes in f32");
    const bool float8 = precision == Precision::kFloat8;
    if (float8) TAMIS_RETURN_IF_ERROR(CheckFloat8());
    const bool none_may = options_.low_layers && options_.low_layers->empty();
    if (precision != Precision::kAuto || !cpu || !options_.tune || !Cpu().avx512_bf16 || none_may) {
      const DType dtype = DTypeOf(precision, !cpu, source_);
      const bool takes_float8 = float8 || (dtype != DType::kFloat32 && tuner_.cuda() != nullptr &&
                                           tuner_.cuda()->Compute() >= kFloat8Compute);
      TAMIS_ASSIGN_OR_RETURN(variant.fused, FuseFor(source_, dtype, options_, passes_, takes_float8));
      if (float8 && !UsesFloat8(variant.fused)) {
        return UserError(
            "--precision fp8: no product of the network reads float8 codes; quantize it first (tamis quantize --format "
            "fp8), or give tamis build --calibration");
      }
      if (tf32 && AllowTf32(variant.fused) == 0) {
        notices->push_back("nothing multiplies in f32, so that tf32 changes nothing");
      }
      variant.precision = PrecisionName(variant.fused, dtype, tf32);
      return variant;
    }
    PrecisionQuestion question;
    question.without = options_.without;
    question.profiles = profiles;
    question.threads = ThreadsOf(options_);
    question.low_layers = options_.low_layers;
    TAMIS_ASSIGN_OR_RETURN(PrecisionChoice choice, ChoosePrecision(source_, question, tuner_, passes_));
    std::string text = choice.Describe();
    if (choice.precision != DType::kFloat32) {
      TAMIS_ASSIGN_OR_RETURN(const std::string objection, Confirm(choice.fused, profiles));
      if (!objection.empty()) {
        text = objection;
        choice.precision = DType::kFloat32;
        TAMIS_ASSIGN_OR_RETURN(choice.fused, FuseFor(source_, DType::kFloat32, options_, nullptr));
      }
    }
    notices->push_back(std::move(text));
    variant.fused = std::move(choice.fused);
    variant.precision = PrecisionName(variant.fused, choice.precision);
    return variant;
  }

 private:
  // Whether the GPU that plans are made for multiplies float8.
  Status CheckFloat8() const {
    TAMIS_ASSIGN_OR_RETURN(const std::optional<int> gpu, ParseDevice(options_.device));
    if (!gpu) {
      return UserError(
          "--precision fp8 is for NVIDIA GPUs (--device cuda); on a CPU the quantised network runs as f32");
    }
    TAMIS_ASSIGN_OR_RETURN(const auto device, CudaDevice::Open(*gpu));
    const TamisCudaDeviceInfo& info = device->info();
    if (device->Compute() >= kFloat8Compute) return {};
    return UserError("--precision fp8 needs a GPU of compute capability 8.9 or later; {} has {}.{}: use f16 or int8",
                     info.name, info.compute_major, info.compute_minor);
  }

  // Whole runs at every profile's opt against all f32 and dense; why the choice has to go, or nothing.
  Result<std::string> Confirm(const Graph& fused, const std::vector<Profile>& profiles) {
    TAMIS_ASSIGN_OR_RETURN(const Graph full, FuseFor(source_, DType::kFloat32, options_, nullptr));
    for (const Profile& profile : profiles) {
      PlanPoint point;
      point.binding = TuningPoints(profile).front();
      TAMIS_ASSIGN_OR_RETURN(const Graph concrete, SpecializeAt(fused, point.binding));
      TAMIS_ASSIGN_OR_RETURN(const auto tuned, tuner_.Tune(std::span(&concrete, 1)));
      for (const TunedNode& node : tuned[0]) point.nodes.push_back({node.node, node.kernel, node.seconds, {}});
      TAMIS_ASSIGN_OR_RETURN(const PlanComparison comparison,
                             CompareWithDense(fused, point, full, tuner_, ThreadsOf(options_)));
      if (!comparison.Loses()) continue;
      return fmt::format(
          "precision f32: bf16 was faster node by node, but the whole network took {:.3f} ms with it, "
          "{:.3f} ms in f32",
          comparison.chosen_seconds * 1e3, comparison.dense_seconds * 1e3);
    }
    return std::string();
  }

  const Graph& source_;
  const BuildOptions& options_;
  Tuner& tuner_;
  std::vector<PassRecord>* passes_;
};

// -1: the engine has none of this name.
int VariantNamed(const Engine& engine, const std::string& name) {
  for (int variant = 0; variant < engine.NumVariants(); ++variant) {
    if (engine.Precision(variant) == name) return variant;
  }
  return -1;
}

// The variant of a precision, made from the source if the engine has none.
Result<int> VariantFor(Engine* engine, Precision precision, const std::vector<Profile>& profiles, Fuser* fuser,
                       std::vector<std::string>* notices) {
  if (const int variant = VariantNamed(*engine, std::string(Name(precision))); variant >= 0) return variant;
  TAMIS_ASSIGN_OR_RETURN(Variant made, fuser->Make(precision, profiles, notices));
  if (const int variant = VariantNamed(*engine, made.precision); variant >= 0) return variant;
  engine->variants.push_back(std::move(made));
  return engine->NumVariants() - 1;
}

}  // namespace

Result<BuildResult> BuildEngine(const Network& network, const BuildOptions& options) {
  ConfigureLibraries();
  BuildResult result;
  auto engine = std::make_shared<Engine>();
  engine->source = network.graph.Clone();
  result.passes = network.passes;
  result.notices = network.remarks;
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Profile> profiles, MakeProfiles(engine->source, options));
  TAMIS_ASSIGN_OR_RETURN(const auto tuner, MakeTuner(options));
  Fuser fuser(engine->source, options, tuner.get(), &result.passes);
  TAMIS_ASSIGN_OR_RETURN(Variant first, fuser.Make(options.precision, profiles, &result.notices));
  engine->fused = std::move(first.fused);
  Provenance& provenance = engine->provenance;
  provenance.tamis_version = kVersion;
  provenance.source_file = network.file;
  provenance.source_hash = network.hash;
  provenance.precision = first.precision;
  provenance.host = Cpu().Fingerprint();
  provenance.created = BuildTime();
  provenance.values = options.values;
  provenance.model = network.meta;
  provenance.data_hash = options.data_hash;
  provenance.nodes_before = network.nodes_in_file;
  provenance.nodes_after = static_cast<int64_t>(engine->fused.NumNodes());
  RecordCustomOps(engine->fused, &provenance.custom_ops);
  std::vector<int> variants = {0};
  for (const Precision more : options.more_precisions) {
    TAMIS_ASSIGN_OR_RETURN(const int variant, VariantFor(engine.get(), more, profiles, &fuser, &result.notices));
    if (std::find(variants.begin(), variants.end(), variant) == variants.end()) variants.push_back(variant);
  }
  TAMIS_RETURN_IF_ERROR(AddPlans(engine.get(), variants, profiles, options, tuner.get(), &result));
  for (std::string& notice : tuner->notices()) result.notices.push_back(std::move(notice));
  result.engine = std::move(engine);
  return result;
}

Result<BuildResult> ExtendEngine(const std::string& engine_path, const std::vector<std::string>& precisions,
                                 const BuildOptions& options) {
  ConfigureLibraries();
  BuildResult result;
  TAMIS_ASSIGN_OR_RETURN(const EngineFile file, ReadEngine(engine_path, ReadMode::kRead));
  TAMIS_RETURN_IF_ERROR(file.weights->Verify());
  TAMIS_RETURN_IF_ERROR(LoadCustomOpsFromEnvironment());
  for (int variant = 0; variant < file.engine->NumVariants(); ++variant) {
    TAMIS_RETURN_IF_ERROR(
        CheckOperatorsKnown(file.engine->Fused(variant), file.engine->provenance.custom_ops).WithContext(engine_path));
  }
  auto engine = std::make_shared<Engine>();
  engine->fused = file.engine->fused.Clone();
  for (const Variant& variant : file.engine->variants) {
    engine->variants.push_back({variant.precision, variant.fused.Clone()});
  }
  engine->plans = file.engine->plans;
  engine->provenance = file.engine->provenance;
  // An engine without its unfused graph gets plans all the same, but no further precision.
  auto source = file.LoadSource();
  if (source.ok()) engine->source = std::move(*source);
  std::vector<Profile> profiles = ProfilesOf(engine->plans);
  if (!options.profiles.empty() || profiles.empty()) {
    TAMIS_ASSIGN_OR_RETURN(profiles, MakeProfiles(engine->fused, options));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto tuner, MakeTuner(options));
  Fuser fuser(engine->source, options, tuner.get(), &result.passes);
  std::vector<int> variants;
  for (const std::string& name : precisions) {
    const int before = engine->NumVariants();
    int variant = VariantNamed(*engine, name);
    if (variant < 0) {
      TAMIS_ASSIGN_OR_RETURN(const Precision precision, ParsePrecision(name));
      TAMIS_ASSIGN_OR_RETURN(variant, VariantFor(engine.get(), precision, profiles, &fuser, &result.notices));
    }
    if (variant >= before && !source.ok()) return source.status();
    if (std::find(variants.begin(), variants.end(), variant) == variants.end()) variants.push_back(variant);
  }
  for (int i = 0; precisions.empty() && i < engine->NumVariants(); ++i) variants.push_back(i);
  TAMIS_RETURN_IF_ERROR(AddPlans(engine.get(), variants, profiles, options, tuner.get(), &result));
  for (std::string& notice : tuner->notices()) result.notices.push_back(std::move(notice));
  result.engine = std::move(engine);
  return result;
}

}  // namespace tamis
