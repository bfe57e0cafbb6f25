// The models that a server offers.
//
// A path is one engine file, offered as version "1" of a model named by its stem, or a folder
//   <model>/<version>/model.tamis
// with versions 1, 2, ... A request without a version gets the highest that is ready. A version that cannot be loaded
// keeps its place with the reason, and the others are served.
//
// What is offered may change while it is served: new versions are loaded beside the old ones, then take their place at
// once, and requests that hold an old one finish on it. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "src/engine/value_record.h"
#include "src/server/drift.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

// Tells whether a file was written anew or replaced.
struct FileIdentity {
  uint64_t inode = 0;
  int64_t bytes = -1, written_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};

struct ModelVersion {
  std::string model;
  std::string version;
  std::shared_ptr<Session> session;             // null: not ready, and `reason` says why
  std::string reason;                           // names files relative to the repository
  std::shared_ptr<InputDrift> drift = nullptr;  // of its live inputs; null: it remembers no samples
  bool unloaded = false;                        // somebody wanted it so
  FileIdentity file = {};                       // that was loaded, or could not be

  bool ready() const { return session != nullptr; }
};
using ModelVersionPtr = std::shared_ptr<const ModelVersion>;

using SessionLoader = std::function<Result<std::shared_ptr<Session>>(const std::string& engine_path)>;
// What the engine remembers of its samples. Called after the SessionLoader, on the same thread.
using RecordLoader = std::function<std::vector<ValueRecord>(const std::string& engine_path)>;

class Repository {
 public:
  // Fails if there is nothing at `path` that could be a model; not if some or all of them are broken.
  // Without `records` no inputs are watched. The loaders are called by one thread at a time.
  static Result<std::unique_ptr<Repository>> Open(const std::string& path, const SessionLoader& load,
                                                  const RecordLoader& records = {});

  // Versions from lowest to highest; none if the model is unknown.
  std::vector<ModelVersionPtr> Find(const std::string& model) const;
  // nullptr if unknown. version "": the highest that is ready; if none is, the highest.
  ModelVersionPtr Find(const std::string& model, const std::string& version) const;
  // By name, then version.
  std::vector<ModelVersionPtr> All() const;
  // Whether every model has a version that is ready, those that were unloaded apart, and there is one.
  bool Ready() const;
  // Figures of live inputs against what the engines remember, as Prometheus text; empty if none is watched.
  std::string DriftText() const;

  // What changed, a sentence each.
  using Changes = std::vector<std::string>;
  // Loads versions that are new or whose file has changed, and lets go of those whose file is gone. A changed file that
  // can't be loaded leaves what was loaded before. Models that were unloaded stay so.
  Changes Refresh();
  // The same for one model, unloaded or not; versions that could not be loaded are tried again. Error if any can't be.
  Status Load(const std::string& model);
  // Its versions stay listed as unloaded.
  Status Unload(const std::string& model);

 private:
  using Versions = std::vector<ModelVersionPtr>;
  Repository(std::string path, bool one_file, SessionLoader load, RecordLoader records);

  std::vector<std::string> ModelsOnDisk(std::string* problem) const;
  Versions VersionsOnDisk(const std::string& model, const Versions& current, bool again, Changes* changes,
                          Changes* problems);
  ModelVersionPtr LoadVersion(const std::string& model, const std::string& version, const std::string& file,
                              const FileIdentity& identity);
  void Replace(const std::string& model, Versions versions);

  const std::string path_;  // as given
  const bool one_file_;
  const std::string prefix_;  // of files, which clients are not shown
  const SessionLoader load_;
  const RecordLoader records_;
  std::mutex loading_;  // one change at a time
  mutable std::shared_mutex mutex_;
  std::map<std::string, Versions> models_;
};

}  // namespace tamis
