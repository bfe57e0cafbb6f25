// C += A^T B for f32 operands and a double result: the one product that second moments, their use as a quadratic form
// and the lazy updates of a reconstruction are made of.
#pragma once

#include <cstdint>
#include <memory>

#include "src/base/thread_pool.h"

namespace tamis {

// A row-major f32 matrix that somebody else owns; `stride` elements from row to row.
struct MatrixView {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t stride = 0;
};

// The left operand as the register tiles read it. May be laid out again and again in the same memory: fresh pages cost
// as much as a product's arithmetic.
class PackedOperand {
 public:
  void PackColumns(const MatrixView& a, ThreadPool& pool);
  // Of a row-major matrix [columns()][rows()] in double, rounded to f32: its transposed one is the operand.
  void PackTransposed(const double* x, int64_t columns, int64_t rows, ThreadPool& pool);

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t panels() const;
  // Panel of the rows of a block that begins with `row`, [rows][height of the tile], padded with zeros.
  const float* At(int64_t panel, int64_t row) const { return packed_.get() + Offset(panel, row); }

 private:
  void Reserve(int64_t columns, int64_t rows);
  int64_t Offset(int64_t panel, int64_t row) const;

  int64_t rows_ = 0, columns_ = 0, capacity_ = 0;
  std::unique_ptr<float[]> packed_;
};

// c[i][j] += sum_r a[r][i] * b[r][j], c row-major with `c_stride` elements from row to row. Products of up to 256 rows
// are summed in f32, those sums in double. With `upper_only` (a and b of equal width) elements with i > j are left in
// an unspecified state: mirror the result. Asserts a.rows == b.rows.
void AddTransposedProduct(const PackedOperand& a, const MatrixView& b, double* c, int64_t c_stride, bool upper_only,
                          ThreadPool& pool);
void AddTransposedProduct(const MatrixView& a, const MatrixView& b, double* c, int64_t c_stride, bool upper_only,
                          ThreadPool& pool);

// Where a tile's sums go: the first `rows` x `columns` of them.
struct TileTarget {
  double* data = nullptr;
  int64_t stride = 0;
  int64_t rows = 0;
  int64_t columns = 0;
};

// The register tile of one ISA: target[i][j] += sum_r a[r][i] * b[r][j] over packed panels a[rows][height],
// b[rows][width], the sum in f32.
struct ProductTile {
  int64_t height = 0;
  int64_t width = 0;
  void (*add)(const float* a, const float* b, int64_t rows, const TileTarget& target) = nullptr;
};
extern const ProductTile kProductTileAvx2;
extern const ProductTile kProductTileAvx512;

}  // namespace tamis
