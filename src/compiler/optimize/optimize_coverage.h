// The part of the report on `optimize` that says whether the calibration samples cover what the network sees.
#pragma once

#include <span>
#include <string>

#include "src/engine/value_record.h"

namespace tamis {

// The verdict, and for each recorded value its range, by how much the second half of the samples widened it, and its
// histogram: what is covered least first, so that a table that is cut short loses the harmless rows.
std::string CoverageHtml(const std::string& verdict, std::span<const ValueRecord> values);

}  // namespace tamis
