// Which nodes of a network run in bf16 and which in f32 on this CPU, by measured time.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "src/engine/engine.h"
#include "src/ir/graph.h"
#include "src/passes/pass.h"
#include "src/tuner/tuner.h"

namespace tamis {

// Fused, with the constants hashed. `low_nodes` (null: all that can be) are in `precision`, as PassOptions has it;
// `passes` may be null; `regroup_layers` as PassOptions has it.
Result<Graph> FuseIn(const Graph& source, DType precision, const std::set<std::string>* low_nodes,
                     const std::vector<std::string>& without, std::vector<PassRecord>* passes,
                     bool regroup_layers = true);

struct PrecisionQuestion {
  std::vector<std::string> without;  // passes switched off
  std::vector<Profile> profiles;     // times are taken at the opt of each, and every profile counts the same
  int threads = 1;
  // Weight layers at the better of their dense and their 2:4 time, as if all were pruned. Else as their weights are.
  bool as_if_pruned = false;
  // Weights whose products may be bf16, by the unfused initializer; nothing: all. What has no weight always may.
  std::optional<std::set<std::string>> low_layers;
};

struct PrecisionChoice {
  Graph fused;                                             // for the choice
  DType precision = DType::kFloat32;                       // kBFloat16 as soon as one node is
  std::set<std::string> low_nodes;                         // for PassOptions, where the choice is a mixture
  bool mixed = false;                                      // some nodes that could be bf16 stay f32
  int64_t low_count = 0, able = 0;                         // nodes in bf16, and that could be
  std::vector<double> full_seconds, low_seconds, seconds;  // by profile: all in f32, all in bf16, as chosen
  std::string Describe() const;                            // one sentence
};

// Times every node at every profile's opt in both precisions, labels the nodes by minimum cut (assign_precision.h),
// then times the graph that comes of it. The result is the best of three by these times: all f32, the mixture, all
// bf16; f32 where the others gain less than 1 %. `source` is simplified and not fused. Where the time budget ends
// before a node was timed in both precisions, it stays f32.
Result<PrecisionChoice> ChoosePrecision(const Graph& source, const PrecisionQuestion& question, Tuner& tuner,
                                        std::vector<PassRecord>* passes);

}  // namespace tamis
