// Samples as a user gives them to a verb, before the network's inputs are known, and what every verb does with them
// first.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/samples/data_source.h"
#include "src/compiler/verbs/verb_hooks.h"
#include "src/ir/graph.h"

namespace tamis {

struct SampleRequest {
  std::string path;           // of a folder or an archive; or
  NamedTensors tensors = {};  // by input, first dimension the samples; shared, not copied
  DataOptions options = {};   // of images
  int64_t samples = 0;        // at most, evenly spaced; 0: all

  Result<std::shared_ptr<const DataSource>> Open(std::span<const TensorSpec> inputs) const;
  std::string Text() const { return path.empty() ? "arrays in memory" : path; }
};

// Samples that were looked at (check_samples.h): none is unusable. What is odd about them goes to hooks.notice and
// `notices`.
struct CheckedSamples {
  std::shared_ptr<const DataSource> source;
  std::vector<NamedTensors> batches;
};
// Opens and reads them for a network (after SimplifyPasses); with `most` > 0 no more than so many are read.
Result<CheckedSamples> ReadChecked(const SampleRequest& request, const Graph& simplified, int threads, int64_t most,
                                   const VerbHooks& hooks, std::vector<std::string>* notices);

// To hooks.notice and `notices`.
void Tell(const std::string& sentence, const VerbHooks& hooks, std::vector<std::string>* notices);

}  // namespace tamis
