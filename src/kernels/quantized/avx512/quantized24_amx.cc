// int8 products with a 2:4 weight and few rows, by tiles. The weight is packed as for quantized24_avx512.
#include "src/kernels/gemm/avx512/expanded_tiles.h"
#include "src/kernels/quantized/avx512/amx_store.h"

namespace tamis {
namespace {

using Weights = ExpandedWeights<TileType::kCodes>;

void RunTiles(const Int8Task& task) {
  const int64_t tap_steps = Weights::kUnit * task.tap_steps;
  TileProduct<AmxTiles<TileType::kCodes>, Weights> product({.x = reinterpret_cast<const std::byte*>(task.x),
                                                            .pitch = task.x_pitch,
                                                            .line_rows = task.line_rows,
                                                            .line_pitch = task.line_pitch,
                                                            .taps = {task.taps, static_cast<size_t>(task.tap_count)},
                                                            .element = 1,
                                                            .tap_steps = tap_steps,
                                                            .start = task.start},
                                                           task.tiles, task.values, task.codes,
                                                           task.tap_count * tap_steps);
  RunAndStore(task, &product);
}

constexpr Int8Routine kByTiles = {.sparse = true, .by_tiles = true, .begin = CodeStore::Begin, .run = RunTiles};

}  // namespace

extern const KernelDef kernel_quantized24_amx;
const KernelDef kernel_quantized24_amx = {
    .name = "quantized24_amx",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAmx,
    .supports = ExpandedInt8Supported,
    .cost = ExpandedInt8Cost,
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareInt8Panels(problem, cache, kByTiles); },
};

}  // namespace tamis
