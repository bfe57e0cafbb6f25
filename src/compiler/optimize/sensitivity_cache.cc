#include "src/compiler/optimize/sensitivity_cache.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "src/base/atomic_file.h"
#include "src/base/cache_folder.h"
#include "src/base/file_lock.h"
#include "src/base/hash.h"
#include "src/base/tab_fields.h"
#include "src/base/tensor_store.h"
#include "src/base/version.h"

namespace tamis {
namespace {

constexpr std::string_view kFirstLine = "tamis-sensitivity 1";

}  // namespace

SensitivityCache::SensitivityCache(std::string path) : path_(std::move(path)) {
  ReadFile();
}

std::string SensitivityCache::PathBeside(const std::string& timing_cache) {
  if (timing_cache.empty()) return {};
  const std::filesystem::path folder = std::filesystem::path(timing_cache).parent_path();
  return (folder / ("sensitivity-" + std::string(kVersion) + ".tsv")).string();
}

uint64_t SensitivityCache::SamplesHash(std::span<const NamedTensors> batches) {
  uint64_t hash = 0;
  for (const NamedTensors& batch : batches) {
    for (const auto& [name, tensor] : batch) hash = Hash64(name, HashTensor(tensor) ^ (hash * 31));
    TensorStore::Rest(batch);
  }
  return hash;
}

std::string SensitivityCache::Key(const std::string& network_hash, uint64_t samples, const std::string& what,
                                  const Graph& changed) {
  const std::string name = network_hash + "\n" + what;
  uint64_t first = Hash64(name, samples), second = Hash64(name, samples + 1);
  for (size_t i = 0; i < changed.NumValues(); ++i) {
    const Value& value = changed.value(static_cast<ValueId>(i));
    if (!value.constant) continue;
    const uint64_t of_value = HashTensor(*value.constant);
    first = Hash64(value.name, of_value ^ (first * 31));
    second = Hash64(value.name, of_value + second * 37);
  }
  return HexString(first) + HexString(second);
}

std::optional<OutputChange> SensitivityCache::Find(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? std::nullopt : std::optional(found->second.change);
}

void SensitivityCache::Add(const std::string& key, const OutputChange& change, const std::string& network,
                           const std::string& what) {
  entries_[key] = {change, OneField(network), OneField(what)};
  changed_ = true;
}

void SensitivityCache::ReadFile() {
  if (path_.empty()) return;
  std::ifstream file(path_);
  std::string line;
  if (!std::getline(file, line) || line != kFirstLine) return;
  while (std::getline(file, line)) {
    const std::vector<std::string> fields = TabFields(line);
    OutputChange change;
    if (fields.size() != 5 || !ReadNumber(fields[1], &change.cosine_loss) ||
        !ReadNumber(fields[2], &change.divergence)) {
      continue;
    }
    entries_.try_emplace(fields[0], Entry{change, fields[3], fields[4]});
  }
}

Status SensitivityCache::Save() {
  if (path_.empty() || !changed_) return {};
  TAMIS_RETURN_IF_ERROR(MakeFolderOf(path_).WithContext("the cache of sensitivities"));
  const FileLock lock(path_ + ".lock");
  ReadFile();
  std::string text = std::string(kFirstLine) + "\n";
  for (const auto& [key, entry] : entries_) {
    text += fmt::format("{}\t{:.9g}\t{:.9g}\t{}\t{}\n", key, entry.change.cosine_loss, entry.change.divergence,
                        entry.network, entry.what);
  }
  TAMIS_RETURN_IF_ERROR(AtomicFile::WriteWhole(path_, text).WithContext("the cache of sensitivities"));
  changed_ = false;
  return {};
}

}  // namespace tamis
