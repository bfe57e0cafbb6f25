#pragma once

#include "src/passes/pass.h"

namespace tamis {

// Networks in f16 or bf16 are fused as those in f32 are, and computed in the precision that the build asks for: their
// own types stay at inputs and outputs. lower_precision narrows again what is to be narrow.
Status WidenHalf(Graph& graph, const PassOptions& options);

}  // namespace tamis
