// From the sums of a product by tiles in bf16 to rows of y. Included by files of this folder; everything here is in
// their anonymous namespaces.
#pragma once

#include "src/kernels/gemm/avx512/tile_finish.h"
#include "src/kernels/gemm/tile_product.h"

namespace tamis {
namespace {

// Rows [row, row + kRows) of y, whose activation only bounds.
template <int kRows>
[[gnu::noinline]] void WriteBounded(const TileFinish& finish, int64_t row, const float* sums) {
  __m512 loaded[kRows][2];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    loaded[r][0] = _mm512_load_ps(sums + r * PackedPanels::kLanes);
    loaded[r][1] = _mm512_load_ps(sums + r * PackedPanels::kLanes + 16);
  }
  finish.Write<true>(row, loaded);
}

[[gnu::noinline]] void FinishSome(const PanelTask& task, const TileFinish* finish, int64_t row, int rows,
                                  const float* sums) {
  constexpr void (*kWrite[])(const TileFinish&, int64_t, const float*) = {WriteBounded<1>, WriteBounded<2>,
                                                                          WriteBounded<3>, WriteBounded<4>};
  if (finish != nullptr) return kWrite[rows - 1](*finish, row, sums);
  Finish<true>(task, row, rows, sums);
}

// All rows of the task.
template <class Product>
void RunAndFinish(const PanelTask& task, Product* product) {
  static_assert(Product::kFinishedRows == 4);
  const auto bounded = TileFinish::Of(task);
  const TileFinish* const finish = bounded ? &*bounded : nullptr;
  product->Run(task.rows, SharedLines(task), [&](int64_t row, int rows, const std::byte* sums) {
    FinishSome(task, finish, row, rows, reinterpret_cast<const float*>(sums));
  });
}

}  // namespace
}  // namespace tamis
