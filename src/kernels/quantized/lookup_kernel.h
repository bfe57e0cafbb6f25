// QuantizedLookup over any of the lookup functions.
#pragma once

#include "src/kernels/kernel.h"
#include "src/kernels/quantized/code_table.h"

namespace tamis {

Status SupportsLookup(const Problem& problem);
double LookupCost(const Problem& problem, double cycles_per_code);
Result<std::unique_ptr<PreparedKernel>> PrepareLookup(const Problem& problem, LookupFunction lookup);

}  // namespace tamis
