#include "src/kernels/quantized/table_vbmi.h"

namespace tamis {

void LookupVbmi(const CodeTable& table, const uint8_t* x, int64_t count, uint8_t* y) {
  const TableVbmi exchange(table);
  int64_t i = 0;
  for (; i + 64 <= count; i += 64) _mm512_storeu_si512(y + i, exchange(_mm512_loadu_si512(x + i)));
  if (i == count) return;
  const __mmask64 mask = ~uint64_t{0} >> (64 - (count - i));
  _mm512_mask_storeu_epi8(y + i, mask, exchange(_mm512_maskz_loadu_epi8(mask, x + i)));
}

}  // namespace tamis
