#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "src/base/json_writer.h"
#include "src/cli/engine_layers.h"
#include "src/cli/explain.h"
#include "src/cli/model_file.h"
#include "src/cli/model_meta_text.h"
#include "src/cli/plan_text.h"
#include "src/cli/verb.h"
#include "src/compiler/optimize/predict.h"
#include "src/compiler/optimize/predict_int8.h"
#include "src/compiler/plan/confirm_plan.h"
#include "src/compiler/prune/prune_layers.h"
#include "src/kernels/problem.h"
#include "src/passes/detect_patterns.h"
#include "src/runtime/specialize.h"
#include "src/tuner/roofline.h"
#include "src/tuner/timing_cache.h"

namespace tamis {
namespace {

struct Flags {
  std::string file;
  std::vector<std::string> profiles;
  int threads = 0;
  bool no_timing = false;
};

// One weight layer of an ONNX file, as far as pruning is concerned.
struct LayerRow {
  WeightLayer layer;
  int64_t outputs = 0, inputs = 0;
  bool sparse = false;
  LayerTime time;
};

int64_t ParameterCount(const Graph& graph) {
  int64_t count = 0;
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    if (value.constant && IsFloat(value.type.dtype)) count += value.constant->NumElements();
  }
  return count;
}

std::map<std::string, int64_t> OperatorCounts(const Graph& graph) {
  std::map<std::string, int64_t> counts;
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    ++counts[(node.domain.empty() ? "" : node.domain + ".") + node.op];
  }
  return counts;
}

std::string Join(const std::map<std::string, int64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) text += (text.empty() ? "" : ", ") + fmt::format("{} {}", name, count);
  return text;
}

void WriteSpecs(const Graph& graph, const std::vector<ValueId>& ids, JsonWriter* json) {
  json->BeginArray();
  for (const ValueId id : ids) {
    const Value& value = graph.value(id);
    json->BeginObject().Field("name", value.name).Field("type", value.type.ToString()).EndObject();
  }
  json->EndArray();
}

std::vector<LayerRow> Layers(const Network& network, const Graph& fused, const GainPrediction& prediction) {
  std::map<std::string, LayerTime> times;
  for (const LayerTime& time : prediction.layers) times[time.weight] = time;
  std::vector<LayerRow> rows;
  for (WeightLayer& layer : FindWeightLayers(network.graph, fused, {})) {
    LayerRow row;
    const Tensor& weight = *fused.value(layer.weight).constant;
    row.outputs = weight.dim(0);
    row.inputs = weight.NumElements() / std::max<int64_t>(weight.dim(0), 1);
    row.sparse = HoldsTwoFour(weight);
    if (const auto time = times.find(layer.initializer); time != times.end()) row.time = time->second;
    row.layer = std::move(layer);
    rows.push_back(std::move(row));
  }
  return rows;
}

// What keeps a layer dense that is pruned for speed, in a line; empty where 2:4 or paired 2:4 gains.
std::string WhyDense(const LayerRow& row, bool timed) {
  if (!row.layer.reason.empty()) return row.layer.reason;
  if (!timed) return "";
  const LayerTime& time = row.time;
  if (time.dense_seconds <= 0) return "its time is not known before it runs";
  if (time.sparse_seconds <= 0 && time.paired_seconds <= 0) return time.sparse_reason;
  if (time.Gains() || time.GainsPaired()) return "";
  const bool paired =
      time.paired_seconds > 0 && (time.sparse_seconds <= 0 || time.paired_seconds < time.sparse_seconds);
  const double least = paired ? time.paired_seconds : time.sparse_seconds;
  const double microseconds = (least - time.dense_seconds) * 1e6;
  const char* const what = paired ? "paired 2:4" : "2:4";
  if (microseconds > 0) return fmt::format("dense is faster than {} by {:.1f} us", what, microseconds);
  return fmt::format("{} is faster by {:.1f} us only, which is within the noise of timing", what, -microseconds);
}

