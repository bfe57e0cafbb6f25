// FILE arguments: an engine, or an ONNX file that is built in memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/compiler/build.h"
#include "tamis/session.h"

namespace tamis {

struct OpenedModel {
  std::string path;
  std::shared_ptr<const Engine> engine;
  std::shared_ptr<Session> session;
};

// By content, not by name: an engine starts with its magic. `options` are used for ONNX files, `session_options` for
// engines; threads come from `options` for both.
Result<OpenedModel> OpenModel(const std::string& path, const BuildOptions& options,
                              SessionOptions session_options = {});
bool LooksLikeEngine(const std::string& path);

// --shape values "input=1x3x224x224" as values of the model's symbols; open symbols take the opt of the engine's
// profile.
Result<std::map<std::string, int64_t>> ShapeBinding(const OpenedModel& model, const std::vector<std::string>& shapes);

}  // namespace tamis
