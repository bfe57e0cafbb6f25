// int8 products with a dense weight by tiles: 64 inputs an instruction. The weight is packed as for
// quantized_dense_avx512, and the store is the same; sums go through memory, as tiles can be read in no other way.
#include "src/kernels/gemm/avx512/amx_tiles.h"
#include "src/kernels/quantized/avx512/int8_store_avx512.h"

namespace tamis {
namespace {

using CodeProduct = TileProduct<AmxTiles<TileType::kCodes>>;

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
  static_assert(CodeProduct::kFinishedRows == 4);
  constexpr void (*kStore[])(const Int8Task&, int64_t, const int32_t*) = {StoreCodesOf<1>, StoreCodesOf<2>,
                                                                          StoreCodesOf<3>, StoreCodesOf<4>};
  if (CodeStore::Serves(task)) kStore[rows - 1](task, row, sums);
  FinishTile(task, row, rows, sums);
}

void RunTiles(const Int8Task& task) {
  CodeProduct product({.x = reinterpret_cast<const std::byte*>(task.x),
                       .pitch = task.x_pitch,
                       .line_rows = task.line_rows,
                       .line_pitch = task.line_pitch,
                       .taps = {task.taps, static_cast<size_t>(task.tap_count)},
                       .element = 1,
                       .tap_steps = task.tap_steps,
                       .weights = reinterpret_cast<const std::byte*>(task.values),
                       .start = task.start},
                      task.tiles);
  product.Run(task.rows, SharedLines(task.ahead, task.ahead_lines, task.rows),
              [&task](int64_t row, int rows, const std::byte* sums) {
                FinishSome(task, row, rows, reinterpret_cast<const int32_t*>(sums));
              });
}

constexpr Int8Routine kByTiles = {.by_tiles = true, .begin = CodeStore::Begin, .run = RunTiles};
constexpr double kWork = 0.07;  // of the cost model, as Int8PanelsCost takes it

}  // namespace

extern const KernelDef kernel_quantized_dense_amx;
const KernelDef kernel_quantized_dense_amx = {
    .name = "quantized_dense_amx",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAmx,
    .supports = [](const Problem& problem) { return Int8PanelsSupported(problem, false); },
    .cost = [](const Problem& problem) { return Int8PanelsCost(problem, Isa::kAvx512, kWork); },
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareInt8Panels(problem, cache, kByTiles); },
};

}  // namespace tamis
