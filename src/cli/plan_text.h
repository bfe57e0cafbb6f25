// Plans of an engine as text and as JSON.
#pragma once

#include <string>

#include "src/base/json_writer.h"
#include "src/engine/engine.h"

namespace tamis {

// "batch 1 : 1 : 32, sequence 16 : 128 : 512"; says which ranges bind no request.
std::string ProfileText(const Profile& profile);
// "planned 12.3 MB, 1.02 times the lower bound 12.1 MB, a buffer for each value would take 99.9 MB"; empty if unknown.
std::string MemoryText(const MemoryFigures& memory);
// Predicted milliseconds of a point.
double PointMs(const PlanPoint& point);

// Arrays of objects. `nodes`: every node with its candidates, too.
void WriteProfiles(const Engine& engine, JsonWriter* json);
void WritePlans(const Engine& engine, bool nodes, JsonWriter* json);

}  // namespace tamis
