// A pass: one rewrite of the graph. One file per pass; pipeline.cc holds the ordered lists and reads as one. RunPasses
// sorts and compacts the graph after a pass that edited it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "src/ir/graph.h"
#include "src/passes/pass_log.h"
#include "tamis/status.h"

namespace tamis {

struct PassOptions {
  DType precision = DType::kFloat32;  // kFloat32, kBFloat16 or kFloat16: what fused compute nodes run in
  bool float8 = false;                // the device multiplies float8e4m3fn: recognize_float8
  std::vector<std::string> skip;      // passes switched off, by name
  // With a short precision: the only nodes that may turn to it, by the name of their first output as the fused graph of
  // float32 has it. Null: all that can. Bodies of regions have names of their own, so theirs stay float32.
  const std::set<std::string>* low_nodes = nullptr;
  // Products may be split, or composed with others, where that is less work: for what only runs. Whoever looks for the
  // layers of the file in the fused graph (pruning, choices by layer) leaves this off.
  bool regroup_layers = false;
  PassLog* log = nullptr;  // RunPasses sets it; null: nobody wants to know
  // RunPasses sets it: where a pass says that it changed the graph. Rewriter does so by itself.
  bool* edited = nullptr;
  // For tests: a pass that changes the graph and doesn't say so is an error. Otherwise shapes would not be brought up
  // to date after it.
  bool audit = false;

  void Edited() const {
    if (edited != nullptr) *edited = true;
  }
  // For passes; `at` is the value that the pattern makes.
  void Matched(const Graph& graph, ValueId at, std::string_view what) const {
    if (log != nullptr) log->Add(FindingKind::kMatched, what, "", graph, at);
  }
  void Missed(const Graph& graph, ValueId at, std::string_view what, std::string_view reason) const {
    if (log != nullptr) log->Add(FindingKind::kMissed, what, reason, graph, at);
  }
  void Decided(const Graph& graph, ValueId at, std::string_view what, std::string_view reason) const {
    if (log != nullptr) log->Add(FindingKind::kDecided, what, reason, graph, at);
  }
};

struct Pass {
  std::string_view name;  // == file name
  Status (*run)(Graph&, const PassOptions&) = nullptr;
};

struct PassRecord {
  std::string name;
  bool skipped = false;                       // switched off by PassOptions::skip
  int64_t nodes_before = 0, nodes_after = 0;  // regions' bodies included
  double seconds = 0;
  std::map<std::string, int64_t> operators;  // how many more (fewer: negative) nodes of each operator than before
  std::vector<Finding> findings;
};

// Graph-to-graph clean-up that keeps ONNX operators only (the result can be exported): constants folded, dropout and
// identities dropped, batch norm folded, Gemm's alpha and beta folded, shape computations simplified.
std::vector<Pass> SimplifyPasses();
// From a simplified graph to the one that runs: fusion, channels-last layout, precision, pattern detection.
std::vector<Pass> FusePasses();

// Runs the passes in order on the graph and on the bodies of its regions, infers shapes and verifies the graph after
// each one; appends to `records` if not null. Names in `options.skip` that are no pass are an error that lists them and
// the passes there are.
Status RunPasses(Graph& graph, const std::vector<Pass>& passes, const PassOptions& options,
                 std::vector<PassRecord>* records = nullptr);

// `graph` after SimplifyPasses and FusePasses, `graph` itself unchanged.
Result<Graph> Fuse(const Graph& simplified, const PassOptions& options, std::vector<PassRecord>* records = nullptr);

// Switched off as passes are, but decided by measurement when plans are made: neighbouring layers that run as one, and
// layers that run for parts of the batch.
inline constexpr std::string_view kBlockFusion = "fuse_blocks";
inline constexpr std::string_view kMicroBatching = "micro_batches";

// The names of all passes of both lists and these two, sorted.
std::vector<std::string> PassNames();

}  // namespace tamis
