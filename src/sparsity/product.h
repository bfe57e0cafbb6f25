// C += A^T B for f32 operands and a double result: the one product that second moments, their use as a quadratic form
// and the lazy updates of a reconstruction are made of.
#pragma once

#include <cstdint>

#include "src/base/thread_pool.h"

namespace tamis {

// A row-major f32 matrix that somebody else owns; `stride` elements from row to row.
struct MatrixView {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t stride = 0;
};

// c[i][j] += sum_r a[r][i] * b[r][j], c row-major with `c_stride` elements from row to row. Products of up to 256 rows
// are summed in f32, those sums in double. With `upper_only` (a and b of equal width) elements with i > j are left in
// an unspecified state: mirror the result. Asserts a.rows == b.rows.
void AddTransposedProduct(const MatrixView& a, const MatrixView& b, double* c, int64_t c_stride, bool upper_only,
                          ThreadPool& pool);

// The register tile of one ISA: tile[i][j] = sum_r a[r][i] * b[r][j] over packed panels a[rows][height],
// b[rows][width].
struct ProductTile {
  int64_t height = 0;
  int64_t width = 0;
  void (*run)(const float* a, const float* b, int64_t rows, float* tile) = nullptr;
};
extern const ProductTile kProductTileAvx2;
extern const ProductTile kProductTileAvx512;

}  // namespace tamis
