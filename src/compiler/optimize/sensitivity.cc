#include "src/compiler/optimize/sensitivity.h"

#include "src/passes/pass.h"

namespace tamis {

Result<std::vector<LayerSensitivity>> MeasureSensitivity(const Graph& simplified, std::span<const NamedTensors> fit,
                                                         std::span<const NamedTensors> choose,
                                                         const PruneOptions& options,
                                                         std::shared_ptr<ThreadPool> pool) {
  TAMIS_ASSIGN_OR_RETURN(const Graph fused, Fuse(simplified, PassOptions{}));
  return MeasureSensitivityFused(simplified, fused, fit, choose, options, std::move(pool));
}

}  // namespace tamis
