// Channel permutation: the dense network with its channels in another order, in which 2:4 keeps more of the weights. It
// computes what it computed before.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/base/json_writer.h"
#include "src/base/thread_pool.h"
#include "src/ir/graph.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

struct PermuteOptions {
  std::vector<std::string> keep = {};  // weights or nodes that stay dense, and don't vote
  uint64_t seed = 1;
  std::function<void(int done, int total, const std::string& what)> progress = {};
  std::function<bool()> cancelled = {};
};

// Channels that may change places with one another, and are read by weights that become 2:4. Classes of equal size that
// the same weights read are told as one.
struct PermutedClass {
  int64_t channels = 0, classes = 1;
  std::vector<std::string> layers;  // the weights that read them
  // Mean over the layers of the share of their saliency (squared weights times the inputs' second moments) that the two
  // best of every four hold.
  double kept_before = 0, kept_after = 0;
  int64_t moved = 0;   // classes
  std::string reason;  // why not all
};

struct FixedLayer {
  std::string name;    // of the weight
  std::string reason;  // why none of its input channels can change places
};

struct PermuteReport {
  std::vector<PermutedClass> classes;
  std::vector<FixedLayer> fixed;
  // Largest difference of the permuted network's outputs over their largest magnitude, and what rounding explains.
  double error = 0, bound = 0;
  double seconds = 0;  // of the search
  int64_t Moved() const;
  int64_t Classes() const;
};

// Moves the channels of `simplified` (after SimplifyPasses). Each class's order is searched for; then the network is
// run as it was and as it is on the first batch, and where outputs differ by more than rounding, classes are given
// back. Without batches every input counts the same, and nothing can be proven: an error (kUser).
Result<PermuteReport> PermuteChannels(Graph& simplified, std::span<const NamedTensors> batches,
                                      const PermuteOptions& options, std::shared_ptr<ThreadPool> pool);

// As fields of the object that is being written.
void WriteJson(const PermuteReport& report, JsonWriter* json);

}  // namespace tamis
