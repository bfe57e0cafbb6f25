// int8 products with a dense weight by tiles: 64 inputs an instruction. The weight is packed as for
// quantized_dense_avx512, and the store is the same; sums go through memory, as tiles can be read in no other way.
#include "src/kernels/gemm/avx512/amx_tiles.h"
#include "src/kernels/quantized/avx512/amx_store.h"

namespace tamis {
namespace {

using CodeProduct = TileProduct<AmxTiles<TileType::kCodes>>;

void RunTiles(const Int8Task& task) {
  CodeProduct product({.x = reinterpret_cast<const std::byte*>(task.x),
                       .pitch = task.x_pitch,
                       .line_rows = task.line_rows,
                       .line_pitch = task.line_pitch,
                       .taps = {task.taps, static_cast<size_t>(task.tap_count)},
                       .element = 1,
                       .tap_steps = task.tap_steps,
                       .start = task.start},
                      task.tiles, reinterpret_cast<const std::byte*>(task.values));
  RunAndStore(task, &product);
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