// Why a layer would stay float in `tamis quantize`, with its times where int8 is slower; empty where it gains.
std::string WhyFloat(const LayerRow& row, const Int8Prediction& int8) {
  if (const auto reason = int8.layer_reasons.find(row.layer.initializer);
      reason != int8.layer_reasons.end() && !reason->second.empty()) {
    return reason->second;
  }
  const auto seconds = int8.layer_seconds.find(row.layer.initializer);
  if (seconds == int8.layer_seconds.end() || row.time.dense_seconds <= 0) return "";
  const double microseconds = (seconds->second - row.time.dense_seconds) * 1e6;
  return microseconds > 0 ? fmt::format("f32 is faster by {:.1f} us", microseconds) : "";
}

// Both in one line.
std::string WhyNotMore(const LayerRow& row, const Int8Prediction& int8, bool timed) {
  const std::string dense = WhyDense(row, timed), floats = WhyFloat(row, int8);
  // "dense is faster ..." says it already.
  std::string text = dense.empty() ? "" : (dense.starts_with("dense") ? ": " : ": dense: ") + dense;
  if (!floats.empty()) text += (text.empty() ? ": " : "; ") + ("float: " + floats);
  return text;
}

// The layers that save most, with their share of what all save.
std::string WhatCarries(const std::vector<LayerRow>& rows) {
  constexpr size_t kShown = 5;
  std::vector<const LayerRow*> gaining;
  double saved = 0;
  const auto saves = [](const LayerRow* row) { return row->time.dense_seconds - row->time.BestPaired(); };
  for (const LayerRow& row : rows) {
    if (!row.layer.reason.empty() || saves(&row) <= 0) continue;
    gaining.push_back(&row);
    saved += saves(&row);
  }
  std::stable_sort(gaining.begin(), gaining.end(),
                   [&](const LayerRow* a, const LayerRow* b) { return saves(a) > saves(b); });
  std::string text;
  for (size_t i = 0; i < std::min(kShown, gaining.size()); ++i) {
    text +=
        fmt::format("{}{} {:.0f} %", i > 0 ? ", " : "", gaining[i]->layer.initializer, 100 * saves(gaining[i]) / saved);
  }
  if (gaining.size() > kShown) text += fmt::format(" and {} more", gaining.size() - kShown);
  return text;
}

// A cache that can't be written is told of; what was measured is shown all the same.
void SaveTimings(Tuner& tuner) {
  if (const Status saved = tuner.SaveCache(); !saved.ok()) PrintNotice(saved.message());
}

