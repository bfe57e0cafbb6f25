// Measured times, kept from one run of the program to the next.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "src/tuner/time_kernels.h"

namespace tamis {

// A text file of lines "KEY \t KERNEL \t SECONDS \t REASON"; the key is the device fingerprint, the tamis version and
// the problem, hashed. A line that can't be read is skipped. Not synchronised.
class TimingCache {
 public:
  // Empty path: in memory only. A file that does not exist is an empty cache.
  explicit TimingCache(std::string path);
  // "$XDG_CACHE_HOME/tamis/timings-VERSION.tsv", else under $HOME/.cache; empty if neither is set.
  static std::string DefaultPath();

  static std::string Key(const Problem& problem);
  // Only if every kernel of the list has a line.
  std::optional<std::vector<TimedKernel>> Find(const std::string& key, const std::vector<std::string>& kernels) const;
  void Add(const std::string& key, const std::vector<TimedKernel>& results);
  // Writes to a temporary name and renames; keeps what other processes added since it was read.
  Status Save();

 private:
  void ReadFile();
  std::string path_;
  bool changed_ = false;
  std::map<std::string, std::map<std::string, TimedKernel>> entries_;
};

}  // namespace tamis
