#include "src/server/repository.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "src/server/metrics.h"

namespace tamis {
namespace {

namespace fs = std::filesystem;

// "12", but not "012", "-1" or "latest".
bool IsVersion(const std::string& name) {
  return !name.empty() && name.size() <= 18 && name[0] != '0' &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool LowerVersion(const ModelVersion& a, const ModelVersion& b) {
  return a.version.size() != b.version.size() ? a.version.size() < b.version.size() : a.version < b.version;
}

// Clients read the reason, and where the repository lies is none of their business.
std::string Relative(std::string text, const std::string& root) {
  if (root.empty()) return text;
  for (size_t at = text.find(root); at != std::string::npos; at = text.find(root, at)) text.erase(at, root.size());
  return text;
}

// The names of the folders in `folder`, sorted; hidden ones left out.
std::vector<std::string> Folders(const fs::path& folder, std::error_code* error) {
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder, *error), end; !*error && it != end; it.increment(*error)) {
    std::error_code ignored;
    const std::string name = it->path().filename().string();
    if (name[0] != '.' && it->is_directory(ignored)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

FileIdentity IdentityOf(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_size, status.st_mtim.tv_sec * int64_t{1'000'000'000} + status.st_mtim.tv_nsec};
}

std::string PrefixOf(const fs::path& root, bool one_file) {
  if (!one_file) return (root / "").string();
  return root.has_parent_path() ? (root.parent_path() / "").string() : "";
}

const ModelVersion* FindVersion(const std::vector<ModelVersionPtr>& versions, const std::string& version) {
  for (const ModelVersionPtr& candidate : versions) {
    if (candidate->version == version) return candidate.get();
  }
  return nullptr;
}

}  // namespace

Repository::Repository(std::string path, bool one_file, SessionLoader load, RecordLoader records)
    : path_(std::move(path)),
      one_file_(one_file),
      prefix_(PrefixOf(path_, one_file)),
      load_(std::move(load)),
      records_(std::move(records)) {}

Result<std::unique_ptr<Repository>> Repository::Open(const std::string& path, const SessionLoader& load,
                                                     const RecordLoader& records) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return UserError("'{}' does not exist", path);
  if (error) return RuntimeError("'{}' cannot be opened: {}", path, error.message());
  const bool one_file = !fs::is_directory(status);
  std::unique_ptr<Repository> repository(new Repository(path, one_file, load, records));
  std::string problem;
  const std::vector<std::string> models = repository->ModelsOnDisk(&problem);
  if (!problem.empty()) return RuntimeError("{}", problem);
  if (models.empty()) return UserError("'{}' holds no model; a repository has <model>/<version>/model.tamis", path);
  repository->Refresh();
  if (one_file && !repository->Ready()) {
    return UserError("{}", repository->Find(models[0]).back()->reason);
  }
  return repository;
}

std::vector<std::string> Repository::ModelsOnDisk(std::string* problem) const {
  if (one_file_) return {fs::path(path_).stem().string()};
  std::error_code error;
  std::vector<std::string> models = Folders(path_, &error);
  if (error) *problem = fmt::format("'{}' cannot be read: {}", path_, error.message());
  return models;
}

ModelVersionPtr Repository::LoadVersion(const std::string& model, const std::string& version, const std::string& file,
                                        const FileIdentity& identity) {
  ModelVersion loaded{model, version, nullptr, "", nullptr, false, identity};
  if (identity == FileIdentity()) {
    loaded.reason = "there is no file " + Relative(file, prefix_);
  } else if (auto session = load_(file); session.ok()) {
    loaded.session = std::move(*session);
    auto drift = std::make_shared<InputDrift>(records_ ? records_(file) : std::vector<ValueRecord>());
    if (!drift->empty()) loaded.drift = std::move(drift);
  } else {
    loaded.reason = Relative(session.status().message(), prefix_);
  }
  return std::make_shared<ModelVersion>(std::move(loaded));
}

Repository::Versions Repository::VersionsOnDisk(const std::string& model, const Versions& current, bool again,
                                                Changes* changes, Changes* problems) {
  std::vector<std::pair<std::string, std::string>> files;  // by version
  std::error_code unreadable;
  if (one_file_) {
    files.emplace_back("1", path_);
  } else {
    const fs::path folder = fs::path(path_) / model;
    for (const std::string& version : Folders(folder, &unreadable)) {
      if (IsVersion(version)) files.emplace_back(version, (folder / version / "model.tamis").string());
    }
  }
  Versions versions;
  for (const auto& [version, file] : files) {
    const ModelVersion* before = FindVersion(current, version);
    const FileIdentity identity = IdentityOf(file);
    const bool known = before != nullptr && !before->unloaded && before->file == identity;
    if (known && (before->ready() || !again)) {
      versions.push_back(
          *std::find_if(current.begin(), current.end(), [&](const auto& v) { return v.get() == before; }));
      continue;
    }
    ModelVersionPtr loaded = LoadVersion(model, version, file, identity);
    const std::string name = model + " version " + version;
    if (loaded->ready()) {
      changes->push_back(name + (before != nullptr && before->ready() ? " is replaced" : " is ready"));
    } else {
      problems->push_back(name + " is not ready: " + loaded->reason);
      if (before != nullptr && before->ready()) {
        problems->back() = name + " stays as it was loaded before: " + loaded->reason;
        ModelVersion kept = *before;
        kept.file = identity;
        loaded = std::make_shared<ModelVersion>(std::move(kept));
      }
    }
    versions.push_back(std::move(loaded));
  }
  if (versions.empty()) {
    ModelVersion none{model, "1", nullptr,
                      unreadable ? "its folder cannot be read: " + unreadable.message()
                                 : "it has no version: there is no file " + model + "/1/model.tamis"};
    if (current.empty()) problems->push_back(model + " is not ready: " + none.reason);
    versions.push_back(std::make_shared<ModelVersion>(std::move(none)));
  }
  for (const ModelVersionPtr& before : current) {
    if (before->ready() && FindVersion(versions, before->version) == nullptr) {
      changes->push_back(model + " version " + before->version + " is let go of: its file is gone");
    }
  }
  std::sort(versions.begin(), versions.end(), [](const auto& a, const auto& b) { return LowerVersion(*a, *b); });
  return versions;
}

void Repository::Replace(const std::string& model, Versions versions) {
  {
    const std::unique_lock lock(mutex_);
    models_[model].swap(versions);
  }
  // What was there before goes here, outside the lock: freeing a network takes its time.
}

Repository::Changes Repository::Refresh() {
  const std::lock_guard one_change(loading_);
  Changes changes;
  std::string problem;
  const std::vector<std::string> models = ModelsOnDisk(&problem);
  // A repository that can't be read for now (a volume that is gone) is served as it was.
  if (!problem.empty()) return {problem};
  for (const std::string& model : models) {
    const Versions current = Find(model);
    if (!current.empty() && current.back()->unloaded) continue;
    Versions versions = VersionsOnDisk(model, current, false, &changes, &changes);
    if (versions != current) Replace(model, std::move(versions));
  }
  std::vector<Versions> gone;  // freed outside the lock
  const std::unique_lock lock(mutex_);
  for (auto it = models_.begin(); it != models_.end();) {
    if (std::find(models.begin(), models.end(), it->first) != models.end()) {
      ++it;
      continue;
    }
    changes.push_back(it->first + " is let go of: its folder is gone");
    gone.push_back(std::move(it->second));
    it = models_.erase(it);
  }
  return changes;
}

Status Repository::Load(const std::string& model) {
  const std::lock_guard one_change(loading_);
  std::string problem;
  const std::vector<std::string> models = ModelsOnDisk(&problem);
  if (!problem.empty()) return RuntimeError("{}", Relative(problem, path_));
  if (std::find(models.begin(), models.end(), model) == models.end()) {
    return UserError("failed to load '{}': the repository has no such model", model.substr(0, 128));
  }
  Changes changes, problems;
  Replace(model, VersionsOnDisk(model, Find(model), true, &changes, &problems));
  if (problems.empty()) return {};
  return UserError("failed to load '{}': {}", model, fmt::join(problems, "; "));
}

Status Repository::Unload(const std::string& model) {
  const std::lock_guard one_change(loading_);
  Versions versions;
  for (const ModelVersionPtr& version : Find(model)) {
    ModelVersion unloaded{version->model, version->version, nullptr, "it was unloaded"};
    unloaded.unloaded = true;
    versions.push_back(std::make_shared<ModelVersion>(std::move(unloaded)));
  }
  if (versions.empty()) return UserError("failed to unload '{}': there is no such model", model.substr(0, 128));
  Replace(model, std::move(versions));
  return {};
}

std::vector<ModelVersionPtr> Repository::Find(const std::string& model) const {
  const std::shared_lock lock(mutex_);
  const auto found = models_.find(model);
  return found == models_.end() ? Versions() : found->second;
}

ModelVersionPtr Repository::Find(const std::string& model, const std::string& version) const {
  const std::shared_lock lock(mutex_);
  const auto found = models_.find(model);
  if (found == models_.end()) return nullptr;
  const Versions& versions = found->second;
  const auto wanted = std::find_if(versions.rbegin(), versions.rend(), [&](const ModelVersionPtr& candidate) {
    return version.empty() ? candidate->ready() : candidate->version == version;
  });
  if (wanted != versions.rend()) return *wanted;
  return version.empty() ? versions.back() : nullptr;
}

std::vector<ModelVersionPtr> Repository::All() const {
  const std::shared_lock lock(mutex_);
  std::vector<ModelVersionPtr> all;
  for (const auto& [name, versions] : models_) all.insert(all.end(), versions.begin(), versions.end());
  return all;
}

bool Repository::Ready() const {
  const std::shared_lock lock(mutex_);
  bool any = false;
  for (const auto& [name, versions] : models_) {
    const bool ready = std::any_of(versions.begin(), versions.end(), [](const auto& v) { return v->ready(); });
    if (!ready && !versions.back()->unloaded) return false;
    any = any || ready;
  }
  return any;
}

std::string Repository::DriftText() const {
  struct Row {
    std::string labels;
    InputDrift::Figure figure;
  };
  std::vector<Row> rows;
  bool watched = false;
  for (const ModelVersionPtr& model : All()) {
    if (model->drift == nullptr) continue;
    watched = true;
    for (InputDrift::Figure& figure : model->drift->Figures()) {
      rows.push_back({fmt::format("model=\"{}\",version=\"{}\",input=\"{}\"", PrometheusLabel(model->model),
                                  PrometheusLabel(model->version), PrometheusLabel(figure.input)),
                      figure});
    }
  }
  std::string text;
  const auto gauge = [&](const char* name, const char* help, auto get) {
    text += PrometheusHead(name, "gauge", help);
    for (const Row& row : rows) text += fmt::format("{}{{{}}} {}\n", name, row.labels, get(row.figure));
  };
  if (!watched) return text;
  gauge("tamis_input_drift_bits", "Jensen-Shannon divergence of live inputs from the calibration samples, 0 to 1.",
        [](const InputDrift::Figure& f) { return f.divergence; });
  gauge("tamis_input_outside_ratio", "Share of live input elements outside the calibrated range.",
        [](const InputDrift::Figure& f) { return f.outside; });
  gauge("tamis_input_drift_samples", "Samples that the two figures are from.",
        [](const InputDrift::Figure& f) { return f.samples; });
  return text;
}

}  // namespace tamis
