#include "src/kernels/gemm/cuda/gemm24_lines.h"

#include <algorithm>

#include "src/kernels/gemm/cuda/gemm24_lines_instances.cuh"
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"
#include "src/kernels/gemm/cuda/tensor_map.h"

namespace tamis::cuda {
namespace {

// Shared memory of a multiprocessor, and what of it each block takes beyond what it asks for: a kilobyte of the
// system's, one to align by, barriers.
constexpr int kSharedMemory = 228 * 1024, kSharedBeside = 2048 + 512;
constexpr int kFewestStages = 4;  // fewer don't hide the cache's latency
constexpr double kExchangeCycles = 1500;

LinesInstance Instance(const Gemm24Problem& problem, int index) {
  if (problem.int8) return problem.dense ? DenseLinesInt8(index) : SparseLinesInt8(index);
  return problem.dense ? DenseLinesF16(index) : SparseLinesF16(index);
}

int RoundUp(int bytes) {
  return (bytes + 1023) / 1024 * 1024;
}

// How a block's shared memory is divided, and how many blocks a multiprocessor holds; `together` is 0 if none.
struct LinePlan {
  LineTile tile;
  int buffers = 0, stages = 0, line_bytes = 0, exchange_bytes = 0, together = 0;
  int output_blocks = 0, split = 1;

