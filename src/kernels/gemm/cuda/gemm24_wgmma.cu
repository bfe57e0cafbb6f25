// gemm24_wgmma: choice of block shapes, tensor maps, launch.
#include <algorithm>
#include <utility>

#include "src/kernels/gemm/cuda/gemm24_lines.h"
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"
#include "src/kernels/gemm/cuda/tensor_map.h"

namespace tamis::cuda {
namespace {

WgmmaInstance Instance(const Gemm24Problem& problem, int index) {
  if (problem.int8 && problem.dense) {
    return index < kInt8Blocks ? Int8Instance(index) : Int8PersistentInstance(index - kInt8Blocks);
  }
  if (problem.int8) {
    return index < kInt8SparseBlocks ? Int8SparseInstance(index)
                                     : Int8SparsePersistentInstance(index - kInt8SparseBlocks);
  }
  if (problem.float8) {
    return problem.bf16 ? Float8InstanceBf16(index, problem.dense) : Float8InstanceF16(index, problem.dense);
  }
  if (problem.norm) {
    return problem.bf16 ? NormInstanceBf16(index, problem.dense) : NormInstanceF16(index, problem.dense);
  }
  if (problem.dense) return problem.bf16 ? DenseInstanceBf16(index) : DenseInstanceF16(index);
  return problem.bf16 ? WgmmaInstanceBf16(index) : WgmmaInstanceF16(index);
}

// Predicted clock cycles, to rank tactics by; fitted to measurements on an H100. A stage takes the longest of: its
// products (64 x n x 32 take n / 2 cycles, and 16 for reading their weights), its bytes at what a multiprocessor gets
// from the level-2 cache, and the cache's latency over the stages under way.
double PredictedCycles(const Gemm24Problem& problem, const WgmmaInstance& instance, int split, int multiprocessors) {
  const int64_t blocks =
      int64_t{CeilDiv(problem.outputs, instance.panels * 64)} * CeilDiv(problem.rows, instance.tokens) * split;
  const int64_t together = std::min<int64_t>(instance.per_multiprocessor, CeilDiv(blocks, multiprocessors));
  const double waves = CeilDiv(blocks, multiprocessors * together);
  const double tiles = CeilDiv(problem.Runs() * CeilDiv(problem.depth, 64), split);
  // A dense tile is four products of 64 x n x 16, a 2:4 one two of 64 x n x 32.
  const double products =
      instance.panels * (instance.sparse ? 2 * (instance.tokens / 2.0 + 16) : 4 * (instance.tokens / 2.0 + 8));
  const double bytes = instance.panels * instance.tile_bytes + instance.tokens * 128.0;
  const double tile =
      std::max({static_cast<double>(together) * products, static_cast<double>(together) * bytes / kBytesPerCycle,
                kCacheLatency / (instance.stages * instance.tiles)});
  const double finish = FinishCycles(instance.panels, instance.tokens);
  const double starts = 1 + (instance.persistent ? 0 : 0.8 * (waves - 1));
  return kStartCycles * starts + waves * (tiles * tile + finish) + (split > 1 ? 1900 + 300 * split : 0);
}

// One cluster holds all outputs of a row.
bool NormFits(const Gemm24Problem& problem, const WgmmaInstance& instance) {
  const int outputs = instance.panels * 64;
  return problem.outputs % outputs == 0 && problem.outputs / outputs <= kMostClusterBlocks;
}

}  // namespace

cudaError_t CountMultiprocessors(int* count) {
  int device = 0;
  if (cudaError_t error = cudaGetDevice(&device); error != cudaSuccess) return error;
  return cudaDeviceGetAttribute(count, cudaDevAttrMultiProcessorCount, device);
}

std::vector<Gemm24Tactic> Gemm24WgmmaTactics(const Gemm24Problem& problem, int multiprocessors) {
  if (problem.depth % 8 != 0 || problem.outputs % 8 != 0 || problem.rows < 1) return {};
  std::vector<std::pair<double, Gemm24Tactic>> ranked;
  const int instances = problem.int8     ? (problem.dense ? kInt8Instances : kInt8SparseInstances)
                        : problem.float8 ? kFloat8Instances
                        : problem.norm   ? kNormInstances
                        : problem.dense  ? kDenseInstances
                                         : kWgmmaInstances;
  for (int index = 0; index < instances; ++index) {
    const WgmmaInstance instance = Instance(problem, index);
    if (problem.norm && !NormFits(problem, instance)) continue;
    const bool through_shared = problem.int8 && !problem.types.InRegisters(problem.activation.kind);
    if (through_shared && !instance.can_split) continue;
    // A block shape with more than half its rows empty is beaten by a smaller one.
    if (instance.tokens > 16 && problem.rows * 2 <= instance.tokens) continue;
    const int64_t blocks =
        int64_t{CeilDiv(problem.outputs, instance.panels * 64)} * CeilDiv(problem.rows, instance.tokens);
    if (instance.persistent && blocks * 4 <= int64_t{multiprocessors} * 3) continue;
    const int stages = CeilDiv(problem.Runs() * CeilDiv(problem.depth, 64), instance.tiles);
    for (int split = 1; split <= 8; split *= 2) {
      if (split > 1) {
        const bool idle = blocks * split <= int64_t{multiprocessors} * instance.per_multiprocessor * 3 / 2;
        if (!instance.can_split || split * 2 > stages || !idle) break;
      }
      ranked.push_back({PredictedCycles(problem, instance, split, multiprocessors), {index, split}});
    }
  }
  for (const auto& lines : RankLines(problem, multiprocessors)) ranked.push_back(lines);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Gemm24Tactic> tactics;
  for (const auto& [cycles, tactic] : ranked) tactics.push_back(tactic);
  return tactics;
}

WgmmaParams MakeParams(const Gemm24Problem& problem, const Gemm24Operands& operands) {
  WgmmaParams params = {};
  params.weight = static_cast<const std::byte*>(operands.weight);
  params.bias = operands.bias;
  params.residual_rows = operands.residual;
  params.y_rows = operands.y;
  params.rows = static_cast<int>(problem.rows);
  params.outputs = static_cast<int>(problem.outputs);
  params.run_tiles = CeilDiv(problem.depth, 64);
  params.depth_tiles = static_cast<int>(problem.Runs()) * params.run_tiles;
  const ImageSource& image = problem.image;
  params.images = problem.OfImages();
  params.kernel_h = image.kernel_h, params.kernel_w = image.kernel_w;
  params.dilation_h = image.dilation_h, params.dilation_w = image.dilation_w;
  params.out_h = image.out_h, params.out_w = image.out_w;
  params.stride_h = image.stride_h, params.stride_w = image.stride_w;
  params.pad_h = image.pad_h, params.pad_w = image.pad_w;
  params.group = 16;
  params.split = 1;
  params.activation = WithLimits(problem.activation);
  params.norm_scale = operands.norm_scale;
  params.norm_bias = operands.norm_bias;
  params.epsilon = problem.epsilon;
  params.channels = operands.channels;
  params.types = problem.types;
  params.through_shared = problem.int8 && !problem.types.InRegisters(problem.activation.kind);
  return params;
}

std::string Gemm24WgmmaName(const Gemm24Problem& problem, const Gemm24Tactic& tactic) {
  if (tactic.lines) return LinesName(problem, tactic);
  const WgmmaInstance instance = Instance(problem, tactic.instance);
  std::string name = instance.persistent ? "persistent " : "";
  name += std::to_string(instance.panels * 64) + "x" + std::to_string(instance.tokens) + "x" +
          std::to_string(instance.tiles * 64);
  if (tactic.split > 1) name += " split " + std::to_string(tactic.split);
  return name;
}

cudaError_t AllowGemm24Wgmma(const Gemm24Problem& problem, const Gemm24Tactic& tactic) {
  if (tactic.lines) return AllowLines(problem, tactic.instance);
  const WgmmaInstance instance = Instance(problem, tactic.instance);
  if (problem.norm && problem.outputs > 8 * 64 * instance.panels) {
    if (cudaError_t error = cudaFuncSetAttribute(instance.kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1);
        error != cudaSuccess) {
      return error;
    }
  }
  return cudaFuncSetAttribute(instance.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, instance.shared_bytes);
}

cudaError_t Gemm24Wgmma(const Gemm24Problem& problem, const Gemm24Tactic& tactic, const Gemm24Operands& operands,
                        bool overlap, cudaStream_t stream) {
  if (tactic.lines) return LaunchLines(problem, tactic, operands, overlap, stream);
  const WgmmaInstance instance = Instance(problem, tactic.instance);
  WgmmaParams params = MakeParams(problem, operands);
  params.output_blocks = CeilDiv(problem.outputs, instance.panels * 64);
  params.token_blocks = CeilDiv(problem.rows, instance.tokens);
  params.split = tactic.split;
  const ImageSource& image = problem.image;
  const bool bf16 = problem.bf16;
  const cudaError_t made = params.images
                               ? MakeImageMap(&params.x, operands.x, image, instance.tokens, bf16)
                               : MakeRowMap(&params.x, operands.x, problem.rows, problem.depth, instance.tokens, bf16);
  if (made != cudaSuccess) return made;
  if (tactic.split == 1) {
    const auto map = [&](CUtensorMap* to, const void* rows, DType dtype) {
      if (!problem.int8) return MakeRowMap(to, rows, problem.rows, problem.outputs, instance.tokens, bf16);
      if (dtype == DType::kFloat16 && to == &params.y) {
        return MakeRowMap(to, rows, problem.rows, problem.outputs, instance.tokens, false);
      }
      if (!IsCode(dtype)) return cudaSuccess;  // not by the copy engine
      return MakeCodeMap(to, rows, problem.rows, problem.outputs, instance.tokens);
    };
    if (cudaError_t error = map(&params.y, operands.y, problem.types.y); error != cudaSuccess) return error;
    if (operands.residual != nullptr) {
      if (cudaError_t error = map(&params.residual, operands.residual, problem.types.residual); error != cudaSuccess) {
        return error;
      }
    }
  }

  cudaLaunchConfig_t config = {};
  int blocks = params.output_blocks * params.token_blocks;
  if (instance.persistent) {
    int multiprocessors = 0;
    if (cudaError_t error = CountMultiprocessors(&multiprocessors); error != cudaSuccess) return error;
    blocks = std::min(blocks, multiprocessors);
  }
  config.gridDim = dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(tactic.split));
  config.blockDim = dim3(static_cast<unsigned>(instance.threads));
  config.dynamicSmemBytes = static_cast<size_t>(instance.shared_bytes);
  config.stream = stream;
  cudaLaunchAttribute attributes[2];
  config.attrs = attributes;
  if (tactic.split > 1 || problem.norm) {
    cudaLaunchAttribute& cluster = attributes[config.numAttrs++];
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim.x = problem.norm ? static_cast<unsigned>(params.output_blocks) : 1;
    cluster.val.clusterDim.y = static_cast<unsigned>(tactic.split);
    cluster.val.clusterDim.z = 1;
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
