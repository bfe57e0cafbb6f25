// From an imported network to an engine: passes, tuning, plans.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/compiler/profile.h"
#include "src/engine/engine.h"
#include "src/passes/pass.h"

namespace tamis {

// A network as every verb starts from it: imported, simplified, not yet fused.
struct Network {
  Graph graph;       // ONNX operators only
  std::string file;  // base name
  std::string hash;  // of the file's bytes
  std::string producer;
  int64_t nodes_in_file = 0;
  std::vector<PassRecord> passes;
};
// Imported only: nothing is simplified yet, and the values have the file's names.
Result<Network> ImportNetwork(const std::string& onnx_path);
// `options` are for the simplifying passes.
Result<Network> LoadNetwork(const std::string& onnx_path, const PassOptions& options = {});
// A model in memory; external data are looked for in `folder`.
Result<Network> LoadNetworkBytes(const void* data, size_t bytes, const std::string& folder);
// The unfused network that an engine carries, for building it again.
Result<Network> NetworkFromEngine(const std::string& engine_path);

enum class Precision : uint8_t { kFloat32, kBFloat16, kAuto };
// Error for what is not supported yet ("f16", "int8") and for anything else, each by name.
Result<Precision> ParsePrecision(const std::string& text);
std::string_view Name(Precision precision);

struct BuildOptions {
  Precision precision = Precision::kFloat32;  // kAuto: bf16 where the machine computes in it, else f32
  int threads = 0;                            // 0: one for every usable core
  InputRanges ranges;
  std::vector<std::string> without;  // passes switched off, by name
  bool tune = true;                  // false: the safe plan only, nothing is timed
  std::string cache_path;            // of the timing cache; empty: none
  std::function<void(int done, int total, const std::string& what)> progress;
  std::function<bool()> cancelled;  // asked before each node is timed; true ends the build with an error
};

struct BuildResult {
  std::shared_ptr<Engine> engine;
  std::vector<PassRecord> passes;
  std::vector<std::string> notices;
};

Result<BuildResult> BuildEngine(const Network& network, const BuildOptions& options);
// Measured plan of `fused` on this machine at the points of `profile`.
Result<Plan> TunePlan(const Graph& fused, const Profile& profile, const BuildOptions& options,
                      std::vector<std::string>* notices);

// "2026-11-24T02:00:00Z"
std::string UtcNow();

}  // namespace tamis
