// FILE arguments: an engine, or an ONNX file that is built in memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/compiler/verbs/model_source.h"
#include "tamis/session.h"

namespace tamis {

// By content, not by name. `options` are used for ONNX files, `session_options` for engines; threads come from
// `options` for both. Notices are printed.
Result<OpenedModel> OpenModel(const std::string& path, const BuildOptions& options,
                              SessionOptions session_options = {});

// --shape values "input=1x3x224x224" as values of the model's symbols; open symbols take the opt of the engine's
// profile.
Result<std::map<std::string, int64_t>> ShapeBinding(const OpenedModel& model, const std::vector<std::string>& shapes);

}  // namespace tamis