Status InspectOnnx(const Flags& flags, const CommonFlags& common) {
  TAMIS_ASSIGN_OR_RETURN(const Network network, LoadNetwork(flags.file));
  std::vector<PassRecord> passes = network.passes;
  TAMIS_ASSIGN_OR_RETURN(const Graph fused, Fuse(network.graph, {}, &passes));
  InputRanges ranges;
  for (const std::string& profile : flags.profiles) TAMIS_RETURN_IF_ERROR(ParseProfile(profile, &ranges));
  TAMIS_ASSIGN_OR_RETURN(const Profile profile, MakeProfile(fused, ranges, {.nothing_runs = flags.no_timing}));
  const auto binding = TuningPoints(profile).front();
  GainPrediction prediction;
  Int8Prediction int8;
  if (!flags.no_timing) {
    Progress progress("timing layers");
    TunerOptions options;
    options.threads = flags.threads > 0 ? flags.threads : Cpu().usable_cores;
    options.cache_path = TimingCache::DefaultPath();
    Tuner tuner(options);
    Result<GainPrediction> predicted = PredictGain(fused, binding, tuner, options.threads);
    TAMIS_RETURN_IF_ERROR(TellAssumedSizes(predicted.status(), fused, profile, binding));
    prediction = std::move(*predicted);
    TAMIS_ASSIGN_OR_RETURN(int8, PredictInt8(network.graph, binding, tuner, options.threads));
    SaveTimings(tuner);
    for (const std::string& notice : tuner.notices()) PrintNotice(notice);
  }
  const std::vector<LayerRow> layers = Layers(network, fused, prediction);
  std::set<std::string> eligible;
  for (const LayerRow& row : layers) {
    if (row.layer.reason.empty()) eligible.insert(row.layer.initializer);
  }
  const double dense_ms = prediction.DenseSeconds() * 1e3;
  const double pruned_ms =
      prediction.SecondsWith([&](const LayerTime& layer) { return eligible.count(layer.weight) != 0; }) * 1e3;
  const double paired_ms =
      prediction.SecondsWithPaired([&](const LayerTime& layer) { return eligible.count(layer.weight) != 0; }) * 1e3;
  const auto int8_ms = [&](const LayerRow& row) {
    const auto found = int8.layer_seconds.find(row.layer.initializer);
    return found == int8.layer_seconds.end() ? 0 : found->second * 1e3;
  };
  const std::vector<std::string> notes = PatternNotes(fused);

  if (common.verbose) LogPasses(passes);
  if (common.json) {
    JsonWriter json;
    json.BeginObject().Field("file", flags.file).Field("producer", network.meta.Producer());
    json.Key("model");
    WriteModelMeta(network.meta, network.graph.name, &json);
    json.Field("parameters", ParameterCount(network.graph));
    json.Field("nodes_before", network.nodes_in_file).Field("nodes_after", static_cast<int64_t>(fused.NumNodes()));
    json.Key("inputs");
    WriteSpecs(network.graph, network.graph.inputs, &json);
    json.Key("outputs");
    WriteSpecs(network.graph, network.graph.outputs, &json);
    json.Key("operators").BeginObject();
    for (const auto& [name, count] : OperatorCounts(fused)) json.Field(name, count);
    json.EndObject().Key("layers").BeginArray();
    for (const LayerRow& row : layers) {
      json.BeginObject().Field("weight", row.layer.initializer).Field("node", row.layer.node);
      json.Field("operator", row.layer.op).Field("outputs", row.outputs).Field("inputs", row.inputs);
      json.Field("pattern", row.sparse ? "2:4" : "dense").Field("eligible", row.layer.reason.empty());
      json.Field("reason", row.layer.reason).Field("dense_ms", row.time.dense_seconds * 1e3);
      json.Field("sparse_ms", row.time.sparse_seconds * 1e3).Field("dense_kernel", row.time.dense_kernel);
      json.Field("paired_ms", row.time.paired_seconds * 1e3).Field("int8_ms", int8_ms(row));
      json.Field("sparse_kernel", row.time.sparse_kernel).Field("paired_kernel", row.time.paired_kernel);
      json.Field("gains", row.time.Gains()).Field("gains_paired", row.time.GainsPaired());
      json.Field("stays_dense", WhyDense(row, !flags.no_timing)).Field("stays_float", WhyFloat(row, int8)).EndObject();
    }
    json.EndArray().Key("notes").BeginArray();
    for (const std::string& note : notes) json.Value(note);
    json.EndArray().Key("predicted").BeginObject().Key("shape").BeginObject();
    for (const auto& [symbol, size] : binding) json.Field(symbol, size);
    json.EndObject().Field("dense_ms", dense_ms).Field("pruned_ms", pruned_ms).Field("paired_ms", paired_ms);
    json.Field("int8_ms", int8.seconds * 1e3).Field("int8_layers", int8.quantized);
    json.Field("int8_reason", int8.reason).EndObject().EndObject();
    fmt::print("{}\n", json.text());
    return {};
  }

  fmt::print("{}: {} nodes ({} after fusion), {:.2f} M parameters, made by {}\n", flags.file, network.nodes_in_file,
             fused.NumNodes(), static_cast<double>(ParameterCount(network.graph)) / 1e6,
             network.meta.producer_name.empty() ? "an unnamed tool" : network.meta.Producer());
  fmt::print("{}", ModelMetaText(network.meta));
  for (const ValueId id : network.graph.inputs) {
    fmt::print("  input  {}: {}\n", network.graph.value(id).name, network.graph.value(id).type.ToString());
  }
  for (const ValueId id : network.graph.outputs) {
    fmt::print("  output {}: {}\n", network.graph.value(id).name, network.graph.value(id).type.ToString());
  }
  fmt::print("  operators after fusion: {}\n\n", Join(OperatorCounts(fused)));
  fmt::print("{:<7} {:>12} {:>9} {:>9} {:>9} {:>9}  {}\n", "now", "weight", "dense ms", "2:4 ms", "paired ms",
             "int8 ms", "layer");
  for (const LayerRow& row : layers) {
    const auto ms = [](double milliseconds) { return milliseconds > 0 ? fmt::format("{:.4f}", milliseconds) : "-"; };
    fmt::print("{:<7} {:>12} {:>9} {:>9} {:>9} {:>9}  {}{}\n", row.sparse ? "2:4" : "dense",
               fmt::format("{}x{}", row.outputs, row.inputs), ms(row.time.dense_seconds * 1e3),
               ms(row.time.sparse_seconds * 1e3), ms(row.time.paired_seconds * 1e3), ms(int8_ms(row)),
               row.layer.initializer, WhyNotMore(row, int8, !flags.no_timing));
  }
  for (const std::string& note : notes) fmt::print("note: {}\n", note);
  if (!flags.no_timing && pruned_ms > 0) {  // 0: nothing in the network has a time that is known before it runs
    std::string shape;
    for (const auto& [symbol, size] : binding) shape += fmt::format(" {}={}", symbol, size);
    fmt::print(
        "\n{} of {} layers can be 2:4. Predicted on this machine in f32{}{}: {:.3f} ms dense, {:.3f} ms with all of "
        "them pruned where that is faster ({:.2f}x), {:.3f} ms with paired 2:4 ({:.2f}x)\n",
        eligible.size(), layers.size(), shape.empty() ? "" : " at", shape, dense_ms, pruned_ms, dense_ms / pruned_ms,
        paired_ms, dense_ms / paired_ms);
    if (const std::string carried = WhatCarries(layers); !carried.empty()) fmt::print("Saved by {}\n", carried);
    if (int8.seconds > 0) {
      fmt::print("Predicted in int8, dense, {} of {} layers: {:.3f} ms ({:.2f}x)\n", int8.quantized, int8.layers,
                 int8.seconds * 1e3, dense_ms / (int8.seconds * 1e3));
    } else if (!int8.reason.empty()) {
      fmt::print("No prediction for int8: {}\n", int8.reason);
    }
  }
  return {};
}

