// What a model file says of itself, for `inspect`.
#pragma once

#include <string>

#include "src/base/json_writer.h"
#include "src/ir/model_meta.h"

namespace tamis {

// One line for everything that is there but the producer; long values are cut, and the line says how long they are.
std::string ModelMetaText(const ModelMeta& meta);
// An object; nothing is cut.
void WriteModelMeta(const ModelMeta& meta, const std::string& graph_name, JsonWriter* json);

}  // namespace tamis
