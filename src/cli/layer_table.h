// How verbs show the layers of a pruning report.
#pragma once

#include <vector>

#include "src/base/json_writer.h"
#include "src/compiler/prune.h"

namespace tamis {

void PrintLayers(const std::vector<LayerReport>& layers);
// An array of objects.
void WriteLayers(const std::vector<LayerReport>& layers, JsonWriter* json);

}  // namespace tamis