// A histogram in sixteen characters.
std::string Bars(const std::vector<uint64_t>& bins) {
  constexpr std::array kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr size_t kShown = 16;
  std::array<double, kShown> heights{};
  for (size_t i = 0; i < bins.size(); ++i) heights[i * kShown / bins.size()] += static_cast<double>(bins[i]);
  const double most = *std::max_element(heights.begin(), heights.end());
  std::string text;
  for (const double height : heights) {
    // What is there at all is seen.
    const auto block = static_cast<size_t>(std::ceil(most > 0 ? height / most * (kBlocks.size() - 1) : 0));
    text += kBlocks[std::min(block, kBlocks.size() - 1)];
  }
  return text;
}

void WriteEngineJson(const Flags& flags, const Engine& engine, const EngineFacts& facts) {
  const Provenance& p = engine.provenance;
  JsonWriter json;
  json.BeginObject().Field("file", flags.file).Field("bytes", static_cast<int64_t>(facts.file_bytes));
  json.Field("format_version", static_cast<int64_t>(facts.format_version));
  json.Field("weights", facts.weights).Field("sparse_weights", facts.sparse_weights);
  json.Field("nodes_before", p.nodes_before).Field("nodes_after", p.nodes_after).Key("provenance").BeginObject();
  json.Field("tamis_version", p.tamis_version).Field("source_file", p.source_file).Field("source_hash", p.source_hash);
  json.Field("data_hash", p.data_hash)
      .Field("precision", p.precision)
      .Field("host", p.host)
      .Field("created", p.created);
  json.Key("accuracy").BeginObject();
  for (const auto& [name, value] : p.accuracy) json.Field(name, value);
  json.EndObject().EndObject().Key("model");
  WriteModelMeta(p.model, engine.fused.name, &json);
  json.Key("values").BeginArray();
  for (const ValueRecord& record : p.values) {
    json.BeginObject().Field("name", record.name).Field("input", record.input).Field("samples", record.samples);
    json.Field("low", record.low).Field("high", record.high).Field("mean", record.mean);
    json.Field("deviation", record.deviation).Field("growth", record.growth).Key("bins").BeginArray();
    for (const uint64_t count : record.bins) json.Number(count);
    json.EndArray().EndObject();
  }
  json.EndArray().Key("layers").BeginArray();
  for (const auto& [layer, type] : EngineLayers(engine)) {
    json.BeginObject().Field("weight", layer.name).Field("type", type).Field("pattern", layer.pattern);
    json.Field("reason", layer.reason);
    json.Field("saliency_kept", layer.saliency_kept).Field("output_error", layer.output_error);
    json.Field("dense_ms", layer.dense_seconds * 1e3).Field("sparse_ms", layer.sparse_seconds * 1e3).EndObject();
  }
  json.EndArray().Key("profiles");
  WriteProfiles(engine, &json);
  json.Key("plans");
  WritePlans(engine, true, &json);
  fmt::print("{}\n", json.EndObject().text());
}

