// What the protocol and its extensions tell of a model, as JSON.
#pragma once

#include <string>
#include <vector>

#include "src/server/metrics.h"
#include "src/server/repository.h"

namespace tamis {

// Of the protocol, that this server offers.
std::vector<std::string> ProtocolExtensions(bool shared_memory);

// The protocol's name for a value's type; what it has none for (sequences, element types of its own) is named as ONNX
// does.
std::string DatatypeOf(const TensorSpec& spec);
// As the model configuration has it: FP32 is TYPE_FP32, but BYTES is TYPE_STRING.
std::string ConfigTypeOf(const TensorSpec& spec);
// -1: free, and the whole shape where the rank is not known.
Dims WholeShape(const TensorSpec& spec);
// Runs that answered the requests of `totals`.
uint64_t ExecutionsOf(const ModelVersion& model, const Metrics::Totals& totals);

// Name, versions, inputs and outputs with their shapes, -1 for what is free.
std::string ModelMetadataJson(const ModelVersion& model, const std::vector<ModelVersionPtr>& versions);
// The model configuration extension. Shapes are whole, so that max_batch_size is 0: clients put no dimension before
// them.
std::string ModelConfigJson(const ModelVersion& model);
// The statistics extension, of versions that are ready. Waiting for a worker is "queue"; waiting for a run to join
// (--max-batch) is part of compute_infer.
std::string ModelStatsJson(const std::vector<ModelVersionPtr>& versions, const Metrics& metrics);
// The model repository extension.
std::string RepositoryIndexJson(const std::vector<ModelVersionPtr>& versions, bool only_ready);

}  // namespace tamis
