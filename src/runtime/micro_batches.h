// Micro-batches: the first layers of a network, up to some of its values, run for a few entries of the batch after one
// another, and the rest for all of them at once. What lies between the first layers is then small enough to stay in the
// caches, and the weights of the last ones, which are large, are still read once a batch.
//
//   MicroBatches x, others...   ->   results...
//
// The region "layers" holds the layers for one part; the attribute parts says how many there are, cut_inputs is 1 for
// each input of which a part is read (axis 0 in equal runs) and 0 for those that every part reads as a whole. All
// results are cut.
//
// No file holds such nodes: the plan of an engine says what was measured to be faster, and a program that runs by this
// plan forms them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

inline constexpr std::string_view kMicroBatches = "MicroBatches";

struct MicroBatchSpec {
  int64_t entries = 0;               // of the batch that run together; 0: none
  std::vector<std::string> results;  // the names of the values at which the whole batch goes on
};

// Where the first layers may end when `entries` of the batch run together, earliest first: each cut names the values
// that the rest reads, or that are outputs. None where the batch (axis 0 of the first input) is no multiple of
// `entries` or not larger. `concrete` as Specialize makes it.
struct MicroBatchCut {
  MicroBatchSpec spec;
  std::vector<std::string> layers;  // the first results of the nodes before it
};
std::vector<MicroBatchCut> MicroBatchCuts(const Graph& concrete, int64_t entries);

// The layers before the last of those cuts for one part, as a network of its own: what they read is its inputs, the
// values at the cut its outputs. Nothing where there is no cut, or they read
// integers that the network computes: whoever runs a part alone could not make those up. Constants are shared with
// `concrete`.
std::optional<Graph> PartOfNetwork(const Graph& concrete, int64_t entries);

// How many parts of `entries` the batch has; 1 if it can't be cut.
int64_t PartsOfBatch(const Graph& concrete, int64_t entries);

// As many entries of the batch as are enough to share out among the threads, and no more, of which the batch is a
// multiple; 0 if it has no more than that.
int64_t EntriesTogether(const Graph& concrete, int threads);

// Puts a node MicroBatches in the place of the layers that the results follow from. False, and the graph is as it was,
// if the values are not there or may depend on more than their own entries.
bool FormMicroBatches(Graph& concrete, const MicroBatchSpec& spec);

}  // namespace tamis
