// What the protocol and its extensions tell of a model, as JSON.
#pragma once

#include <string>
#include <vector>

#include "src/server/metrics.h"
#include "src/server/repository.h"

namespace tamis {

// Name, versions, inputs and outputs with their shapes, -1 for what is free.
std::string ModelMetadataJson(const ModelVersion& model, const std::vector<ModelVersionPtr>& versions);
// The model configuration extension. Shapes are whole, so that max_batch_size is 0: clients put no dimension before
// them.
std::string ModelConfigJson(const ModelVersion& model);
// The statistics extension, of versions that are ready. Waiting for a run to join (--max-batch) is part of
// compute_infer; nothing waits in a queue otherwise.
std::string ModelStatsJson(const std::vector<ModelVersionPtr>& versions, const Metrics& metrics);
// The model repository extension.
std::string RepositoryIndexJson(const std::vector<ModelVersionPtr>& versions, bool only_ready);

}  // namespace tamis
