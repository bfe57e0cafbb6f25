#include "src/compiler/verbs/model_source.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "src/ir/constant_store.h"
#include "src/runtime/engine_session.h"
#include "src/tuner/timing_cache.h"

namespace tamis {

bool LooksLikeEngine(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;  // a pipe could be waited for without end
  std::ifstream file(path, std::ios::binary);
  char magic[5] = {};
  return file.read(magic, 5) && std::memcmp(magic, "TAMIS", 5) == 0;
}

bool ModelSource::IsEngine() const {
  return engine != nullptr || (!InMemory() && LooksLikeEngine(path));
}

std::string ModelSource::Text() const {
  if (!path.empty()) return path;
  return engine != nullptr ? "engine of " + engine->provenance.source_file : "model in memory";
}

Result<Network> ModelSource::Load(const PassOptions& options) const {
  if (InMemory()) return LoadNetworkBytes(bytes.data(), bytes.size(), folder, options);
  return LooksLikeEngine(path) ? NetworkFromEngine(path) : LoadNetwork(path, options);
}

Result<Network> ModelSource::LoadOnnx(std::string_view verb) const {
  if (IsEngine()) return UserError("{} takes an ONNX model, and '{}' is an engine", verb, Text());
  TAMIS_ASSIGN_OR_RETURN(Network network, Load());
  ConstantStore().Keep(network.graph);  // such verbs hold it in several forms
  return network;
}

Result<OpenedModel> OpenModel(const ModelSource& source, const BuildOptions& options, SessionOptions session_options) {
  OpenedModel model;
  model.path = source.Text();
  if (!source.path.empty() && access(source.path.c_str(), R_OK) != 0) {
    return UserError("can't open '{}': {}", source.path, std::strerror(errno));
  }
  session_options.threads = options.threads;
  session_options.device = options.device;
  if (source.engine != nullptr) {
    model.engine = source.engine;
    TAMIS_ASSIGN_OR_RETURN(model.session, Session::Create(model.engine, session_options));
  } else if (source.IsEngine()) {
    TAMIS_ASSIGN_OR_RETURN(const EngineFile file, ReadEngine(source.path, ReadMode::kMap));
    TAMIS_RETURN_IF_ERROR(file.weights->Verify());
    model.engine = file.engine;
    TAMIS_ASSIGN_OR_RETURN(model.session, OpenSession(file, source.path, session_options));
  } else {
    TAMIS_ASSIGN_OR_RETURN(const Network network, source.Load({.skip = options.without}));
    model.weight_files = network.weight_files;
    BuildOptions build = options;
    build.cache_path = TimingCache::DefaultPath();
    if (options.device != "cpu") build.precision = Precision::kAuto;
    if (!session_options.precision.empty()) {
      TAMIS_ASSIGN_OR_RETURN(build.precision, ParsePrecision(session_options.precision));
      session_options.precision.clear();
    }
    TAMIS_ASSIGN_OR_RETURN(const BuildResult built, BuildEngine(network, build));
    model.notices = built.notices;
    model.engine = built.engine;
    TAMIS_ASSIGN_OR_RETURN(model.session, Session::Create(model.engine, session_options));
  }
  for (const std::string& notice : model.session->notices()) model.notices.push_back(model.path + ": " + notice);
  return model;
}

}  // namespace tamis
