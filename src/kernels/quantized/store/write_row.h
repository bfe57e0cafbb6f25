// QuantizedResult::Write for each ISA.
#pragma once

#include "src/kernels/quantized/quantized.h"

namespace tamis {

void WriteQuantizedRowSse2(const QuantizedResult& result, const QuantizedRow& row);
void WriteQuantizedRowAvx2(const QuantizedResult& result, const QuantizedRow& row);
void WriteQuantizedRowAvx512(const QuantizedResult& result, const QuantizedRow& row);

}  // namespace tamis
