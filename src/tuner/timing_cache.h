// Measured times, kept from one run of the program to the next, and shared between machines that are alike.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "src/tuner/time_kernels.h"

namespace tamis {

// All kernels of one problem on one device, timed interleaved in one go.
struct TimingEntry {
  std::string device;   // CpuInfo::Fingerprint(); empty in files of older versions
  std::string problem;  // for people: "Linear f32[128,768] f32[3072,768], 2 threads"
  int attempts = 1;     // how often it was timed because it was noisy; the calmest attempt is kept
  std::map<std::string, TimedKernel> kernels;

  // The largest spread among the kernels that were timed, and the fewest samples.
  double Spread() const;
  int64_t Samples() const;
  // Worth timing again: too noisy, and not yet tried often enough.
  bool Noisy() const { return Spread() > kNoisySpread && attempts < kMaxAttempts; }

  static constexpr double kNoisySpread = 0.25;
  static constexpr int kMaxAttempts = 3;
};

// A text file: a first line "tamis-timings 2", then lines of the tab-separated fields KEY KERNEL SECONDS SPREAD SAMPLES
// ATTEMPTS DEVICE PROBLEM REASON REVISION. The key is device and problem, hashed; the revision is KernelRevision, in
// hexadecimal. Lines that can't be read are skipped, those of older versions but for their first four fields KEY KERNEL
// SECONDS REASON, and those of kernels whose code has changed since: other kernels' times stay. Not synchronised; two
// processes may save to one file, each keeps what the other added.
class TimingCache {
 public:
  // Empty path: in memory only. A file that does not exist is an empty cache.
  explicit TimingCache(std::string path);
  // The same for a file that must be there and must be a timing cache (kUser).
  static Result<TimingCache> Open(const std::string& path);
  // "$XDG_CACHE_HOME/tamis/timings-VERSION.tsv", else under $HOME/.cache; empty if neither is set.
  static std::string DefaultPath();

  // `device`: what the times depend on beside the problem; empty: this machine's CPU.
  static std::string Key(const Problem& problem, const std::string& device = {});
  // Only if every kernel of the list has a line and, unless noise is accepted, the entry is not noisy.
  std::optional<std::vector<TimedKernel>> Find(const std::string& key, const std::vector<std::string>& kernels,
                                               bool accept_noise = false) const;
  // A noisy entry that is timed again keeps the calmer of the two.
  void Add(const std::string& key, const Problem& problem, const std::vector<TimedKernel>& results,
           const std::string& device = {});
  // Takes over another cache's entries; of one that both have, the less noisy, then the one of more samples. Returns
  // how many entries changed.
  size_t Merge(const TimingCache& other);
  // Drops what `unwanted` says; returns how many kernels' times went.
  size_t Prune(const std::function<bool(const TimingEntry&, const TimedKernel&)>& unwanted);
  // The file appears whole. Save keeps what other processes added since it was read, Rewrite does not.
  Status Save();
  Status Rewrite();

  const std::map<std::string, TimingEntry>& entries() const { return entries_; }
  const std::string& path() const { return path_; }

 private:
  // Returns how many lines were read.
  size_t ReadFile();
  Status Write();
  std::string path_;
  bool changed_ = false;
  std::map<std::string, TimingEntry> entries_;
};

}  // namespace tamis
