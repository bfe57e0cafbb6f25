// The fixed set of block shapes of the kernels that keep lines of images in shared memory.
#pragma once

#include "src/kernels/gemm/cuda/gemm24_lines.cuh"

namespace tamis::cuda {

// X(columns, blocks a multiprocessor). For the 3 x 3 convolutions of 32 images that most networks have, one wave of
// blocks on 132 multiprocessors: four lines of 56 pixels (227 columns with what lies between), seven of 28 (202, two
// blocks), an image of 14 x 14 (209), two of 7 x 7 (119), or four of them (247) whose channels two blocks divide.
// Blocks of 128 outputs in two warpgroups were slower in all of them.
#define TAMIS_LINES_SHAPES(X) \
  X(128, 3)                   \
  X(224, 2)                   \
  X(240, 2)                   \
  X(256, 1)

// Of codes, whose tiles of y are written 32 pixels a step.
#define TAMIS_INT8_LINES_SHAPES(X) \
  X(128, 3)                        \
  X(224, 2)                        \
  X(256, 2)

inline constexpr int kLinesInstances = 4, kInt8LinesInstances = 3;  // of each kind

struct LinesInstance {
  const void* kernel;
  int columns, threads, per_multiprocessor, tile_bytes;  // of the weight
  int exchange_bytes;                                    // with a split; 0: there is none
  bool sparse;
};

template <class Shape>
LinesInstance DescribeLines() {
  return {reinterpret_cast<const void*>(&Gemm24LinesKernel<Shape>),
          Shape::kTokens,
          Shape::kThreads,
          Shape::kPerMultiprocessor,
          static_cast<int>(Shape::kTileBytes),
          Shape::kExchangeBytes,
          Shape::kSparse};
}

// A template for the same reason as MakeWgmmaInstance.
template <bool kSparse, bool kInt8>
LinesInstance MakeLinesInstance(int index) {
  int at = 0;
#define TAMIS_MAKE_LINES(...) \
  if (index == at++) return DescribeLines<LinesShape<__VA_ARGS__, kSparse, kInt8>>();
  if constexpr (kInt8) {
    TAMIS_INT8_LINES_SHAPES(TAMIS_MAKE_LINES)
  } else {
    TAMIS_LINES_SHAPES(TAMIS_MAKE_LINES)
  }
#undef TAMIS_MAKE_LINES
  return {};
}

// One object for each kind.
LinesInstance SparseLinesF16(int index);
LinesInstance DenseLinesF16(int index);
LinesInstance DenseLinesInt8(int index);
LinesInstance SparseLinesInt8(int index);

}  // namespace tamis::cuda
