#include "src/cli/layer_table.h"

#include <fmt/format.h>

namespace tamis {

void PrintLayers(const std::vector<LayerReport>& layers) {
  fmt::print("{:<12} {:>12} {:>9} {:>9}  {}\n", "pattern", "weight", "saliency", "error", "layer");
  for (const LayerReport& layer : layers) {
    const std::string shape = fmt::format("{}x{}", layer.n, layer.k);
    if (layer.pattern != "dense") {
      fmt::print("{:<12} {:>12} {:>8.1f}% {:>8.2f}%  {}\n", layer.pattern, shape, 100 * layer.saliency_kept,
                 100 * layer.output_error, layer.name);
    } else {
      fmt::print("{:<12} {:>12} {:>9} {:>9}  {}: {}\n", layer.pattern, shape, "", "", layer.name, layer.reason);
    }
  }
}

}  // namespace tamis
