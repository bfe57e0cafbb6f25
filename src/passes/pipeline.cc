#include <algorithm>
#include <chrono>
#include <set>

#include "src/ops/op_def.h"
#include "src/passes/all_passes.h"
#include "src/passes/pass.h"

namespace tamis {

std::vector<Pass> SimplifyPasses() {
  return {
      {"remove_dead", RemoveDead},         {"drop_identity", DropIdentity},      {"fold_constants", FoldConstants},
      {"simplify_shapes", SimplifyShapes}, {"drop_identity", DropIdentity},      {"fold_batch_norm", FoldBatchNorm},
      {"fold_gemm_scale", FoldGemmScale},  {"fold_scale_shift", FoldScaleShift}, {"eliminate_common", EliminateCommon},
      {"remove_dead", RemoveDead},
  };
}

std::vector<Pass> FusePasses() {
  return {
      {"recognize_layer_norm", RecognizeLayerNorm},
      {"recognize_activations", RecognizeActivations},
      {"recognize_pooling_head", RecognizePoolingHead},
      {"make_linear", MakeLinear},
      {"recognize_attention", RecognizeAttention},
      {"make_channels_last", MakeChannelsLast},
      {"simplify_views", SimplifyViews},
      {"fuse_epilogue", FuseEpilogue},
      {"lower_precision", LowerPrecision},
      {"eliminate_common", EliminateCommon},
      {"detect_patterns", DetectPatterns},
      {"remove_dead", RemoveDead},
  };
}

namespace {

// Every name that a pass list may hold: a name is skippable whichever of the lists runs.
Status CheckSkippable(const std::vector<Pass>& passes, const std::vector<std::string>& skip) {
  std::set<std::string> known;
  for (const auto& list : {passes, SimplifyPasses(), FusePasses()}) {
    for (const Pass& pass : list) known.emplace(pass.name);
  }
  std::string unknown;
  for (const std::string& name : skip) {
    if (known.count(name) == 0) unknown += (unknown.empty() ? "'" : ", '") + name + "'";
  }
  if (unknown.empty()) return {};
  std::string names;
  for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
  return UserError("there is no pass {} to skip; the passes are {}", unknown, names);
}

}  // namespace

Status RunPasses(Graph& graph, const std::vector<Pass>& passes, const PassOptions& options,
                 std::vector<PassRecord>* records) {
  if (options.precision != DType::kFloat32 && options.precision != DType::kBFloat16) {
    return UserError("precision {} is not supported; use float32 or bfloat16", Name(options.precision));
  }
  TAMIS_RETURN_IF_ERROR(CheckSkippable(passes, options.skip));
  for (const Pass& pass : passes) {
    if (std::find(options.skip.begin(), options.skip.end(), pass.name) != options.skip.end()) continue;
    PassRecord record{std::string(pass.name), static_cast<int64_t>(graph.NumNodes()), 0, 0};
    const auto start = std::chrono::steady_clock::now();
    const std::string context = "pass " + record.name;
    TAMIS_RETURN_IF_ERROR(pass.run(graph, options).WithContext(context));
    TAMIS_RETURN_IF_ERROR(graph.Sort().WithContext(context));
    TAMIS_RETURN_IF_ERROR(InferShapes(graph).WithContext("after " + context));
    TAMIS_RETURN_IF_ERROR(graph.Verify().WithContext("after " + context));
    record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    record.nodes_after = static_cast<int64_t>(graph.NumNodes());
    if (records != nullptr) records->push_back(std::move(record));
  }
  return {};
}

Result<Graph> Fuse(const Graph& simplified, const PassOptions& options, std::vector<PassRecord>* records) {
  Graph graph = simplified.Clone();
  TAMIS_RETURN_IF_ERROR(RunPasses(graph, SimplifyPasses(), options, records));
  TAMIS_RETURN_IF_ERROR(RunPasses(graph, FusePasses(), options, records));
  return graph;
}

}  // namespace tamis
