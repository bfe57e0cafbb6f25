// The weight layers of an engine as they are computed.
#pragma once

#include <string>
#include <vector>

#include "src/engine/engine.h"

namespace tamis {

struct EngineLayer {
  LayerRecord record;
  std::string
      type;  // of the weight: "f32", "bf16", "f16" or "int8"; empty if the engine multiplies by none of that name
};

// The engine's own record of what was done, or a line for each weight; types and patterns are what the weights show.
std::vector<EngineLayer> EngineLayers(const Engine& engine);

}  // namespace tamis
