#include "src/compiler/prune/prune.h"

#include <algorithm>

#include "src/base/freed_memory.h"
#include "src/ir/constant_store.h"
#include "src/passes/pass.h"

namespace tamis {
namespace {

Result<Graph> FusedAtRest(const Graph& simplified) {
  const FreedMemoryReturned returned;
  TAMIS_ASSIGN_OR_RETURN(Graph fused, Fuse(simplified, PassOptions{}));
  ConstantStore().Keep(fused);
  ConstantStore::Rest(simplified);
  return fused;
}

}  // namespace

bool FitsOutputs(PruneOptions::Method method) {
  return method == PruneOptions::Method::kReconstruct || method == PruneOptions::Method::kGradient;
}

Result<PruneOptions::Method> ParsePruneMethod(const std::string& text) {
  if (text == "magnitude") return PruneOptions::Method::kMagnitude;
  if (text == "activation") return PruneOptions::Method::kActivation;
  if (text == "reconstruct") return PruneOptions::Method::kReconstruct;
  if (text == "gradient") return PruneOptions::Method::kGradient;
  return UserError("method '{}' is not known; use reconstruct, gradient, activation or magnitude", text);
}

int64_t PruneReport::Pruned() const {
  return std::count_if(layers.begin(), layers.end(), [](const LayerReport& layer) { return layer.pattern != "dense"; });
}

LayerRecord ToRecord(const LayerReport& report) {
  LayerRecord record;
  record.name = report.name;
  record.pattern = report.pattern;
  record.reason = report.reason;
  record.saliency_kept = report.saliency_kept;
  record.output_error = report.output_error;
  return record;
}

Result<PruneReport> Prune(Graph& simplified, std::span<const NamedTensors> batches, const PruneOptions& options,
                          std::shared_ptr<ThreadPool> pool) {
  TAMIS_ASSIGN_OR_RETURN(Graph fused, FusedAtRest(simplified));
  return PruneFused(simplified, fused, batches, options, std::move(pool));
}

}  // namespace tamis
