#include <immintrin.h>

#include "src/sparsity/product.h"

namespace tamis {
namespace {

constexpr int kHeight = 6;
constexpr int kVectors = 2;
constexpr int kWidth = 8 * kVectors;

void Run(const float* a, const float* b, int64_t rows, float* tile) {
  __m256 sum[kHeight][kVectors];
  for (int i = 0; i < kHeight; ++i) {
    for (int j = 0; j < kVectors; ++j) sum[i][j] = _mm256_setzero_ps();
  }
  for (int64_t r = 0; r < rows; ++r, a += kHeight, b += kWidth) {
    const __m256 b0 = _mm256_loadu_ps(b);
    const __m256 b1 = _mm256_loadu_ps(b + 8);
    for (int i = 0; i < kHeight; ++i) {
      const __m256 ai = _mm256_set1_ps(a[i]);
      sum[i][0] = _mm256_fmadd_ps(ai, b0, sum[i][0]);
      sum[i][1] = _mm256_fmadd_ps(ai, b1, sum[i][1]);
    }
  }
  for (int i = 0; i < kHeight; ++i) {
    for (int j = 0; j < kVectors; ++j) _mm256_storeu_ps(tile + i * kWidth + j * 8, sum[i][j]);
  }
}

}  // namespace

const ProductTile kProductTileAvx2 = {kHeight, kWidth, Run};

}  // namespace tamis
