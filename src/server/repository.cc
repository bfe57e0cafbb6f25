#include "src/server/repository.h"

#include <fmt/format.h>

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

ModelVersion Load(const std::string& model, const std::string& version, const fs::path& file, const std::string& root,
                  const SessionLoader& load, const RecordLoader& records) {
  ModelVersion loaded{model, version, nullptr, "", nullptr};
  std::error_code error;
  if (!fs::exists(file, error)) {
    loaded.reason = "there is no file " + Relative(file.string(), root);
    return loaded;
  }
  auto session = load(file.string());
  if (session.ok()) {
    loaded.session = std::move(*session);
    auto drift = std::make_shared<InputDrift>(records ? records(file.string()) : std::vector<ValueRecord>());
    if (!drift->empty()) loaded.drift = std::move(drift);
  } else {
    loaded.reason = Relative(session.status().message(), root);
  }
  return loaded;
}

}  // namespace

Result<std::unique_ptr<Repository>> Repository::Open(const std::string& path, const SessionLoader& load,
                                                     const RecordLoader& records) {
  auto repository = std::make_unique<Repository>();
  std::error_code error;
  const fs::path root(path);
  const auto status = fs::status(root, error);
  if (status.type() == fs::file_type::not_found) return UserError("'{}' does not exist", path);
  if (error) return RuntimeError("'{}' cannot be opened: {}", path, error.message());
  if (!fs::is_directory(status)) {
    const std::string name = root.stem().string();
    const std::string folder = root.has_parent_path() ? (root.parent_path() / "").string() : "";
    ModelVersion model = Load(name, "1", root, folder.empty() ? path : folder, load, records);
    if (!model.ready()) return UserError("{}", model.reason);
    repository->models_[name].push_back(std::move(model));
    return repository;
  }
  const std::string prefix = (root / "").string();
  for (const std::string& model : Folders(root, &error)) {
    auto& versions = repository->models_[model];
    std::error_code unreadable;
    for (const std::string& version : Folders(root / model, &unreadable)) {
      if (!IsVersion(version)) continue;
      versions.push_back(Load(model, version, root / model / version / "model.tamis", prefix, load, records));
    }
    if (versions.empty()) {
      versions.push_back({model, "1", nullptr,
                          unreadable ? "its folder cannot be read: " + unreadable.message()
                                     : "it has no version: there is no file " + model + "/1/model.tamis",
                          nullptr});
    }
    std::sort(versions.begin(), versions.end(), LowerVersion);
  }
  if (error) return RuntimeError("'{}' cannot be read: {}", path, error.message());
  if (repository->models_.empty()) {
    return UserError("'{}' holds no model; a repository has <model>/<version>/model.tamis", path);
  }
  return repository;
}

const std::vector<ModelVersion>* Repository::Find(const std::string& model) const {
  const auto found = models_.find(model);
  return found == models_.end() ? nullptr : &found->second;
}

const ModelVersion* Repository::Find(const std::string& model, const std::string& version) const {
  const auto* versions = Find(model);
  if (versions == nullptr) return nullptr;
  if (version.empty()) return &versions->back();
  for (const ModelVersion& candidate : *versions) {
    if (candidate.version == version) return &candidate;
  }
  return nullptr;
}

std::vector<const ModelVersion*> Repository::All() const {
  std::vector<const ModelVersion*> all;
  for (const auto& [name, versions] : models_) {
    for (const ModelVersion& version : versions) all.push_back(&version);
  }
  return all;
}

bool Repository::Ready() const {
  return !models_.empty() &&
         std::all_of(models_.begin(), models_.end(), [](const auto& entry) { return entry.second.back().ready(); });
}

std::string Repository::DriftText() const {
  struct Row {
    std::string labels;
    InputDrift::Figure figure;
  };
  std::vector<Row> rows;
  bool watched = false;
  for (const ModelVersion* model : All()) {
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
