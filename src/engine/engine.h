// The engine: what the file holds, in memory.
//
// `fused` is the graph that runs, `variants` are the same network fused for other precisions. `source` is the unfused
// graph (ONNX operators only), kept so that an engine can be built again for another device or precision. All share
// tensors, and the file stores each weight once, as the widest fused graph has it: ReadEngine leaves `source` empty,
// and EngineFile::LoadSource makes it from the same bytes. A plan says which kernel computes each node of one variant
// on one device, for one profile and thread count; nodes are named by their first output value's name.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/engine/value_record.h"
#include "src/ir/graph.h"
#include "src/ir/model_meta.h"
#include "tamis/status.h"

namespace tamis {

// min / opt / max of each symbolic dimension.
struct DimRange {
  int64_t min = 1, opt = 1, max = 1;
  // The user gave the range: requests outside are refused. One that nobody gave only says where kernels are timed.
  bool bounded = false;
  bool operator==(const DimRange&) const = default;
  bool Holds(int64_t size) const { return !bounded || (min <= size && size <= max); }
};
using Profile = std::map<std::string, DimRange>;  // by symbol; what it leaves out is not bounded

struct Candidate {
  std::string kernel;
  double seconds = 0;  // 0: not timed
  std::string reason;  // why it lost or was struck out; empty for the winner
};

struct NodePlan {
  std::string node;    // name of the node's first output value in `fused`
  std::string kernel;  // "" : the reference evaluation
  double seconds = 0;  // measured (or predicted in a safe plan)
  std::vector<Candidate> candidates;
};

// Neighbouring nodes that run as one, tile by tile (src/kernels/block/row_block.h), because that was measured to be
// faster.
struct BlockPlan {
  std::vector<std::string> layers;   // as NodePlan::node, in order
  std::vector<std::string> kernels;  // one a layer
  double seconds = 0;                // as one, measured inside the network
  double layer_seconds = 0;          // one after another: the sum of their NodePlans' seconds
};

// The first layers run for a few entries of the batch after one another (src/runtime/micro_batches.h), because that was
// measured to be faster.
struct MicroBatchPlan {
  int64_t entries = 0;               // that run together; 0: all do
  std::vector<std::string> results;  // as NodePlan::node: where the whole batch goes on
};

// Tactics at one concrete binding of the symbols. A plan has one point or several; a run takes the nearest.
struct PlanPoint {
  std::map<std::string, int64_t> binding;
  std::vector<NodePlan> nodes;  // of layers that run for parts of the batch: chosen for a part, times of all parts
  std::vector<BlockPlan> blocks = {};
  MicroBatchPlan micro_batches = {};

  double Seconds() const;  // of all nodes, those of blocks as one
};

// Bytes of activations and scratch during one run.
struct MemoryFigures {
  uint64_t planned = 0;      // what a run takes
  uint64_t lower_bound = 0;  // the most that is alive at once: no placement takes less
  uint64_t naive = 0;        // a buffer of its own for every value
};

struct Plan {
  std::string device;  // CpuInfo::Fingerprint(); "" for a safe plan, which fits everywhere
  int threads = 0;
  Profile profile;
  bool measured = false;  // false: chosen by the cost model
  std::vector<PlanPoint> points;
  int variant = 0;       // 0: Engine::fused, n: Engine::variants[n - 1]
  MemoryFigures memory;  // at the profile's max; all 0 if it was not computed
  uint64_t workspace_limit =
      0;  // bytes of a workspace that a kernel of a GPU may take, in other plans too; 0: no limit
};

// The network fused for one more precision.
struct Variant {
  std::string precision;
  Graph fused;
};

// What was done to one weight layer, for `inspect` and reports.
struct LayerRecord {
  std::string name;           // name of the weight initializer in `source`
  std::string pattern;        // "dense", "2:4"
  std::string reason;         // why it stayed dense; empty if sparse
  double saliency_kept = 1;   // share of the squared magnitude (or of the second-order saliency) kept
  double output_error = 0;    // relative to the layer's output norm
  double dense_seconds = 0;   // best dense tactic, 0 if not measured
  double sparse_seconds = 0;  // best 2:4 tactic
};

// An operator that a shared library brought when the engine was built, and must bring again.
struct CustomOpRecord {
  std::string op, domain, library, version;
};

struct Provenance {
  std::string tamis_version;
  std::string source_file;                 // base name of the ONNX file
  std::string source_hash;                 // of its bytes
  std::string data_hash;                   // of the calibration data; empty if none was used
  std::string precision;                   // of Engine::fused: "f32", "bf16", "f16"
  std::string host;                        // fingerprint of the machine that built it
  std::string created;                     // ISO 8601, UTC; only where SOURCE_DATE_EPOCH says it, so that equal
                                           // builds give equal files
  std::map<std::string, double> accuracy;  // "cosine.confirm", "top1.drop", ...
  std::vector<LayerRecord> layers;
  int64_t nodes_before = 0, nodes_after = 0;
  // False: the file holds some weights of `source` only in the narrower type that `fused` computes in (bf16, f16), so
  // that LoadSource returns them rounded to it. WriteEngine sets it in the file.
  bool source_exact = true;
  std::vector<CustomOpRecord> custom_ops;
  std::vector<ValueRecord> values;  // of the calibration samples: inputs, and activations with codes
  ModelMeta model;                  // as the ONNX file says it
};

struct Engine {
  Graph source;
  Graph fused;
  std::vector<Plan> plans;  // one safe plan a profile first, then measured ones
  Provenance provenance;
  std::vector<Variant> variants;

