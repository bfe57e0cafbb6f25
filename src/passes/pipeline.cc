#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "src/ir/region.h"
#include "src/ops/op_def.h"
#include "src/passes/all_passes.h"
#include "src/passes/pass.h"
#include "src/passes/reinference.h"
#include "src/passes/widen_half.h"

namespace tamis {

std::vector<Pass> SimplifyPasses() {
  // One a line, as they run.
  // clang-format off
  return {
      {"remove_dead", RemoveDead},
      {"lower_cast_like", LowerCastLike},
      {"drop_identity", DropIdentity},
      {"fold_constants", FoldConstants},
      {"inline_branches", InlineBranches},
      {"fold_constants", FoldConstants},
      {"simplify_shapes", SimplifyShapes},
      {"drop_identity", DropIdentity},
      {"fold_batch_norm", FoldBatchNorm},
      {"fold_gemm_scale", FoldGemmScale},
      {"fold_scale_shift", FoldScaleShift},
      {"merge_convolutions", MergeConvolutions},
      {"eliminate_common", EliminateCommon},
      {"remove_dead", RemoveDead},
  };
  // clang-format on
}

std::vector<Pass> FusePasses() {
  return {
      {"widen_half", WidenHalf},
      {"spell_defaults", SpellDefaults},
      {"lower_ml", LowerMl},
      {"lower_einsum", LowerEinsum},
      {"recognize_activations", RecognizeActivations},
      {"push_codes", PushCodes},
      {"propagate_quantization", PropagateQuantization},
      {"fold_dequantized", FoldDequantized},
      {"lower_variadic", LowerVariadic},
      {"recognize_layer_norm", RecognizeLayerNorm},
      {"recognize_rms_norm", RecognizeRmsNorm},
      {"recognize_group_norm", RecognizeGroupNorm},
      {"recognize_pooling_head", RecognizePoolingHead},
      {"make_linear", MakeLinear},
      {"recognize_rotary", RecognizeRotary},
      {"recognize_attention", RecognizeAttention},
      {"lower_attention", LowerAttention},
      {"recognize_causal", RecognizeCausal},
      {"fuse_codes", FuseCodes},
      {"drop_expand", DropExpand},
      {"make_channels_last", MakeChannelsLast},
      {"push_transposes", PushTransposes},
      {"simplify_views", SimplifyViews},
      {"move_pointwise", MovePointwise},
      {"compose_products", ComposeProducts},
      {"split_products", SplitProducts},
      {"activate_parts", ActivateParts},
      {"fuse_epilogue", FuseEpilogue},
      {"recognize_float8", RecognizeFloat8},
      {"lower_precision", LowerPrecision},
      {"fuse_norm_codes", FuseNormCodes},
      {"eliminate_common", EliminateCommon},
      {"fuse_elementwise", FuseElementwise},
      {"detect_patterns", DetectPatterns},
      {"remove_dead", RemoveDead},
  };
}

std::span<const std::string_view> PassRoots(std::string_view pass) {
  static const std::map<std::string_view, std::vector<std::string_view>> kRoots = {
      {"lower_cast_like", {"CastLike"}},
      {"inline_branches", {"If"}},
      {"activate_parts", {"Concat"}},
      {"fold_batch_norm", {"BatchNormalization"}},
      {"fold_gemm_scale", {"Gemm"}},
      {"fold_scale_shift", {"Mul", "Div", "Add", "Sub"}},
      {"spell_defaults", {"RoiAlign"}},
      {"merge_convolutions", {"Conv"}},
      {"lower_einsum", {"Einsum"}},
      {"push_codes", {"QuantizeLinear", "DequantizeLinear"}},
      {"propagate_quantization", {"DequantizeLinear", "QLinearConv", "QLinearMatMul", "MatMulInteger"}},
      {"lower_variadic", {"Sum", "Mean", "Max", "Min"}},
      {"recognize_layer_norm", {"Div", "Mul", "LayerNormalization"}},
      {"recognize_rms_norm", {"Div", "Mul"}},
      {"recognize_group_norm", {"InstanceNormalization", "GroupNormalization"}},
      {"recognize_pooling_head", {"Div"}},
      {"make_linear", {"MatMul", "Gemm"}},
      {"recognize_attention", {"MatMul"}},
      {"lower_attention", {"Attention"}},
      {"recognize_causal", {"tamis.Attention"}},
      {"fuse_codes", {"QuantizeLinear", "GlobalAveragePool", "ReduceMean"}},
      {"fuse_norm_codes", {"LayerNormalization"}},
      {"drop_expand", {"Expand"}},
      {"move_pointwise", {"tamis.ChannelsLastConv"}},
      {"compose_products", {"tamis.Linear", "tamis.ChannelsLastConv"}},
      {"split_products", {"tamis.Linear"}},
  };
  const auto found = kRoots.find(pass);
  return found == kRoots.end() ? std::span<const std::string_view>() : found->second;
}

std::vector<std::string> PassNames() {
  std::set<std::string> names;
  for (const auto& list : {SimplifyPasses(), FusePasses()}) {
    for (const Pass& pass : list) names.emplace(pass.name);
  }
  names.emplace(kBlockFusion);
  names.emplace(kMicroBatching);
  return {names.begin(), names.end()};
}

namespace {

// A name is skippable whichever of the lists runs.
Status CheckSkippable(const std::vector<Pass>& passes, const std::vector<std::string>& skip) {
  const std::vector<std::string> all = PassNames();
  std::set<std::string> known(all.begin(), all.end());
  for (const Pass& pass : passes) known.emplace(pass.name);
  std::string unknown;
  for (const std::string& name : skip) {
    if (known.count(name) == 0) unknown += (unknown.empty() ? "'" : ", '") + name + "'";
  }
  if (unknown.empty()) return {};
  std::string names;
  for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
  return UserError("there is no pass {} to skip; the passes are {}", unknown, names);
}

// How many nodes of each operator (domain, name) there are, those of regions' bodies included.
using OperatorCounts = std::map<std::pair<std::string_view, std::string_view>, int64_t>;

void CountOperators(const Graph& graph, OperatorCounts* counts) {
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    ++(*counts)[{node.domain, node.op}];
    for (const Region& region : node.regions) CountOperators(*region.body, counts);
  }
}

// By name as people read it. The graph that was counted may be gone by the next pass, so the keys are copies.
struct Census {
  int64_t nodes = 0;
  std::map<std::string, int64_t> operators;

