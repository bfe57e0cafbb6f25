// What single changed layers cost at a network's outputs, kept from one run to the next.
//
// A measurement is known by the network's hash, the samples it was taken on, and the contents of every constant of the
// network with the layer changed. So no option and no other way of fitting weights can make it stale: whatever leads to
// other weights, scales or codes leads to another key.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "src/ir/graph.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

struct OutputChange {
  double cosine_loss = 0;  // mean of 1 - cosine, of the worst output
  double divergence = 0;   // mean Kullback-Leibler divergence of class scores, in nats; 0 where there are none
};

// A text file "sensitivity-VERSION.tsv" beside the timing cache: a first line, then tab-separated KEY COSINE_LOSS
// DIVERGENCE NETWORK CHANGE, the last two for people. Lines that can't be read are skipped. Not synchronised; two
// processes may save to one file, each keeps what the other added.
class SensitivityCache {
 public:
  // Empty path: in memory only. A file that does not exist is an empty cache.
  explicit SensitivityCache(std::string path);
  // Beside the timing cache at `timing_cache`; empty if that is.
  static std::string PathBeside(const std::string& timing_cache);

  // `samples`: SamplesHash of what the outputs were compared on. `what`: the layer and what it is, for changes that no
  // constant shows (bf16).
  static std::string Key(const std::string& network_hash, uint64_t samples, const std::string& what,
                         const Graph& changed);
  static uint64_t SamplesHash(std::span<const NamedTensors> batches);

  std::optional<OutputChange> Find(const std::string& key) const;
  void Add(const std::string& key, const OutputChange& change, const std::string& network, const std::string& what);
  Status Save();
  const std::string& path() const { return path_; }

 private:
  struct Entry {
    OutputChange change;
    std::string network, what;
  };
  void ReadFile();

  std::string path_;
  bool changed_ = false;
  std::map<std::string, Entry> entries_;
};

}  // namespace tamis
