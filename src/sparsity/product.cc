#include "src/sparsity/product.h"

#include <algorithm>
#include <vector>

#include "src/base/cpu.h"
#include "tamis/status.h"

namespace tamis {
namespace {

constexpr int64_t kRowBlock = 256;
constexpr int64_t kPanelsPerTask = 8;  // of A: together they stay in the second-level cache

void RunPortable(const float* a, const float* b, int64_t rows, float* tile) {
  float sum[4][8] = {};
  for (int64_t r = 0; r < rows; ++r) {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 8; ++j) sum[i][j] += a[r * 4 + i] * b[r * 8 + j];
    }
  }
  std::copy(&sum[0][0], &sum[0][0] + 32, tile);
}
constexpr ProductTile kProductTilePortable = {4, 8, RunPortable};

const ProductTile& BestTile() {
  switch (Cpu().isa) {
    case Isa::kAvx512:
      return kProductTileAvx512;
    case Isa::kAvx2:
      return kProductTileAvx2;
    case Isa::kX86_64:
      break;
  }
  return kProductTilePortable;
}

// Rows [begin, begin + rows) as panels of `width` columns, each [rows][width] and padded with zeros.
void Pack(const MatrixView& m, int64_t begin, int64_t rows, int64_t width, std::vector<float>* packed) {
  const int64_t panels = (m.columns + width - 1) / width;
  packed->assign(static_cast<size_t>(panels * rows * width), 0.0F);
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = m.data + (begin + r) * m.stride;
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t count = std::min(width, m.columns - p * width);
      std::copy_n(row + p * width, count, packed->data() + (p * rows + r) * width);
    }
  }
}

}  // namespace

void AddTransposedProduct(const MatrixView& a, const MatrixView& b, double* c, int64_t c_stride, bool upper_only,
                          ThreadPool& pool) {
  TAMIS_ASSERT(a.rows == b.rows);
  const ProductTile& tile = BestTile();
  const int64_t a_panels = (a.columns + tile.height - 1) / tile.height;
  const int64_t b_panels = (b.columns + tile.width - 1) / tile.width;
  const auto tasks = static_cast<int>((a_panels + kPanelsPerTask - 1) / kPanelsPerTask);
  std::vector<float> packed_a, packed_b;
  for (int64_t begin = 0; begin < a.rows; begin += kRowBlock) {
    const int64_t rows = std::min(kRowBlock, a.rows - begin);
    Pack(a, begin, rows, tile.height, &packed_a);
    Pack(b, begin, rows, tile.width, &packed_b);
    pool.Run(tasks, [&](int task) {
      std::vector<float> sums(static_cast<size_t>(tile.height * tile.width));
      const int64_t first = task * kPanelsPerTask;
      const int64_t last = std::min(first + kPanelsPerTask, a_panels);
      for (int64_t q = 0; q < b_panels; ++q) {
        const int64_t column = q * tile.width;
        const int64_t width = std::min(tile.width, b.columns - column);
        for (int64_t p = first; p < last; ++p) {
          const int64_t row = p * tile.height;
          if (upper_only && row >= column + width) continue;
          const int64_t height = std::min(tile.height, a.columns - row);
          tile.run(packed_a.data() + p * rows * tile.height, packed_b.data() + q * rows * tile.width, rows,
                   sums.data());
          for (int64_t i = 0; i < height; ++i) {
            double* out = c + (row + i) * c_stride + column;
            const float* in = sums.data() + i * tile.width;
            for (int64_t j = 0; j < width; ++j) out[j] += static_cast<double>(in[j]);
          }
        }
      }
    });
  }
}

}  // namespace tamis