  bool HasAny(std::span<const std::string_view> names) const {
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view name) { return operators.count(std::string(name)) != 0; });
  }

  explicit Census(const Graph& graph) {
    OperatorCounts counts;
    CountOperators(graph, &counts);
    for (const auto& [key, count] : counts) {
      const auto& [domain, op] = key;
      operators[domain.empty() ? std::string(op) : std::string(domain) + "." + std::string(op)] += count;
      nodes += count;
    }
  }
};

// Runs a pass, sorts and compacts, and brings the shapes up to date; `*changed`: whether it did anything. `state` is
// the graph's. A pass that edited nothing costs no more than its own look at the graph.
//
// Bodies first: their results' types are what the node's shape rule reads. A branch that is known not to be taken is
// left alone, for shapes may contradict it; inline_branches drops it.
Status RunPass(Graph& graph, const Pass& pass, const PassOptions& options, InferredState* state, bool* changed) {
  bool edited = false;
  for (NodeId id : state->has_regions() ? graph.NodeIds() : std::vector<NodeId>()) {
    Node& node = graph.node(id);
    const auto taken = KnownBranch(graph, node);
    for (size_t i = 0; i < node.regions.size(); ++i) {
      if (taken && i != *taken) continue;
      const std::string context = node.op + "." + node.regions[i].name;
      Graph& body = *node.regions[i].body;
      InferredState body_state = InferredState::Of(body);  // the node's own rule has inferred it
      bool body_changed = false;
      TAMIS_RETURN_IF_ERROR(RunPass(body, pass, options, &body_state, &body_changed).WithContext(context));
      edited = edited || body_changed;
    }
  }
  const std::string context = "pass " + std::string(pass.name);
  PassOptions telling = options;
  telling.edited = &edited;
  TAMIS_RETURN_IF_ERROR(pass.run(graph, telling).WithContext(context));
  if (!edited && !options.audit) return {};
  if (edited) {
    TAMIS_RETURN_IF_ERROR(graph.Sort().WithContext(context));
    graph.Compact();
  }
  const Result<bool> updated = state->Update(graph);
  if (!updated.ok()) return updated.status().WithContext("after " + context);
  *changed = *updated;
  if (*changed && !edited) return InternalError("{} changed the graph and did not say so", context);
  if (!*changed) return {};
  return graph.Verify().WithContext("after " + context);
}

}  // namespace

Status RunPasses(Graph& graph, const std::vector<Pass>& passes, const PassOptions& options,
                 std::vector<PassRecord>* records) {
  if (options.precision != DType::kFloat32 && options.precision != DType::kBFloat16 &&
      options.precision != DType::kFloat16) {
    return UserError("precision {} is not supported; use float32, bfloat16 or float16", Name(options.precision));
  }
  TAMIS_RETURN_IF_ERROR(CheckSkippable(passes, options.skip));
  // What the caller gives may not be inferred yet.
  TAMIS_ASSIGN_OR_RETURN(InferredState state, InferredState::Infer(graph));
  TAMIS_RETURN_IF_ERROR(graph.Verify());
  Census census(graph);
  std::set<std::string_view> settled;  // passes that looked at the graph as it is and left it so
  for (const Pass& pass : passes) {
    PassRecord record;
    record.name = std::string(pass.name);
    record.skipped = std::find(options.skip.begin(), options.skip.end(), pass.name) != options.skip.end();
    bool changed = false;
    const auto roots = PassRoots(pass.name);
    if (!record.skipped && settled.count(pass.name) == 0 && (roots.empty() || census.HasAny(roots))) {
      PassLog log;
      PassOptions logged = options;
      if (records != nullptr) logged.log = &log;
      const auto start = std::chrono::steady_clock::now();
      TAMIS_RETURN_IF_ERROR(RunPass(graph, pass, logged, &state, &changed));
      record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      record.findings = log.Take();
    }
    record.nodes_before = record.nodes_after = census.nodes;
    settled.insert(pass.name);
    if (changed) {
      settled.clear();
      Census now(graph);
      record.nodes_after = now.nodes;
      for (const auto& [name, count] : now.operators) record.operators[name] += count;
      for (const auto& [name, count] : census.operators) record.operators[name] -= count;
      std::erase_if(record.operators, [](const auto& entry) { return entry.second == 0; });
      census = std::move(now);
    }
    if (records != nullptr) records->push_back(std::move(record));
  }
  return {};
}

Result<Graph> Fuse(const Graph& simplified, const PassOptions& options, std::vector<PassRecord>* records) {
  std::vector<Pass> passes = SimplifyPasses();
  for (const Pass& pass : FusePasses()) passes.push_back(pass);
  Graph graph = simplified.Clone();
  TAMIS_RETURN_IF_ERROR(RunPasses(graph, passes, options, records));
  return graph;
}

}  // namespace tamis
