// The fixed set of block shapes of gemm24_wgmma, and what its objects give one another.
#pragma once

#include "src/kernels/gemm/cuda/gemm24_persistent.cuh"
#include "src/kernels/gemm/cuda/gemm24_wgmma.cuh"

namespace tamis::cuda {

// X(tokens, warpgroups, panels of 64 outputs a warpgroup, tiles of 64 inputs a stage, stages, blocks a multiprocessor)
#define TAMIS_WGMMA_SHAPES(X) \
  X(256, 2, 1, 1, 4, 1)       \
  X(192, 2, 1, 1, 5, 1)       \
  X(128, 2, 2, 1, 6, 1)       \
  X(128, 3, 1, 1, 6, 1)       \
  X(128, 2, 1, 1, 4, 2)       \
  X(128, 1, 1, 1, 5, 2)       \
  X(64, 1, 1, 2, 4, 2)        \
  X(32, 1, 1, 2, 6, 2)        \
  X(16, 1, 1, 2, 8, 2)

// X(tokens, warpgroups, panels a warpgroup, tiles a stage, stages)
#define TAMIS_PERSISTENT_SHAPES(X) \
  X(192, 2, 2, 1, 4)               \
  X(128, 2, 2, 1, 5)               \
  X(256, 2, 1, 1, 3)

inline constexpr int kWgmmaInstances = 12;

// The same for dense weights, whose tiles take almost twice the shared memory.
#define TAMIS_DENSE_SHAPES(X) \
  X(256, 2, 1, 1, 4, 1)       \
  X(192, 2, 1, 1, 5, 1)       \
  X(128, 2, 2, 1, 4, 1)       \
  X(128, 3, 1, 1, 5, 1)       \
  X(128, 2, 1, 1, 3, 2)       \
  X(128, 1, 1, 1, 4, 2)       \
  X(128, 1, 1, 1, 2, 3)       \
  X(64, 2, 1, 1, 4, 2)        \
  X(64, 1, 1, 2, 3, 2)        \
  X(32, 1, 1, 2, 4, 2)        \
  X(16, 1, 1, 2, 5, 2)

#define TAMIS_DENSE_PERSISTENT_SHAPES(X) \
  X(192, 2, 2, 1, 3)                     \
  X(192, 2, 1, 1, 4)                     \
  X(128, 2, 2, 1, 4)                     \
  X(256, 2, 1, 1, 3)

inline constexpr int kDenseInstances = 15;

// Those with a layer norm behind the product, of 2:4 and of dense weights.
#define TAMIS_NORM_SHAPES(X) \
  X(128, 2, 2, 1, 6, 1)      \
  X(64, 2, 2, 1, 6, 1)       \
  X(32, 2, 1, 2, 6, 1)       \
  X(16, 1, 1, 2, 8, 2)
#define TAMIS_DENSE_NORM_SHAPES(X) \
  X(128, 2, 2, 1, 4, 1)            \
  X(64, 2, 2, 1, 5, 1)             \
  X(32, 2, 1, 2, 4, 1)             \
  X(16, 1, 1, 2, 5, 2)

inline constexpr int kNormInstances = 4;
inline constexpr int kMostClusterBlocks = 16;  // above 8 the kernel must be allowed to

// Of codes, whose tiles hold twice the inputs in the same bytes.
#define TAMIS_INT8_SHAPES(X) \
  X(256, 2, 1, 1, 4, 1)      \
  X(128, 2, 2, 1, 4, 1)      \
  X(128, 2, 1, 1, 3, 2)      \
  X(128, 1, 1, 1, 4, 2)      \
  X(128, 1, 1, 1, 2, 3)      \
  X(64, 2, 1, 1, 4, 2)       \
  X(64, 1, 1, 2, 3, 2)       \
  X(32, 1, 1, 2, 4, 2)       \
  X(16, 1, 1, 2, 5, 2)
#define TAMIS_INT8_PERSISTENT_SHAPES(X) \
  X(192, 2, 2, 1, 3)                    \
  X(128, 2, 2, 1, 4)                    \
  X(256, 2, 1, 1, 3)

// And of 2:4 codes, whose tiles are 62 % of these. The sums of two panels of 192 rows leave no registers for positions.
#define TAMIS_INT8_SPARSE_SHAPES(X) \
  X(256, 2, 1, 1, 5, 1)             \
  X(128, 2, 2, 1, 6, 1)             \
  X(128, 2, 1, 1, 4, 2)             \
  X(128, 1, 1, 1, 5, 2)             \
  X(64, 2, 1, 1, 5, 2)              \
  X(64, 1, 1, 2, 4, 2)              \
  X(32, 1, 1, 2, 6, 2)              \
  X(16, 1, 1, 2, 7, 2)
#define TAMIS_INT8_SPARSE_PERSISTENT_SHAPES(X) \
  X(192, 2, 1, 1, 5)                           \
  X(128, 2, 2, 1, 5)                           \
  X(256, 2, 1, 1, 3)

inline constexpr int kInt8Blocks = 9, kInt8SparseBlocks = 8;  // shapes of each
inline constexpr int kInt8PersistentBlocks = 3;               // of either
inline constexpr int kInt8Instances = kInt8Blocks + kInt8PersistentBlocks;
inline constexpr int kInt8SparseInstances = kInt8SparseBlocks + kInt8PersistentBlocks;

// Of float8, in tiles of the same bytes as codes; f16 or bf16 results. Few: each takes ptxas a quarter of a minute.
#define TAMIS_FLOAT8_SHAPES(X) \
  X(256, 2, 1, 1, 4, 1)        \
  X(128, 1, 1, 1, 4, 2)        \
  X(16, 1, 1, 2, 5, 2)
#define TAMIS_FLOAT8_PERSISTENT_SHAPES(X) X(128, 2, 2, 1, 4)
#define TAMIS_FLOAT8_SPARSE_SHAPES(X) \
  X(256, 2, 1, 1, 5, 1)               \
  X(128, 1, 1, 1, 5, 2)               \
  X(16, 1, 1, 2, 7, 2)
#define TAMIS_FLOAT8_SPARSE_PERSISTENT_SHAPES(X) X(128, 2, 2, 1, 5)

inline constexpr int kFloat8Instances = 4;  // dense or 2:4

// What an H100 was measured to take, in clock cycles, to rank tactics by.
inline constexpr double kBytesPerCycle = 52;   // that a multiprocessor gets from the level-2 cache
inline constexpr double kCacheLatency = 1100;  // of a stage, shared by the stages under way
inline constexpr double kStartCycles = 2600;   // of a launch
inline constexpr double FinishCycles(int panels, int tokens) {
  return 700 + 1.75 * panels * tokens;
}
constexpr int CeilDiv(int64_t a, int64_t b) {
  return static_cast<int>((a + b - 1) / b);
}

struct WgmmaInstance {
  const void* kernel;
  int tokens, panels, tiles, stages, threads, shared_bytes, per_multiprocessor, tile_bytes;
  bool can_split, persistent;
  bool sparse;
};

template <class Shape>
WgmmaInstance DescribeShape(const void* kernel) {
  return {kernel,
          Shape::kTokens,
          Shape::kPanels,
          Shape::kTiles,
          Shape::kStages,
          Shape::kThreads,
          Shape::kSharedBytes,
          Shape::kPerMultiprocessor,
          static_cast<int>(Shape::kTileBytes),
          Shape::kCanSplit,
          Shape::kPersistent,
          Shape::kSparse};
}

// Templates all of them: nvcc makes code of every kernel that a plain function names, in every object.
template <bool kBf16>
WgmmaInstance MakeWgmmaInstance(int index) {
  int at = 0;
#define TAMIS_MAKE_WGMMA(...)                                                                     \
  if (index == at++) {                                                                            \
    using Shape = WgmmaShape<__VA_ARGS__>;                                                        \
    return DescribeShape<Shape>(reinterpret_cast<const void*>(&Gemm24WgmmaKernel<Shape, kBf16>)); \
  }
#define TAMIS_MAKE_PERSISTENT(...)                                                                     \
  if (index == at++) {                                                                                 \
    using Shape = PersistentShape<__VA_ARGS__>;                                                        \
    return DescribeShape<Shape>(reinterpret_cast<const void*>(&Gemm24PersistentKernel<Shape, kBf16>)); \
  }
  TAMIS_WGMMA_SHAPES(TAMIS_MAKE_WGMMA)
  TAMIS_PERSISTENT_SHAPES(TAMIS_MAKE_PERSISTENT)
#undef TAMIS_MAKE_WGMMA
#undef TAMIS_MAKE_PERSISTENT
  return {};
}

template <bool kBf16>
WgmmaInstance MakeDenseInstance(int index) {
  int at = 0;
#define TAMIS_MAKE_WGMMA(...)                                                                     \
  if (index == at++) {                                                                            \
    using Shape = WgmmaShape<__VA_ARGS__, false>;                                                 \
    return DescribeShape<Shape>(reinterpret_cast<const void*>(&Gemm24WgmmaKernel<Shape, kBf16>)); \
  }
#define TAMIS_MAKE_PERSISTENT(...)                                                                     \
  if (index == at++) {                                                                                 \
    using Shape = PersistentShape<__VA_ARGS__, false>;                                                 \
    return DescribeShape<Shape>(reinterpret_cast<const void*>(&Gemm24PersistentKernel<Shape, kBf16>)); \
  }
  TAMIS_DENSE_SHAPES(TAMIS_MAKE_WGMMA)
  TAMIS_DENSE_PERSISTENT_SHAPES(TAMIS_MAKE_PERSISTENT)
#undef TAMIS_MAKE_WGMMA
#undef TAMIS_MAKE_PERSISTENT
  return {};
}

// Of one kind: the persistent ones or the others.
template <bool kSparse, bool kPersistent>
WgmmaInstance MakeInt8Instance(int index) {
  int at = 0;
#define TAMIS_MAKE_WGMMA(...)                                                                     \
  if (index == at++) {                                                                            \
    using Shape = WgmmaShape<__VA_ARGS__, kSparse, false, OperandType::kInt8>;                    \
    return DescribeShape<Shape>(reinterpret_cast<const void*>(&Gemm24WgmmaKernel<Shape, false>)); \
  }
#define TAMIS_MAKE_PERSISTENT(...)                                                                     \
  if (index == at++) {                                                                                 \
    using Shape = PersistentShape<__VA_ARGS__, kSparse, OperandType::kInt8>;                           \
    return DescribeShape<Shape>(reinterpret_cast<const void*>(&Gemm24PersistentKernel<Shape, false>)); \
  }
  if constexpr (kPersistent && kSparse) {
    TAMIS_INT8_SPARSE_PERSISTENT_SHAPES(TAMIS_MAKE_PERSISTENT)
  } else if constexpr (kPersistent) {
    TAMIS_INT8_PERSISTENT_SHAPES(TAMIS_MAKE_PERSISTENT)
  } else if constexpr (kSparse) {
    TAMIS_INT8_SPARSE_SHAPES(TAMIS_MAKE_WGMMA)
  } else {
    TAMIS_INT8_SHAPES(TAMIS_MAKE_WGMMA)
  }
#undef TAMIS_MAKE_WGMMA
#undef TAMIS_MAKE_PERSISTENT
  return {};
}

template <bool kSparse, bool kBf16>
WgmmaInstance MakeFloat8Instance(int index) {
  int at = 0;
#define TAMIS_MAKE_WGMMA(...)                                                                     \
  if (index == at++) {                                                                            \
    using Shape = WgmmaShape<__VA_ARGS__, kSparse, false, OperandType::kFloat8>;                  \
    return DescribeShape<Shape>(reinterpret_cast<const void*>(&Gemm24WgmmaKernel<Shape, kBf16>)); \
  }
#define TAMIS_MAKE_PERSISTENT(...)                                                                     \
  if (index == at++) {                                                                                 \
    using Shape = PersistentShape<__VA_ARGS__, kSparse, OperandType::kFloat8>;                         \
    return DescribeShape<Shape>(reinterpret_cast<const void*>(&Gemm24PersistentKernel<Shape, kBf16>)); \
  }
  if constexpr (kSparse) {
    TAMIS_FLOAT8_SPARSE_SHAPES(TAMIS_MAKE_WGMMA)
    TAMIS_FLOAT8_SPARSE_PERSISTENT_SHAPES(TAMIS_MAKE_PERSISTENT)
  } else {
    TAMIS_FLOAT8_SHAPES(TAMIS_MAKE_WGMMA)
    TAMIS_FLOAT8_PERSISTENT_SHAPES(TAMIS_MAKE_PERSISTENT)
  }
#undef TAMIS_MAKE_WGMMA
#undef TAMIS_MAKE_PERSISTENT
  return {};
}

template <bool kBf16>
WgmmaInstance MakeNormInstance(int index, bool dense) {
  int at = 0;
#define TAMIS_MAKE_NORM(sparse, ...)                                                              \
  if (index == at++) {                                                                            \
    using Shape = WgmmaShape<__VA_ARGS__, sparse, true>;                                          \
    return DescribeShape<Shape>(reinterpret_cast<const void*>(&Gemm24WgmmaKernel<Shape, kBf16>)); \
  }
#define TAMIS_MAKE_SPARSE_NORM(...) TAMIS_MAKE_NORM(true, __VA_ARGS__)
#define TAMIS_MAKE_DENSE_NORM(...) TAMIS_MAKE_NORM(false, __VA_ARGS__)
  if (dense) {
    TAMIS_DENSE_NORM_SHAPES(TAMIS_MAKE_DENSE_NORM)
  } else {
    TAMIS_NORM_SHAPES(TAMIS_MAKE_SPARSE_NORM)
  }
#undef TAMIS_MAKE_NORM
#undef TAMIS_MAKE_SPARSE_NORM
#undef TAMIS_MAKE_DENSE_NORM
  return {};
}

// What all kernels are told: everything but tensor maps, the split and how blocks divide the work.
WgmmaParams MakeParams(const Gemm24Problem& problem, const Gemm24Operands& operands);

// Of the current device.
cudaError_t CountMultiprocessors(int* count);

// One object for each kind.
WgmmaInstance DenseInstanceF16(int index);
WgmmaInstance DenseInstanceBf16(int index);
WgmmaInstance Float8InstanceF16(int index, bool dense);
WgmmaInstance Float8InstanceBf16(int index, bool dense);
WgmmaInstance Int8Instance(int index);
WgmmaInstance Int8PersistentInstance(int index);
WgmmaInstance Int8SparseInstance(int index);
WgmmaInstance Int8SparsePersistentInstance(int index);
WgmmaInstance NormInstanceF16(int index, bool dense);
WgmmaInstance NormInstanceBf16(int index, bool dense);
WgmmaInstance WgmmaInstanceF16(int index);
WgmmaInstance WgmmaInstanceBf16(int index);

}  // namespace tamis::cuda
