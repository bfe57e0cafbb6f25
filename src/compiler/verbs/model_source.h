// What a verb is given as a model: an ONNX file, the bytes of one, an engine file, or an engine in memory.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/compiler/plan/build.h"
#include "tamis/session.h"

namespace tamis {

struct ModelSource {
  std::string path;                      // of an ONNX file or an engine
  std::string_view bytes;                // of an ONNX model, where there is no path; the caller keeps them alive
  std::string folder;                    // of the external data of a model in memory
  std::shared_ptr<const Engine> engine;  // or one that was built

  bool IsEngine() const;
  bool InMemory() const { return bytes.data() != nullptr; }  // bytes that are none are a model that is none
  // For messages and reports.
  std::string Text() const;
  // What a build starts from: the network simplified, not fused; an engine's unfused one.
  Result<Network> Load(const PassOptions& options = {}) const;
  // As verbs that change a network take it: simplified, not fused. Error (kUser) naming `verb` if it is an engine.
  Result<Network> LoadOnnx(std::string_view verb) const;
};

// By content, not by name: an engine starts with its magic.
bool LooksLikeEngine(const std::string& path);

struct OpenedModel {
  std::string path;
  std::shared_ptr<const Engine> engine;
  std::shared_ptr<Session> session;
  std::vector<std::string> notices;       // of the build and of the session
  std::vector<std::string> weight_files;  // of an ONNX model (Network::weight_files)
};

// An engine is loaded, an ONNX model built in memory first. `options` are used for the latter, `session_options` for
// engines; threads and device come from `options` for both.
Result<OpenedModel> OpenModel(const ModelSource& source, const BuildOptions& options,
                              SessionOptions session_options = {});

}  // namespace tamis
