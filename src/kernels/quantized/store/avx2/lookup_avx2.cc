// 256 codes are sixteen tables of sixteen, each a byte shuffle that gives zero for what belongs to another.
#include <immintrin.h>

#include "src/kernels/quantized/code_table.h"

namespace tamis {
namespace {

__m256i Exchange(const uint8_t* codes, __m256i x) {
  const __m256i sixteen = _mm256_set1_epi8(16), high = _mm256_set1_epi8(0x70);
  __m256i y = _mm256_setzero_si256();
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    const __m256i part = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(codes) + i));
    // Sixteen and more come out with the top bit set.
    y = _mm256_or_si256(y, _mm256_shuffle_epi8(part, _mm256_adds_epu8(x, high)));
    x = _mm256_sub_epi8(x, sixteen);
  }
  return y;
}

}  // namespace

void LookupAvx2(const CodeTable& table, const uint8_t* x, int64_t count, uint8_t* y) {
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), Exchange(table.codes.data(), codes));
  }
  for (const uint8_t* codes = table.codes.data(); i < count; ++i) y[i] = codes[x[i]];
}

}  // namespace tamis
