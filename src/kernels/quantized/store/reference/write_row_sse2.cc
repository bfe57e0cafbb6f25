#include "src/kernels/quantized/store/write_row_body.h"

namespace tamis {

void WriteQuantizedRowSse2(const QuantizedResult& result, const QuantizedRow& row) {
  WriteRow(result, row);
}

}  // namespace tamis
