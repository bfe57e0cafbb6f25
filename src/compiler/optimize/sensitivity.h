// How much the network's outputs change when one layer alone is pruned.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/prune/prune.h"

namespace tamis {

struct LayerSensitivity {
  std::string name;  // of the weight initializer; all its parts are pruned together
  // The worst float output's: mean over samples of 1 - cosine, and |Y - Y^|^2 / |Y|^2.
  double cosine_loss = 0;
  double relative_error = 0;
  LayerReport layer;  // of this layer pruned alone
};

// Every eligible layer that `options.keep` does not name, in execution order. Each is fitted to the dense network's own
// inputs on `fit`, as Prune would do it, and measured on `choose` with all others dense. Nothing is approximated; what
// lies before a layer is computed once, so the cost is about one pruning plus half a dense run of `choose` a layer. The
// dense values of all of `choose` are kept (on disk where options.memory_bytes is too little): a few dozen samples are
// enough. Token-level outputs are compared at real tokens only.
Result<std::vector<LayerSensitivity>> MeasureSensitivity(const Graph& simplified, std::span<const NamedTensors> fit,
                                                         std::span<const NamedTensors> choose,
                                                         const PruneOptions& options, std::shared_ptr<ThreadPool> pool);
// The same on a fused graph made of `simplified`.
Result<std::vector<LayerSensitivity>> MeasureSensitivityFused(const Graph& simplified, const Graph& fused,
                                                              std::span<const NamedTensors> fit,
                                                              std::span<const NamedTensors> choose,
                                                              const PruneOptions& options,
                                                              std::shared_ptr<ThreadPool> pool);

}  // namespace tamis
