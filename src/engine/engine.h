// The engine: what the file holds, in memory.
//
// `fused` is the graph that runs. `source` is the unfused graph (ONNX operators only), kept so that an engine can be
// built again for another device or precision. Both share tensors. A plan says which kernel computes each node of
// `fused` on one device, for one profile and thread count; nodes are named by their first output value's name.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/status.h"

namespace tamis {

// min / opt / max of each symbolic dimension.
struct DimRange {
  int64_t min = 1, opt = 1, max = 1;
};
using Profile = std::map<std::string, DimRange>;  // by symbol

struct Candidate {
  std::string kernel;
  double seconds = 0;   // 0: not timed
  std::string reason;   // why it lost or was struck out; empty for the winner
};

struct NodePlan {
  std::string node;     // name of the node's first output value in `fused`
  std::string kernel;   // "" : the reference evaluation
  double seconds = 0;   // measured (or predicted in a safe plan)
  std::vector<Candidate> candidates;
};

// Tactics at one concrete binding of the symbols. A plan has one point or several; a run takes the nearest.
struct PlanPoint {
  std::map<std::string, int64_t> binding;
  std::vector<NodePlan> nodes;
};

struct Plan {
  std::string device;        // CpuInfo::Fingerprint(); "" for the safe plan, which fits everywhere
  int threads = 0;
  Profile profile;
  bool measured = false;     // false: chosen by the cost model
  std::vector<PlanPoint> points;
};

// What was done to one weight layer, for `inspect` and reports.
struct LayerRecord {
  std::string name;          // name of the weight initializer in `source`
  std::string pattern;       // "dense", "2:4"
  std::string reason;        // why it stayed dense; empty if sparse
  double saliency_kept = 1;  // share of the squared magnitude (or of the second-order saliency) kept
  double output_error = 0;   // relative to the layer's output norm
  double dense_seconds = 0;  // best dense tactic, 0 if not measured
  double sparse_seconds = 0; // best 2:4 tactic
};

struct Provenance {
  std::string tamis_version;
  std::string source_file;      // base name of the ONNX file
  std::string source_hash;      // of its bytes
  std::string data_hash;        // of the calibration data; empty if none was used
  std::string precision;        // "f32", "bf16"
  std::string host;             // fingerprint of the machine that built it
  std::string created;          // ISO 8601, UTC
  std::map<std::string, double> accuracy;  // "cosine.confirm", "top1.drop", ...
  std::vector<LayerRecord> layers;
  int64_t nodes_before = 0, nodes_after = 0;
};

struct Engine {
  Graph source;
  Graph fused;
  std::vector<Plan> plans;   // plans[0] is the safe plan
  Provenance provenance;
};

// Writes to a temporary name beside `path`, syncs and renames. A full disk leaves no half file.
Status WriteEngine(const Engine& engine, const std::string& path);

enum class ReadMode { kMap, kRead };
struct EngineFile {
  std::shared_ptr<const Engine> engine;   // its tensors keep the mapping alive
  // Checks the weights' checksums; done at the first request, not at open. OK at once if it was done before.
  std::shared_ptr<class WeightCheck> weights;
};
class WeightCheck {
 public:
  virtual ~WeightCheck() = default;
  virtual Status Verify() = 0;
};
// Checks magic, version and the metadata's checksum, and validates every offset before it is used.
Result<EngineFile> ReadEngine(const std::string& path, ReadMode mode);

}  // namespace tamis
