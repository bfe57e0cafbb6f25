// gemm24_mma: the block shapes and their launch.
#include "src/kernels/gemm/cuda/gemm24_mma.cuh"

namespace tamis::cuda {
namespace {

// X(index, tokens, warps across outputs, warps along the depth, stages of x, steps of weights ahead, blocks a
// multiprocessor)
#define TAMIS_MMA_SHAPES(X) \
  X(0, 128, 4, 1, 4, 1, 2)  \
  X(1, 64, 4, 1, 4, 2, 3)   \
  X(2, 32, 1, 8, 3, 3, 2)   \
  X(3, 16, 1, 8, 3, 4, 2)   \
  X(4, 8, 1, 8, 4, 4, 2)

struct MmaInstance {
  void (*kernel[2])(SparseMmaParams);
  int tokens, across, deep, threads, shared_bytes;
};

template <class Shape>
MmaInstance Make() {
  return {{&Gemm24MmaKernel<Shape, false>, &Gemm24MmaKernel<Shape, true>},
          Shape::kTokens,
          Shape::kWarpsAcross,
          Shape::kWarpsDeep,
          Shape::kThreads,
          Shape::kSharedBytes};
}

constexpr int kInstances = 5;

MmaInstance Instance(int index) {
  switch (index) {
#define TAMIS_MMA_CASE(index, ...) \
  case index:                      \
    return Make<SparseMmaShape<__VA_ARGS__>>();
    TAMIS_MMA_SHAPES(TAMIS_MMA_CASE)
#undef TAMIS_MMA_CASE
    default:
      return {};
  }
}

int Ceil(int64_t a, int64_t b) {
  return static_cast<int>((a + b - 1) / b);
}

}  // namespace

std::vector<Gemm24Tactic> Gemm24MmaTactics(const Gemm24Problem& problem, int) {
  std::vector<Gemm24Tactic> tactics;
  for (int index = kInstances - 1; index >= 0; --index) {  // smallest first
    const MmaInstance instance = Instance(index);
    if (instance.tokens > 8 && problem.rows * 2 <= instance.tokens) continue;
    // Every block of rows reads all weights again: blocks of few rows are for few rows.
    if (instance.deep > 1 && problem.rows > 2 * instance.tokens) continue;
    tactics.push_back({index, 1});
  }
  return tactics;
}

std::string Gemm24MmaName(const Gemm24Tactic& tactic) {
  const MmaInstance instance = Instance(tactic.instance);
  return "mma " + std::to_string(instance.across * 32) + "x" + std::to_string(instance.tokens) + " deep " +
         std::to_string(instance.deep);
}

cudaError_t AllowGemm24Mma(const Gemm24Problem& problem, const Gemm24Tactic& tactic) {
  const MmaInstance instance = Instance(tactic.instance);
  const void* kernel = reinterpret_cast<const void*>(instance.kernel[problem.bf16 ? 1 : 0]);
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, instance.shared_bytes);
}

cudaError_t Gemm24Mma(const Gemm24Problem& problem, const Gemm24Tactic& tactic, const Gemm24Operands& operands,
                      bool overlap, cudaStream_t stream) {
  const MmaInstance instance = Instance(tactic.instance);
  SparseMmaParams params = {};
  params.x = static_cast<const uint16_t*>(operands.x);
  params.weight = static_cast<const std::byte*>(operands.weight);
  params.bias = operands.bias;
  params.residual = static_cast<const uint16_t*>(operands.residual);
  params.y = static_cast<uint16_t*>(operands.y);
  params.rows = static_cast<int>(problem.rows);
  params.outputs = static_cast<int>(problem.outputs);
  params.depth = static_cast<int>(problem.depth);
  params.depth_tiles = Ceil(problem.depth, 64);
  params.output_tiles = Ceil(problem.outputs, 64);
  params.output_blocks = Ceil(problem.outputs, instance.across * 32);
  params.activation = WithLimits(problem.activation);
  const void* kernel = reinterpret_cast<const void*>(instance.kernel[problem.bf16 ? 1 : 0]);
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(params.output_blocks * Ceil(problem.rows, instance.tokens)));
  config.blockDim = dim3(static_cast<unsigned>(instance.threads));
  config.dynamicSmemBytes = static_cast<size_t>(instance.shared_bytes);
  config.stream = stream;
  cudaLaunchAttribute serial = {};
  serial.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  serial.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &serial;
  config.numAttrs = overlap ? 1 : 0;
  void* arguments[] = {&params};
  return cudaLaunchKernelExC(&config, kernel, arguments);
}

}  // namespace tamis::cuda
