// How verbs show the layers of a pruning report.
#pragma once

#include <vector>

#include "src/compiler/prune/prune.h"

namespace tamis {

void PrintLayers(const std::vector<LayerReport>& layers);

}  // namespace tamis
