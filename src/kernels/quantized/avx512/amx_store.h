// From the sums of an int8 product by tiles to rows of y. Included by files of this folder; everything here is in their
// anonymous namespaces.
#pragma once

#include "src/kernels/gemm/tile_product.h"
#include "src/kernels/quantized/avx512/int8_store_avx512.h"

namespace tamis {
namespace {

// Rows [row, row + kRows) of y, where CodeStore serves the task.
template <int kRows>
[[gnu::noinline]] void StoreCodesOf(const Int8Task& task, int64_t row, const int32_t* sums) {
  __m512i loaded[kRows][2];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    loaded[r][0] = _mm512_load_si512(sums + r * PackedInt8::kLanes);
    loaded[r][1] = _mm512_load_si512(sums + r * PackedInt8::kLanes + 16);
  }
  CodeStore::Of(task).Write(task, row, loaded);
}

[[gnu::noinline]] void FinishSome(const Int8Task& task, int64_t row, int rows, const int32_t* sums) {
  constexpr void (*kStore[])(const Int8Task&, int64_t, const int32_t*) = {StoreCodesOf<1>, StoreCodesOf<2>,
                                                                          StoreCodesOf<3>, StoreCodesOf<4>};
  if (CodeStore::Serves(task)) kStore[rows - 1](task, row, sums);
  FinishTile(task, row, rows, sums);
}

// All rows of the task.
template <class Product>
void RunAndStore(const Int8Task& task, Product* product) {
  static_assert(Product::kFinishedRows == 4);
  product->Run(task.rows, SharedLines(task.ahead, task.ahead_lines, task.rows),
               [&task](int64_t row, int rows, const std::byte* sums) {
                 FinishSome(task, row, rows, reinterpret_cast<const int32_t*>(sums));
               });
}

}  // namespace
}  // namespace tamis