  int NumVariants() const { return 1 + static_cast<int>(variants.size()); }
  const Graph& Fused(int variant) const {
    return variant == 0 ? fused : variants[static_cast<size_t>(variant) - 1].fused;
  }
  const std::string& Precision(int variant) const {
    return variant == 0 ? provenance.precision : variants[static_cast<size_t>(variant) - 1].precision;
  }
};
// The distinct profiles of the plans, in their order. Numbers in messages are indices into this list.
std::vector<Profile> ProfilesOf(const std::vector<Plan>& plans);

// Writes to a temporary name beside `path`, syncs and renames. A full disk leaves no half file. An empty `source` (no
// nodes) is not stored.
Status WriteEngine(const Engine& engine, const std::string& path);

// The plans alone, for an engine that is already where they are wanted.
Status WritePlanFile(const Engine& engine, const std::string& path);

// kMap: weights are read from the file as they are used; a file truncated meanwhile is a SIGBUS. kRead: all read at
// open; safe whatever happens to the file later.
enum class ReadMode { kMap, kRead };

// Checks the weights' checksums, once; later calls return the first one's answer. Thread-safe. The first call reads all
// weights on several threads, so make it before the first request and not at open. An error names every damaged weight.
class WeightCheck {
 public:
  virtual ~WeightCheck() = default;
  virtual Status Verify() = 0;
  // A kernel has packed this constant. Where it lies in a mapped file its pages leave the process's memory until
  // somebody reads them again, so that a weight is not resident twice.
  virtual void Packed(const Tensor& constant) { static_cast<void>(constant); }
};

// Sizes in bytes.
struct EngineFacts {
  uint32_t format_version = 0;
  uint64_t content = 0;  // hash of all that the file says, its weights' checksums included
  uint64_t file_bytes = 0;
  uint64_t metadata_bytes = 0;
  int64_t weights = 0;          // distinct ones, small constants not counted
  int64_t sparse_weights = 0;   // of them stored as 2:4
  uint64_t dense_bytes = 0;     // of the dense ones
  uint64_t sparse_bytes = 0;    // of the 2:4 ones, as stored
  uint64_t unpacked_bytes = 0;  // of all, as dense elements
};

struct EngineFile {
  std::shared_ptr<const Engine> engine;  // without `source`; its tensors keep the file's memory alive
  std::shared_ptr<WeightCheck> weights;
  EngineFacts facts;
  // The unfused graph, made at each call; kUser if the file holds none. Thread-safe.
  std::function<Result<Graph>()> LoadSource;
};
// Checks magic, version and the metadata's checksum, and validates every offset before it is used. What is wrong with
// the file is kUser, what the machine refuses (no permission, no memory) kRuntime.
Result<EngineFile> ReadEngine(const std::string& path, ReadMode mode);

}  // namespace tamis