  int Blocks() const { return output_blocks * tile.Tiles() * split; }
  // At least so much that no more blocks than `together` fit: where launches overlap, multiprocessors that have none of
  // the previous launch would be given several blocks of the next, and others none.
  int SharedBytes(const LinesInstance& instance) const {
    const int used = buffers * line_bytes + stages * instance.tile_bytes + exchange_bytes + 1024;
    return std::max(used, kSharedMemory / (together + 1));
  }
};

LinePlan PlanLines(const Gemm24Problem& problem, const LinesInstance& instance, int split, int multiprocessors) {
  LinePlan plan;
  plan.split = split;
  plan.exchange_bytes = split > 1 ? instance.exchange_bytes : 0;
  plan.tile = FitLines(problem.image, instance.columns);
  if (!plan.tile.Fits()) return plan;
  const int runs = CeilDiv(CeilDiv(problem.depth, 64), split), tiles = static_cast<int>(problem.Runs()) * runs;
  plan.buffers = std::min(runs, kMostLineBuffers);
  plan.line_bytes = RoundUp((plan.tile.HeldRows() + plan.tile.zero_rows) * 128);
  plan.output_blocks = CeilDiv(problem.outputs, 64);
  // Columns that are no pixels read whatever follows, which must be the block's own.
  const int last_row = instance.columns + (problem.image.kernel_h - 1) * plan.tile.row_step +
                       (problem.image.kernel_w - 1) * plan.tile.column_step;
  const int needed = std::max((plan.buffers - 1) * plan.line_bytes + last_row * 128,
                              std::max(instance.columns, plan.tile.TileRows()) * 128);
  const int lines = plan.buffers * plan.line_bytes, stage = instance.tile_bytes;
  for (int together = std::min(instance.per_multiprocessor, CeilDiv(plan.Blocks(), multiprocessors)); together > 0;
       --together) {
    const int budget = kSharedMemory / together - kSharedBeside - plan.exchange_bytes;
    plan.stages =
        std::min((budget - lines) / stage, std::max(std::min(tiles, kMostLineStages), CeilDiv(needed - lines, stage)));
    if (plan.stages > kMostLineStages || lines + plan.stages * stage < needed) continue;
    if (plan.stages < std::min(tiles, kFewestStages)) continue;
    plan.together = together;
    break;
  }
  return plan;
}

double PredictedCycles(const Gemm24Problem& problem, const LinesInstance& instance, const LinePlan& plan,
                       int multiprocessors) {
  const auto together = static_cast<double>(plan.together);
  const int waves = CeilDiv(plan.Blocks(), multiprocessors * plan.together);
  const double tiles = static_cast<double>(problem.Runs()) * CeilDiv(CeilDiv(problem.depth, 64), plan.split);
  // A dense tile is four products of 64 x n x 16, a 2:4 one two of 64 x n x 32 that take 16 cycles more.
  const double products = instance.sparse ? instance.columns + 32.0 : 2.0 * instance.columns;
  const double lines = plan.tile.HeldRows() * 128.0;
  const double bytes = instance.tile_bytes + lines / static_cast<double>(problem.Runs());
  const double tile = std::max({together * products, together * bytes / kBytesPerCycle, kCacheLatency / plan.stages});
  const double finish = FinishCycles(1, instance.columns) + (plan.split > 1 ? kExchangeCycles : 0);
  return kStartCycles * (1 + 0.8 * (waves - 1)) + lines / kBytesPerCycle + waves * (tiles * tile + finish);
}

}  // namespace

std::vector<std::pair<double, Gemm24Tactic>> RankLines(const Gemm24Problem& problem, int multiprocessors) {
  std::vector<std::pair<double, Gemm24Tactic>> ranked;
  if (!problem.OfImages() || problem.Runs() == 1 || problem.bf16 || problem.norm) return ranked;
  if (problem.image.pixel_pitch != 0 || problem.image.line_pitch != 0 || problem.image.image_pitch != 0) return ranked;
  if (problem.int8 && !problem.types.InRegisters(problem.activation.kind)) return ranked;
  const int instances = problem.int8 ? kInt8LinesInstances : kLinesInstances;
  for (int index = 0; index < instances; ++index) {
    const LinesInstance instance = Instance(problem, index);
    const int most = instance.exchange_bytes > 0 && problem.depth > 64 ? 2 : 1;
    for (int split = 1; split <= most; ++split) {
      const LinePlan plan = PlanLines(problem, instance, split, multiprocessors);
      if (plan.together == 0 || (split > 1 && plan.Blocks() > multiprocessors * plan.together)) continue;
      ranked.push_back({PredictedCycles(problem, instance, plan, multiprocessors), {index, split, true}});
    }
  }
  return ranked;
}

std::string LinesName(const Gemm24Problem& problem, const Gemm24Tactic& tactic) {
  const LinesInstance instance = Instance(problem, tactic.instance);
  const LineTile tile = FitLines(problem.image, instance.columns);
  std::string name = "64x" + std::to_string(instance.columns) + " of ";
  if (tile.images > 1) name += std::to_string(tile.images) + " x ";
  name += std::to_string(tile.lines) + " lines";
  if (tactic.split > 1) name += " split " + std::to_string(tactic.split);
  return name;
}

cudaError_t AllowLines(const Gemm24Problem& problem, int index) {
  return cudaFuncSetAttribute(Instance(problem, index).kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              kSharedMemory - kSharedBeside + 1024);
}

cudaError_t LaunchLines(const Gemm24Problem& problem, const Gemm24Tactic& tactic, const Gemm24Operands& operands,
                        bool overlap, cudaStream_t stream) {
  int multiprocessors = 0;
  if (cudaError_t error = CountMultiprocessors(&multiprocessors); error != cudaSuccess) return error;
  const LinesInstance instance = Instance(problem, tactic.instance);
  const LinePlan plan = PlanLines(problem, instance, tactic.split, multiprocessors);
  const LineTile& tile = plan.tile;
  const ImageSource& image = problem.image;
  WgmmaParams params = MakeParams(problem, operands);
  params.output_blocks = plan.output_blocks;
  params.token_blocks = tile.Tiles();
  params.lines = tile;
  params.split = plan.split;
  params.line_buffers = plan.buffers;
  params.line_stages = plan.stages;
  params.line_bytes = static_cast<uint32_t>(plan.line_bytes);
  const cudaError_t made = MakePixelMap(&params.x, operands.x, image.batch, image.in_h, image.in_w, image.channels,
                                        {tile.pitch, tile.held_lines, tile.images}, 2);
  if (made != cudaSuccess) return made;
  const auto map = [&](CUtensorMap* to, const void* pixels, DType dtype) {
    return MakePixelMap(to, pixels, image.batch, image.out_h, image.out_w, problem.outputs,
                        {tile.pitch, tile.LinesApart(), tile.images}, problem.int8 && IsCode(dtype) ? 1 : 2);
  };
  if (cudaError_t error = map(&params.y, operands.y, problem.types.y); error != cudaSuccess) return error;
  if (operands.residual != nullptr) {
    if (cudaError_t error = map(&params.residual, operands.residual, problem.types.residual); error != cudaSuccess) {
      return error;
    }
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(plan.Blocks() / plan.split), static_cast<unsigned>(plan.split));
  config.blockDim = dim3(static_cast<unsigned>(instance.threads));
  config.dynamicSmemBytes = static_cast<size_t>(plan.SharedBytes(instance));
  config.stream = stream;
  cudaLaunchAttribute attributes[2];
  config.attrs = attributes;
  if (plan.split > 1) {
    cudaLaunchAttribute& cluster = attributes[config.numAttrs++];
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {1, static_cast<unsigned>(plan.split), 1};
  }
  if (overlap) {
    cudaLaunchAttribute& serial = attributes[config.numAttrs++];
    serial.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    serial.val.programmaticStreamSerializationAllowed = 1;
  }
  void* arguments[] = {&params};
  return cudaLaunchKernelExC(&config, instance.kernel, arguments);
}

}  // namespace tamis::cuda
