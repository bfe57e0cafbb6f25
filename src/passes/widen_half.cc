#include "src/passes/widen_half.h"

#include "src/ir/widen.h"

namespace tamis {

Status WidenHalf(Graph& graph, const PassOptions& options) {
  for (const DType half : {DType::kFloat16, DType::kBFloat16}) {
    if (!Widen(graph, half)) continue;
    options.Edited();
    if (graph.outputs.empty()) continue;
    options.Decided(graph, graph.outputs.front(), "computed in the precision of the build",
                    fmt::format("only inputs and outputs are {}", Name(half)));
  }
  return {};
}

}  // namespace tamis
