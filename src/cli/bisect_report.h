// What a bisection found, for people and as JSON.
#pragma once

#include <span>

#include "src/base/json_writer.h"
#include "src/compiler/gate/bisect.h"

namespace tamis {

void PrintBisection(std::span<const BisectReport> reports, double tolerance);
void WriteBisection(std::span<const BisectReport> reports, double tolerance, JsonWriter* json);

}  // namespace tamis
