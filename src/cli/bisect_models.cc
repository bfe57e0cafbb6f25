#include "src/cli/bisect_models.h"

#include "src/base/cpu.h"
#include "src/cli/model_file.h"
#include "src/cli/verb.h"
#include "src/kernels/kernel.h"
#include "src/runtime/plan_choice.h"

namespace tamis {
namespace {

struct Side {
  Network network;                             // unfused
  std::optional<Graph> fused;                  // of an engine, as its file has it
  bool low = false;                            // the engine computes in bfloat16
  std::map<std::string, std::string> kernels;  // of the engine's first measured plan, by node
  std::vector<BlockSpec> blocks;               // likewise
};

Result<Side> OpenSide(const std::string& path) {
  Side side;
  if (!LooksLikeEngine(path)) {
    TAMIS_ASSIGN_OR_RETURN(side.network, ImportNetwork(path));
    return side;
  }
  TAMIS_ASSIGN_OR_RETURN(side.network, NetworkFromEngine(path));
  TAMIS_ASSIGN_OR_RETURN(const EngineFile file, ReadEngine(path, ReadMode::kRead));
  TAMIS_RETURN_IF_ERROR(file.weights->Verify());
  side.fused = file.engine->fused.Clone();
  side.low = file.engine->provenance.precision.ends_with("bf16");
  for (const Plan& plan : file.engine->plans) {
    if (!plan.measured || plan.device != Cpu().Fingerprint() || plan.points.empty()) continue;
    for (const NodePlan& node : plan.points.front().nodes) side.kernels[node.node] = node.kernel;
    side.blocks = BlocksOf(plan.points.front());
    break;
  }
  return side;
}

}  // namespace

Result<std::vector<BisectReport>> BisectModels(const BisectFlags& flags, double* tolerance) {
  ConfigureLibraries();
  TAMIS_ASSIGN_OR_RETURN(const Precision precision, ParsePrecision(flags.precision));
  const bool bf16 = precision == Precision::kBFloat16 || (precision == Precision::kAuto && Cpu().avx512_bf16);
  TAMIS_ASSIGN_OR_RETURN(const Side a, OpenSide(flags.a));
  TAMIS_ASSIGN_OR_RETURN(const auto data, OpenData(flags.data, a.network.graph));
  const int64_t batch = std::max<int64_t>(data->fixed_batch(), 1);
  std::vector<int64_t> samples = AllSamples(*data, batch);
  if (static_cast<int64_t>(samples.size()) < batch) return UserError("the data hold no full batch");
  TAMIS_ASSIGN_OR_RETURN(const NamedTensors inputs, data->Batch(samples));

  Progress progress("bisecting");
  BisectOptions options;
  options.threads = flags.threads;
  options.passes.skip = flags.without;
  options.passes.regroup_layers = true;  // as a build has it
  options.passes.precision = bf16 ? DType::kBFloat16 : DType::kFloat32;
  options.progress = [&](int done, int total, const std::string& what) { progress.Update(done, total, what); };
  const bool low = bf16 || a.low;
  options.tolerance = *tolerance = flags.tolerance > 0 ? flags.tolerance : low ? 2e-2 : 1e-3;

  std::vector<BisectReport> reports;
  std::optional<Side> b;
  if (!flags.b.empty()) {
    TAMIS_ASSIGN_OR_RETURN(b, OpenSide(flags.b));
  }
  if (b && b->network.hash != a.network.hash) {
    TAMIS_ASSIGN_OR_RETURN(reports.emplace_back(), BisectGraphs(a.network.graph, b->network.graph, inputs, options));
    if (reports.back().parted()) return reports;
  }
  std::vector<Pass> passes = SimplifyPasses();
  for (const Pass& pass : FusePasses()) passes.push_back(pass);
  TAMIS_ASSIGN_OR_RETURN(reports.emplace_back(), BisectPasses(a.network.graph, passes, inputs, options));
  if (reports.back().parted()) return reports;
  Graph fused;
  if (a.fused) {
    fused = a.fused->Clone();
  } else {
    TAMIS_ASSIGN_OR_RETURN(fused, Fuse(a.network.graph, options.passes));
  }
  const auto wish = [&](const std::string& node) {
    const auto found = a.kernels.find(node);
    return found == a.kernels.end() ? std::string() : found->second;
  };
  TAMIS_ASSIGN_OR_RETURN(reports.emplace_back(), BisectKernels(fused, inputs, wish, options));
  if (reports.back().parted() || a.blocks.empty()) return reports;
  TAMIS_ASSIGN_OR_RETURN(reports.emplace_back(), BisectBlocks(fused, inputs, a.blocks, options));
  return reports;
}

}  // namespace tamis
