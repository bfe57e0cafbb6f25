// A written file is what its report says.
#pragma once

#include <string>

#include "src/compiler/prune/prune.h"

namespace tamis {

// Reads a file that ExportOnnx wrote of the pruned network, perhaps quantised since, and checks every layer that the
// report does not call dense; one that the rule does not hold for is an internal error.
Status VerifyPruned(const std::string& onnx_path, const PruneReport& report, const MaskRule& rule);

}  // namespace tamis
