// The models that a server offers: all loaded when the repository is opened, unchanged afterwards, so reading needs no
// lock.
//
// A path is one engine file, offered as version "1" of a model named by its stem, or a folder
//   <model>/<version>/model.tamis
// with versions 1, 2, ... A request without a version gets the highest. A model that cannot be loaded keeps its place
// with the reason, and the others are served.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/engine/value_record.h"
#include "src/server/drift.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

struct ModelVersion {
  std::string model;
  std::string version;
  std::shared_ptr<Session> session;             // null: not ready, and `reason` says why
  std::string reason;                           // names files relative to the repository
  std::shared_ptr<InputDrift> drift = nullptr;  // of its live inputs; null: it remembers no samples

  bool ready() const { return session != nullptr; }
};

using SessionLoader = std::function<Result<std::shared_ptr<Session>>(const std::string& engine_path)>;
// What the engine remembers of its samples.
using RecordLoader = std::function<std::vector<ValueRecord>(const std::string& engine_path)>;

class Repository {
 public:
  // Fails if there is nothing at `path` that could be a model; not if some or all of them are broken.
  // Without `records` no inputs are watched.
  static Result<std::unique_ptr<Repository>> Open(const std::string& path, const SessionLoader& load,
                                                  const RecordLoader& records = {});

  // Versions from lowest to highest; nullptr if the model is unknown. Never empty.
  const std::vector<ModelVersion>* Find(const std::string& model) const;
  // nullptr if unknown. version "": the highest.
  const ModelVersion* Find(const std::string& model, const std::string& version) const;
  // By name, then version.
  std::vector<const ModelVersion*> All() const;
  // Whether every model is ready in the version that is served by default.
  bool Ready() const;
  // Figures of live inputs against what the engines remember, as Prometheus text; empty if none is watched.
  std::string DriftText() const;

 private:
  std::map<std::string, std::vector<ModelVersion>> models_;
};

}  // namespace tamis
