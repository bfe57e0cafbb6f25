#include <immintrin.h>

#include "src/sparsity/product.h"

namespace tamis {
namespace {

constexpr int kHeight = 12;
constexpr int kVectors = 2;
constexpr int kWidth = 16 * kVectors;

void Run(const float* a, const float* b, int64_t rows, float* tile) {
  __m512 sum[kHeight][kVectors];
  for (int i = 0; i < kHeight; ++i) {
    for (int j = 0; j < kVectors; ++j) sum[i][j] = _mm512_setzero_ps();
  }
  for (int64_t r = 0; r < rows; ++r, a += kHeight, b += kWidth) {
    const __m512 b0 = _mm512_loadu_ps(b);
    const __m512 b1 = _mm512_loadu_ps(b + 16);
    for (int i = 0; i < kHeight; ++i) {
      const __m512 ai = _mm512_set1_ps(a[i]);
      sum[i][0] = _mm512_fmadd_ps(ai, b0, sum[i][0]);
      sum[i][1] = _mm512_fmadd_ps(ai, b1, sum[i][1]);
    }
  }
  for (int i = 0; i < kHeight; ++i) {
    for (int j = 0; j < kVectors; ++j) _mm512_storeu_ps(tile + i * kWidth + j * 16, sum[i][j]);
  }
}

}  // namespace

const ProductTile kProductTileAvx512 = {kHeight, kWidth, Run};

}  // namespace tamis