// Of this machine, with the threads of the first plan that was made for it; none if there is no such plan.
Result<std::optional<Roofline>> MeasureRoofline(const Engine& engine) {
  for (const Plan& plan : engine.plans) {
    if (!plan.measured || plan.device != Cpu().Fingerprint()) continue;
    TunerOptions options;
    options.threads = plan.threads;
    options.cache_path = TimingCache::DefaultPath();
    Tuner tuner(options);
    TAMIS_ASSIGN_OR_RETURN(const Roofline roofline, Roofline::Measure(tuner, plan.threads));
    SaveTimings(tuner);
    fmt::print(
        "  roofline of this machine, {} threads: {:.0f} / {:.0f} / {:.0f} GOP/s in f32 / bf16 / int8, {:.1f} GB/s "
        "beyond the second-level cache\n",
        plan.threads, roofline.f32_flops() / 1e9, roofline.bf16_flops() / 1e9, roofline.int8_flops() / 1e9,
        roofline.bytes() / 1e9);
    return std::optional<Roofline>(roofline);
  }
  return std::optional<Roofline>();
}

std::string Ms(double seconds) {
  return seconds > 0 ? fmt::format("{:.4f}", seconds * 1e3) : "-";
}

// Every node: its kernel, the next best, the best for a dense weight and the best for 2:4, and the roofline.
Status PrintNodes(const Engine& engine, const Plan& plan, const PlanPoint& point, const Roofline* roofline,
                  bool verbose) {
  if (plan.device != Cpu().Fingerprint()) roofline = nullptr;
  const Graph& fused = engine.Fused(plan.variant);
  TAMIS_ASSIGN_OR_RETURN(const Graph concrete, SpecializeAt(fused, point.binding));
  // A GPU's session takes any kernel of its own, or the CPU's.
  const char* const none = plan.measured && plan.threads == 0 ? "not timed" : "reference";
  std::map<std::string, NodeId> nodes;
  for (const NodeId id : concrete.NodeIds()) {
    const Node& node = concrete.node(id);
    if (!node.outputs.empty() && node.outputs[0] != kNoValue) nodes[concrete.value(node.outputs[0]).name] = id;
  }
  fmt::print("    {:>9} {:>9} {:>9} {:>9}  {:<26} {:<34} {}\n", "ms", "dense", "2:4", "roofline", "tactic", "runner-up",
             "node");
  for (const NodePlan& node : point.nodes) {
    double dense = 0, sparse = 0, least = 0;
    const Candidate* second = nullptr;
    std::optional<Problem> problem;
    if (const auto found = nodes.find(node.node);
        found != nodes.end() && IsConcrete(concrete, concrete.node(found->second))) {
      TAMIS_ASSIGN_OR_RETURN(problem, MakeProblem(concrete, concrete.node(found->second), std::max(plan.threads, 1)));
      if (roofline != nullptr) least = roofline->Seconds(*problem);
    }
    for (const Candidate& candidate : node.candidates) {
      if (candidate.seconds <= 0) continue;
      if (candidate.kernel != node.kernel && (second == nullptr || candidate.seconds < second->seconds)) {
        second = &candidate;
      }
      double& best = problem && NeedsTwoFour(candidate.kernel, *problem) ? sparse : dense;
      if (best == 0 || candidate.seconds < best) best = candidate.seconds;
    }
    const std::string runner_up = second == nullptr ? "-" : fmt::format("{} {}", second->kernel, Ms(second->seconds));
    fmt::print("    {:>9} {:>9} {:>9} {:>9}  {:<26} {:<34} {}\n", Ms(node.seconds), Ms(dense), Ms(sparse), Ms(least),
               node.kernel.empty() ? none : node.kernel, runner_up, node.node);
    if (!verbose) continue;
    for (const Candidate& candidate : node.candidates) {
      if (candidate.kernel != node.kernel) {
        fmt::print("                    not {}: {}\n", candidate.kernel, candidate.reason);
      }
    }
  }
  return {};
}

