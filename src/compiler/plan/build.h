// From an imported network to an engine: passes, tuning, plans.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "src/compiler/plan/profile.h"
#include "src/engine/engine.h"
#include "src/onnx/node_notes.h"
#include "src/passes/pass.h"

namespace tamis {

// A network as every verb starts from it: imported, simplified, not yet fused.
struct Network {
  Graph graph;       // ONNX operators only
  std::string file;  // base name
  std::string hash;  // of the file's bytes
  ModelMeta meta;    // as the file says it
  NodeNotes notes;   // for what is written as ONNX again; engines don't keep them
  int64_t nodes_in_file = 0;
  std::vector<PassRecord> passes;
  std::vector<std::string> remarks;       // OnnxInfo::remarks
  std::vector<std::string> weight_files;  // OnnxInfo::external_files
};
// Imported only: nothing is simplified yet, and the values have the file's names.
Result<Network> ImportNetwork(const std::string& onnx_path);
// `options` are for the simplifying passes.
Result<Network> LoadNetwork(const std::string& onnx_path, const PassOptions& options = {});
// A model in memory; external data are looked for in `folder`.
Result<Network> LoadNetworkBytes(const void* data, size_t bytes, const std::string& folder,
                                 const PassOptions& options = {});
// The unfused network that an engine carries, for building it again.
Result<Network> NetworkFromEngine(const std::string& engine_path);

// kTf32: f32 whose products may round their operands (src/ops/op_tf32.h); for GPUs only. kFloat8: f16, or bf16 as kAuto
// says, of a network with products of float8 (src/ops/op_float8.h); for GPUs that multiply such numbers.
enum class Precision : uint8_t { kFloat32, kBFloat16, kFloat16, kTf32, kFloat8, kAuto };
// Error for what is not supported yet ("int8") and for anything else, each by name.
Result<Precision> ParsePrecision(const std::string& text);
std::string_view Name(Precision precision);

struct BuildOptions {
  // kAuto: on a GPU f16, or bf16 if the file's weights are; on the CPU node by node what was measured faster
  // (choose_precision.h), f32 where nothing is timed.
  Precision precision = Precision::kFloat32;
  std::string device = "cpu";              // or "cuda", "cuda:1": what plans are made for
  std::vector<Precision> more_precisions;  // further variants of the network in the same engine
  int threads = 0;                         // 0: one for every usable core
  std::vector<InputRanges> profiles;       // empty: one that bounds nothing
  std::vector<std::string> without;        // passes switched off, by name
  // With kAuto: weights whose products may be bf16; nothing: all.
  std::optional<std::set<std::string>> low_layers;
  bool tune = true;                 // false: the safe plans only, nothing is timed
  bool memory_figures = false;      // of every plan; packs the weights once more
  std::string cache_path;           // of the timing cache; empty: none
  double time_budget = 0;           // seconds of timing; 0: no limit
  uint64_t workspace_limit = 0;     // bytes that one kernel of a GPU may take beside its operands; 0: no limit
  std::vector<ValueRecord> values;  // of calibration samples, and the hash of these: for the provenance
  std::string data_hash;
  std::function<void(int done, int total, const std::string& what)> progress;
  std::function<bool()> cancelled;  // asked before each node is timed; true ends the build with an error
};

struct BuildResult {
  std::shared_ptr<Engine> engine;
  std::vector<PassRecord> passes;
  std::vector<std::string> notices;
};

Result<BuildResult> BuildEngine(const Network& network, const BuildOptions& options);
// An engine as it is, with plans for this machine and `options.threads` added: of its own profiles, or of
// `options.profiles` (added to the engine's) if there are any; for all its variants, or, if `precisions` is not empty,
// for these, made from the unfused graph where the engine does not have them ("int8" it can only have). Plans of the
// same device, threads, variant and profile are replaced, all others kept.
Result<BuildResult> ExtendEngine(const std::string& engine_path, const std::vector<std::string>& precisions,
                                 const BuildOptions& options);

// The time that SOURCE_DATE_EPOCH says ("2026-11-24T02:00:00Z"); empty without it: equal builds give equal files.
std::string BuildTime();

}  // namespace tamis
