// A pass: one rewrite of the graph. One file per pass; pipeline.cc holds the ordered lists and reads as one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/status.h"

namespace tamis {

struct PassOptions {
  DType precision = DType::kFloat32;  // kFloat32 or kBFloat16: what fused compute nodes run in
  std::vector<std::string> skip;      // passes switched off, by name
};

struct Pass {
  std::string_view name;  // == file name
  Status (*run)(Graph&, const PassOptions&) = nullptr;
};

struct PassRecord {
  std::string name;
  int64_t nodes_before = 0, nodes_after = 0;
  double seconds = 0;
};

// Graph-to-graph clean-up that keeps ONNX operators only (the result can be exported): constants folded, dropout and
// identities dropped, batch norm folded, Gemm's alpha and beta folded, shape computations simplified.
std::vector<Pass> SimplifyPasses();
// From a simplified graph to the one that runs: fusion, channels-last layout, precision, pattern detection.
std::vector<Pass> FusePasses();

// Runs the passes in order, infers shapes and verifies the graph after each one; appends to `records` if not null.
Status RunPasses(Graph& graph, const std::vector<Pass>& passes, const PassOptions& options,
                 std::vector<PassRecord>* records = nullptr);

// `graph` after SimplifyPasses and FusePasses, `graph` itself unchanged.
Result<Graph> Fuse(const Graph& simplified, const PassOptions& options, std::vector<PassRecord>* records = nullptr);

}  // namespace tamis
