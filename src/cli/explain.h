// What the passes did, for --explain and --verbose.
#pragma once

#include <span>

#include "src/base/json_writer.h"
#include "src/passes/pass.h"

namespace tamis {

// A line a pass, then what it matched, what it nearly matched and what it decided.
void PrintPasses(std::span<const PassRecord> passes);
// Nodes before and after each pass and its time, on standard error.
void LogPasses(std::span<const PassRecord> passes);
// The same as an array of objects.
void WritePasses(std::span<const PassRecord> passes, JsonWriter* json);

}  // namespace tamis
