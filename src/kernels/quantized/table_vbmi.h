// The table of 256 codes in four vectors. For files with AVX512_VBMI.
#pragma once

#include <immintrin.h>

#include "src/kernels/quantized/code_table.h"

namespace tamis {
namespace {

struct TableVbmi {
  __m512i part[4];

  explicit TableVbmi(const CodeTable& table) {
    for (int i = 0; i < 4; ++i) part[i] = _mm512_load_si512(table.codes.data() + i * 64);
  }
  __m512i operator()(__m512i x) const {
    const __m512i low = _mm512_permutex2var_epi8(part[0], x, part[1]);
    const __m512i high = _mm512_permutex2var_epi8(part[2], x, part[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
  }
};

}  // namespace
}  // namespace tamis
