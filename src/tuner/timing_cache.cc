#include "src/tuner/timing_cache.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/base/hash.h"
#include "src/base/version.h"
#include "src/tuner/problem_text.h"

namespace tamis {

TimingCache::TimingCache(std::string path) : path_(std::move(path)) {
  ReadFile();
}

std::string TimingCache::DefaultPath() {
  std::string base;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    base = cache;
  } else if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    base = std::string(home) + "/.cache";
  } else {
    return {};
  }
  return base + "/tamis/timings-" + std::string(kVersion) + ".tsv";
}

std::string TimingCache::Key(const Problem& problem) {
  const std::string text = Cpu().Fingerprint() + "|" + ProblemToText(problem);
  return HexString(Hash64(text)) + HexString(Hash64(text, 1));
}

void TimingCache::ReadFile() {
  if (path_.empty()) return;
  std::ifstream file(path_);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string key, kernel, seconds, reason;
    if (!std::getline(fields, key, '\t') || !std::getline(fields, kernel, '\t') ||
        !std::getline(fields, seconds, '\t')) {
      continue;
    }
    std::getline(fields, reason);
    char* end = nullptr;
    const double value = std::strtod(seconds.c_str(), &end);
    if (end == seconds.c_str() || !(value >= 0)) continue;
    entries_[key].try_emplace(kernel, TimedKernel{kernel, value, reason});
  }
}

std::optional<std::vector<TimedKernel>> TimingCache::Find(const std::string& key,
                                                          const std::vector<std::string>& kernels) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  std::vector<TimedKernel> results;
  for (const std::string& kernel : kernels) {
    const auto timed = found->second.find(kernel);
    if (timed == found->second.end()) return std::nullopt;
    results.push_back(timed->second);
  }
  return results;
}

void TimingCache::Add(const std::string& key, const std::vector<TimedKernel>& results) {
  for (const TimedKernel& result : results) entries_[key][result.kernel] = result;
  changed_ = true;
}

Status TimingCache::Save() {
  if (path_.empty() || !changed_) return {};
  ReadFile();
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), error);
  const std::string temporary = path_ + ".tmp-" + std::to_string(getpid());
  {
    std::ofstream file(temporary);
    for (const auto& [key, kernels] : entries_) {
      for (const auto& [name, timed] : kernels) {
        file << fmt::format("{}\t{}\t{:.9g}\t{}\n", key, name, timed.seconds, timed.reason);
      }
    }
    file.flush();
    if (!file) {
      std::filesystem::remove(temporary, error);
      return RuntimeError("can't write the timing cache '{}': {}", path_, std::strerror(errno));
    }
  }
  std::filesystem::rename(temporary, path_, error);
  if (error) return RuntimeError("can't write the timing cache '{}': {}", path_, error.message());
  changed_ = false;
  return {};
}

}  // namespace tamis
