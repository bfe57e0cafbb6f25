#include "src/sparsity/product.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "src/base/cpu.h"
#include "tamis/status.h"

namespace tamis {
namespace {

constexpr int64_t kRowBlock = 256;
// What a task works on, so that a row block of its panels and what it adds to stay in the second-level cache: as many
// rows of the result, and panels of B.
constexpr int64_t kResultRows = 516, kPanelsOfB = 2;
constexpr int64_t kTasksAThread = 4;

void AddPortable(const float* a, const float* b, int64_t rows, const TileTarget& target) {
  float sum[4][8] = {};
  for (int64_t r = 0; r < rows; ++r) {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 8; ++j) sum[i][j] += a[r * 4 + i] * b[r * 8 + j];
    }
  }
  for (int64_t i = 0; i < target.rows; ++i) {
    for (int64_t j = 0; j < target.columns; ++j) target.data[i * target.stride + j] += static_cast<double>(sum[i][j]);
  }
}
constexpr ProductTile kProductTilePortable = {4, 8, AddPortable};

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

int64_t CeilDiv(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// Columns [column, column + width) of rows [begin, end), [rows][width], zeros beyond the last column. Rows lie pages
// apart, where the processor fetches nothing ahead by itself.
void PackPanel(const MatrixView& m, int64_t begin, int64_t end, int64_t column, int64_t width, float* to) {
  const int64_t own = std::min(width, m.columns - column);
  const float* from = m.data + begin * m.stride + column;
  constexpr int64_t kAhead = 16, kLine = 16;  // rows, and elements
  for (int64_t r = begin; r < end; ++r, from += m.stride, to += width) {
    const float* const ahead = from + std::min(kAhead, end - 1 - r) * m.stride;
    for (int64_t i = 0; i < own; i += kLine) __builtin_prefetch(ahead + i);
    for (int64_t i = 0; i < own; ++i) to[i] = from[i];
    for (int64_t i = own; i < width; ++i) to[i] = 0;
  }
}

// Row blocks of an operand of `rows` rows, in parallel.
template <class F>
void EachRowBlock(int64_t rows, ThreadPool& pool, const F& f) {
  pool.ParallelFor(CeilDiv(rows, kRowBlock), 1, [&](int64_t first, int64_t last) {
    for (int64_t row = first * kRowBlock; row < std::min(rows, last * kRowBlock); row += kRowBlock) {
      f(row, std::min(rows, row + kRowBlock));
    }
  });
}

}  // namespace

int64_t PackedOperand::panels() const {
  return CeilDiv(columns_, BestTile().height);
}

int64_t PackedOperand::Offset(int64_t panel, int64_t row) const {
  return (row * panels() + panel * std::min(kRowBlock, rows_ - row)) * BestTile().height;
}

void PackedOperand::Reserve(int64_t columns, int64_t rows) {
  columns_ = columns;
  rows_ = rows;
  const int64_t floats = panels() * BestTile().height * rows;
  if (floats <= capacity_) return;
  packed_ = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(floats));
  capacity_ = floats;
}

void PackedOperand::PackColumns(const MatrixView& a, ThreadPool& pool) {
  Reserve(a.columns, a.rows);
  const int64_t height = BestTile().height;
  EachRowBlock(rows_, pool, [&](int64_t begin, int64_t end) {
    for (int64_t p = 0; p < panels(); ++p) {
      PackPanel(a, begin, end, p * height, height, packed_.get() + Offset(p, begin));
    }
  });
}

void PackedOperand::PackTransposed(const double* x, int64_t columns, int64_t rows, ThreadPool& pool) {
  Reserve(columns, rows);
  const int64_t height = BestTile().height;
  EachRowBlock(rows_, pool, [&](int64_t begin, int64_t end) {
    for (int64_t p = 0; p < panels(); ++p) {
      float* const to = packed_.get() + Offset(p, begin);
      for (int64_t i = 0; i < height; ++i) {
        const double* const from = x + (p * height + i) * rows + begin;
        const bool own = p * height + i < columns;
        for (int64_t r = 0; r < end - begin; ++r) to[r * height + i] = own ? static_cast<float>(from[r]) : 0.0F;
      }
    }
  });
}

void AddTransposedProduct(const MatrixView& a, const MatrixView& b, double* c, int64_t c_stride, bool upper_only,
                          ThreadPool& pool) {
  PackedOperand packed;
  packed.PackColumns(a, pool);
  AddTransposedProduct(packed, b, c, c_stride, upper_only, pool);
}

void AddTransposedProduct(const PackedOperand& a, const MatrixView& b, double* c, int64_t c_stride, bool upper_only,
                          ThreadPool& pool) {
  TAMIS_ASSERT(a.rows() == b.rows);
  if (a.rows() == 0 || a.columns() == 0 || b.columns == 0) return;
  const ProductTile& tile = BestTile();
  const int64_t panels_of_a = kResultRows / tile.height, panels_of_b = CeilDiv(b.columns, tile.width);
  const int64_t blocks_of_a = CeilDiv(a.panels(), panels_of_a);
  const int64_t together =
      std::clamp<int64_t>(panels_of_b * blocks_of_a / (kTasksAThread * pool.threads()), 1, kPanelsOfB);
  const int64_t blocks_of_b = CeilDiv(panels_of_b, together);
  pool.Run(static_cast<int>(blocks_of_a * blocks_of_b), [&](int task) {
    const int64_t first_p = task % blocks_of_a * panels_of_a, first_q = task / blocks_of_a * together;
    const int64_t last_p = std::min(first_p + panels_of_a, a.panels());
    const int64_t last_q = std::min(first_q + together, panels_of_b);
    std::vector<float> panel(static_cast<size_t>(kRowBlock * tile.width));
    for (int64_t row = 0; row < a.rows(); row += kRowBlock) {
      const int64_t rows = std::min(kRowBlock, a.rows() - row);
      for (int64_t q = first_q; q < last_q; ++q) {
        const int64_t column = q * tile.width, width = std::min(tile.width, b.columns - column);
        if (upper_only && first_p * tile.height >= column + width) continue;
        PackPanel(b, row, row + rows, column, tile.width, panel.data());
        for (int64_t p = first_p; p < last_p; ++p) {
          const int64_t top = p * tile.height;
          if (upper_only && top >= column + width) break;
          tile.add(a.At(p, row), panel.data(), rows,
                   {c + top * c_stride + column, c_stride, std::min(tile.height, a.columns() - top), width});
        }
      }
    }
  });
}

}  // namespace tamis
