#include "src/compiler/verbs/sample_request.h"

#include <algorithm>

#include "src/compiler/calibrate/check_samples.h"
#include "src/runtime/specialize.h"

namespace tamis {

Result<std::shared_ptr<const DataSource>> SampleRequest::Open(std::span<const TensorSpec> inputs) const {
  if (samples < 0) return UserError("--samples is {}; it takes 0 (all) or more", samples);
  if (!path.empty()) return OpenDataSource(path, inputs, options);
  TAMIS_RETURN_IF_ERROR(RefuseForArrays(options, "the data are arrays"));
  return OpenTensors(tensors, inputs);
}

void Tell(const std::string& sentence, const VerbHooks& hooks, std::vector<std::string>* notices) {
  if (hooks.notice) hooks.notice(sentence);
  notices->push_back(sentence);
}

Result<CheckedSamples> ReadChecked(const SampleRequest& request, const Graph& simplified, int threads, int64_t most,
                                   const VerbHooks& hooks, std::vector<std::string>* notices) {
  CheckedSamples samples;
  TAMIS_ASSIGN_OR_RETURN(samples.source, request.Open(InputSpecs(simplified)));
  for (const std::string& remark : samples.source->remarks()) Tell(remark, hooks, notices);
  const int64_t limit = request.samples > 0 && most > 0 ? std::min(request.samples, most) : request.samples + most;
  TAMIS_ASSIGN_OR_RETURN(samples.batches, ReadBatches(*samples.source, AllSamples(*samples.source, limit), 32));
  TAMIS_ASSIGN_OR_RETURN(const auto odd, CheckSamples(simplified, samples.batches, {threads, hooks.cancelled}));
  for (const std::string& sentence : odd) Tell(sentence, hooks, notices);
  return samples;
}

}  // namespace tamis
