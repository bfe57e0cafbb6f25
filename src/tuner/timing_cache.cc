#include "src/tuner/timing_cache.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "src/base/atomic_file.h"
#include "src/base/cache_folder.h"
#include "src/base/file_lock.h"
#include "src/base/hash.h"
#include "src/base/tab_fields.h"
#include "src/base/version.h"
#include "src/kernels/kernel_revision.h"
#include "src/tuner/problem_text.h"

namespace tamis {
namespace {

constexpr std::string_view kFirstLine = "tamis-timings 2";

std::string RevisionText(const std::string& kernel) {
  const uint64_t revision = KernelRevision(kernel);
  return revision == 0 ? std::string() : HexString(revision);
}

std::string Describe(const Problem& problem) {
  std::string text = problem.node->op;
  for (const Operand& input : problem.inputs) {
    if (input.Present()) text += fmt::format(" {}{}", Name(input.dtype), ToString(input.dims));
    if (input.pattern != Pattern::kDense) text += fmt::format(" {}", Name(input.pattern));
  }
  return text + fmt::format(", {} threads", problem.threads);
}

// Whether `a` says more than `b` of the same problem.
bool Better(const TimingEntry& a, const TimingEntry& b) {
  if (a.Spread() != b.Spread()) return a.Spread() < b.Spread();
  return a.Samples() > b.Samples();
}

}  // namespace

double TimingEntry::Spread() const {
  double spread = 0;
  for (const auto& [name, timed] : kernels) {
    if (timed.seconds > 0) spread = std::max(spread, timed.spread);
  }
  return spread;
}

int64_t TimingEntry::Samples() const {
  int64_t samples = 0;
  for (const auto& [name, timed] : kernels) {
    if (timed.seconds > 0) samples = samples == 0 ? timed.samples : std::min(samples, timed.samples);
  }
  return samples;
}

TimingCache::TimingCache(std::string path) : path_(std::move(path)) {
  ReadFile();
}

Result<TimingCache> TimingCache::Open(const std::string& path) {
  std::ifstream file(path);
  if (!file) return UserError("can't open the timing cache '{}': {}", path, std::strerror(errno));
  std::string first;
  const bool empty = !std::getline(file, first) && first.empty();
  if (file.bad()) return UserError("'{}' can't be read; a timing cache is a file", path);  // a folder, say
  TimingCache cache("");
  cache.path_ = path;
  if (cache.ReadFile() == 0 && !empty && first != kFirstLine) return UserError("'{}' is not a timing cache", path);
  return cache;
}

std::string TimingCache::DefaultPath() {
  const std::string folder = CacheFolder();
  return folder.empty() ? folder : folder + "/timings-" + std::string(kVersion) + ".tsv";
}

std::string TimingCache::Key(const Problem& problem, const std::string& device) {
  const std::string text = (device.empty() ? Cpu().Fingerprint() : device) + "|" + ProblemToText(problem);
  return HexString(Hash64(text)) + HexString(Hash64(text, 1));
}

size_t TimingCache::ReadFile() {
  if (path_.empty()) return 0;
  std::ifstream file(path_);
  std::string line;
  bool second = false;
  size_t read = 0;
  std::map<std::string, TimingEntry> entries;
  while (std::getline(file, line)) {
    if (line == kFirstLine) {
      second = true;
      continue;
    }
    const std::vector<std::string> fields = TabFields(line);
    if (fields.size() < (second ? 9 : 3)) continue;
    TimedKernel timed;
    timed.kernel = fields[1];
    if (!ReadNumber(fields[2], &timed.seconds)) continue;
    constexpr size_t kRevision = 9;
    if (RevisionText(timed.kernel) != (fields.size() > kRevision ? fields[kRevision] : std::string())) {
      ++read;
      continue;
    }
    TimingEntry& entry = entries[fields[0]];
    if (second) {
      if (!ReadNumber(fields[3], &timed.spread) || !ReadNumber(fields[4], &timed.samples) ||
          !ReadNumber(fields[5], &entry.attempts)) {
        continue;
      }
      entry.device = fields[6];
      entry.problem = fields[7];
      timed.reason = fields[8];
    } else if (fields.size() > 3) {
      timed.reason = fields[3];
    }
    entry.kernels.try_emplace(timed.kernel, std::move(timed));
    ++read;
  }
  for (auto& [key, entry] : entries) {
    if (entry.kernels.empty()) continue;
    const auto [it, added] = entries_.try_emplace(key, entry);
    if (added) continue;
    for (auto& [name, timed] : entry.kernels) it->second.kernels.try_emplace(name, timed);
  }
  return read;
}

std::optional<std::vector<TimedKernel>> TimingCache::Find(const std::string& key,
                                                          const std::vector<std::string>& kernels,
                                                          bool accept_noise) const {
  const auto found = entries_.find(key);
  if (found == entries_.end() || (!accept_noise && found->second.Noisy())) return std::nullopt;
  std::vector<TimedKernel> results;
  for (const std::string& kernel : kernels) {
    const auto timed = found->second.kernels.find(kernel);
    if (timed == found->second.kernels.end()) return std::nullopt;
    results.push_back(timed->second);
  }
  return results;
}

void TimingCache::Add(const std::string& key, const Problem& problem, const std::vector<TimedKernel>& results,
                      const std::string& device) {
  changed_ = true;
  TimingEntry fresh;
  fresh.device = device.empty() ? Cpu().Fingerprint() : device;
  fresh.problem = Describe(problem);
  for (const TimedKernel& result : results) fresh.kernels[result.kernel] = result;
  TimingEntry& known = entries_[key];
  const bool same_kernels = known.kernels.size() == fresh.kernels.size() &&
                            std::equal(known.kernels.begin(), known.kernels.end(), fresh.kernels.begin(),
                                       [](const auto& a, const auto& b) { return a.first == b.first; });
  if (same_kernels) {
    const int attempts = known.attempts + 1;
    if (Better(fresh, known)) known = std::move(fresh);
    known.attempts = attempts;
    return;
  }
  // Times of kernels that are no candidates any more stay, and may be noisy for ever: these attempts count too.
  if (!known.kernels.empty()) fresh.attempts = known.attempts + 1;
  for (auto& [name, timed] : known.kernels) fresh.kernels.try_emplace(name, timed);
  known = std::move(fresh);
}

size_t TimingCache::Merge(const TimingCache& other) {
  size_t changed = 0;
  for (const auto& [key, entry] : other.entries_) {
    const auto [it, added] = entries_.try_emplace(key, entry);
    if (added) {
      ++changed;
      continue;
    }
    TimingEntry& mine = it->second;
    const size_t before = mine.kernels.size();
    if (Better(entry, mine)) {
      auto kernels = std::move(mine.kernels);
      mine = entry;
      for (auto& [name, timed] : kernels) mine.kernels.try_emplace(name, std::move(timed));
      ++changed;
    } else {
      for (const auto& [name, timed] : entry.kernels) mine.kernels.try_emplace(name, timed);
      changed += mine.kernels.size() != before ? 1 : 0;
    }
  }
  changed_ = changed_ || changed > 0;
  return changed;
}

size_t TimingCache::Prune(const std::function<bool(const TimingEntry&, const TimedKernel&)>& unwanted) {
  size_t gone = 0;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const TimingEntry whole = it->second;
    gone += std::erase_if(it->second.kernels, [&](const auto& named) { return unwanted(whole, named.second); });
    it = it->second.kernels.empty() ? entries_.erase(it) : std::next(it);
  }
  changed_ = changed_ || gone > 0;
  return gone;
}

Status TimingCache::Save() {
  if (path_.empty() || !changed_) return {};
  TAMIS_RETURN_IF_ERROR(MakeFolderOf(path_).WithContext("the timing cache"));
  const FileLock lock(path_ + ".lock");
  ReadFile();
  return Write();
}

Status TimingCache::Rewrite() {
  const FileLock lock(path_ + ".lock");
  return Write();
}

Status TimingCache::Write() {
  std::string text = std::string(kFirstLine) + "\n";
  for (const auto& [key, entry] : entries_) {
    for (const auto& [name, timed] : entry.kernels) {
      text += fmt::format("{}\t{}\t{:.9g}\t{:.4g}\t{}\t{}\t{}\t{}\t{}\t{}\n", key, name, timed.seconds, timed.spread,
                          timed.samples, entry.attempts, OneField(entry.device), OneField(entry.problem),
                          OneField(timed.reason), RevisionText(name));
    }
  }
  TAMIS_RETURN_IF_ERROR(AtomicFile::WriteWhole(path_, text).WithContext("the timing cache"));
  changed_ = false;
  return {};
}

}  // namespace tamis