// What runs as one node, beside what its layers took one by one.
void PrintBlocks(const PlanPoint& point) {
  if (point.micro_batches.entries > 0) {
    fmt::print("    layers up to {} run for {} of the batch at a time; their times are of all parts\n",
               fmt::join(point.micro_batches.results, " and "), point.micro_batches.entries);
  }
  if (point.blocks.empty()) return;
  size_t layers = 0;
  for (const BlockPlan& block : point.blocks) layers += block.layers.size();
  fmt::print("    {} of these nodes run as {} blocks, so that there are {} in all\n", layers, point.blocks.size(),
             point.nodes.size() - layers + point.blocks.size());
  for (const BlockPlan& block : point.blocks) {
    fmt::print("    {:>9} for {}  {}: {}\n", Ms(block.seconds), Ms(block.layer_seconds), fmt::join(block.layers, ", "),
               fmt::join(block.kernels, ", "));
  }
}

Status InspectEngine(const Flags& flags, const CommonFlags& common) {
  TAMIS_ASSIGN_OR_RETURN(const EngineFile file, ReadEngine(flags.file, ReadMode::kMap));
  TAMIS_RETURN_IF_ERROR(file.weights->Verify());
  const Engine& engine = *file.engine;
  const Provenance& p = engine.provenance;
  if (common.json) {
    WriteEngineJson(flags, engine, file.facts);
    return {};
  }
  fmt::print("{}: {:.1f} MB, format {}, {} weights ({} of them 2:4), checksums hold\n", flags.file,
             static_cast<double>(file.facts.file_bytes) / 1e6, file.facts.format_version, file.facts.weights,
             file.facts.sparse_weights);
  fmt::print("  made by tamis {} on {} at {}\n  from {} ({}), {}, {} nodes became {}\n", p.tamis_version, p.host,
             p.created.empty() ? "a time it does not say" : p.created, p.source_file, p.source_hash, p.precision,
             p.nodes_before, p.nodes_after);
  if (!p.model.producer_name.empty()) fmt::print("  the network was made by {}\n", p.model.Producer());
  fmt::print("{}", ModelMetaText(p.model));
  if (!p.data_hash.empty()) fmt::print("  calibration data {}\n", p.data_hash);
  for (const auto& [name, value] : p.accuracy) fmt::print("  {} {:.5f}\n", name, value);
  for (const ValueRecord& record : p.values) {
    fmt::print("  {} '{}' over {} samples: [{:.4g}, {:.4g}], mean {:.4g}, deviation {:.4g}  {}\n",
               record.input ? "input" : "codes of", record.name, record.samples, record.low, record.high, record.mean,
               record.deviation, Bars(record.bins));
  }
  for (const auto& [layer, type] : EngineLayers(engine)) {
    fmt::print("  {:<5} {:<10} {}{}\n", type, layer.pattern, layer.name,
               layer.reason.empty() ? "" : ": " + layer.reason);
  }
  const std::vector<Profile> profiles = ProfilesOf(engine.plans);
  std::optional<Roofline> roofline;
  if (!flags.no_timing) {
    TAMIS_ASSIGN_OR_RETURN(roofline, MeasureRoofline(engine));
  }
  fmt::print("\n");
  for (size_t i = 0; i < profiles.size(); ++i) fmt::print("profile {}: {}\n", i, ProfileText(profiles[i]));
  for (const Plan& plan : engine.plans) {
    const auto profile = std::find(profiles.begin(), profiles.end(), plan.profile) - profiles.begin();
    const std::string memory = MemoryText(plan.memory);
    if (plan.measured) {
      fmt::print("\nplan for {}, {} threads, profile {}, {}\n", plan.device, plan.threads, profile,
                 engine.Precision(plan.variant));
    } else {
      fmt::print("\nsafe plan, profile {}, {}: kernels by the cost model of whatever machine runs it\n", profile,
                 engine.Precision(plan.variant));
    }
    if (plan.workspace_limit > 0) {
      fmt::print("  workspaces of a GPU's kernels: {} bytes at most\n", plan.workspace_limit);
    }
    if (!memory.empty()) fmt::print("  activations at the profile's max: {}\n", memory);
    for (const PlanPoint& point : plan.points) {
      std::string shape;
      for (const auto& [symbol, size] : point.binding) shape += fmt::format(" {}={}", symbol, size);
      fmt::print("  at{}: {:.3f} ms in all\n", shape.empty() ? " the fixed shape" : shape, PointMs(point));
      TAMIS_RETURN_IF_ERROR(PrintNodes(engine, plan, point, roofline ? &*roofline : nullptr, common.verbose));
      PrintBlocks(point);
    }
  }
  return {};
}

Status Run(const Flags& flags, const CommonFlags& common) {
  return LooksLikeEngine(flags.file) ? InspectEngine(flags, common) : InspectOnnx(flags, common);
}

std::function<Status()> Declare(CLI::App& app, std::shared_ptr<CommonFlags> common) {
  auto flags = std::make_shared<Flags>();
  app.add_option("FILE", flags->file, "ONNX file or engine")->required();
  app.add_option("--profile", flags->profiles, "input=SHAPE or MIN:OPT:MAX: the prediction is made at OPT");
  app.add_option("--threads", flags->threads, "Threads of the prediction; 0: one for every core");
  app.add_flag("--no-timing", flags->no_timing, "Do not time anything: no prediction");
  return [flags, common] { return Run(*flags, *common); };
}

}  // namespace

extern const Verb verb_inspect = {
    "inspect", "Show what is in a network or an engine, and what 2:4 and int8 would gain before anything is changed",
    "tamis inspect model.onnx --profile ids=1x128", Declare};

}  // namespace tamis
