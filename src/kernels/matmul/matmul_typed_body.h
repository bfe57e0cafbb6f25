// The body of MatMul of f64 and integers for the ISA of the including file: vectors are the compiler's own.
#pragma once

#include <cstdint>

#include "src/kernels/matmul/matmul.h"

namespace tamis {
namespace {

constexpr int64_t kTypedRows = 4, kTypedVectors = 2;

// c[kRows, vectors] = a . b, the depth as the inner loop.
template <int kRows, class T>
inline void TypedTile(int64_t depth, const T* a, int64_t a_stride, const T* b, int64_t b_stride, T* c,
                      int64_t c_stride) {
  // 64 bytes, in as many registers as the ISA needs; loads from any address.
  typedef T Lanes __attribute__((vector_size(64), aligned(sizeof(T)), may_alias));
  constexpr int64_t kLanes = 64 / sizeof(T);
  Lanes sums[kRows][kTypedVectors] = {};
  for (int64_t k = 0; k < depth; ++k) {
    const Lanes* row = reinterpret_cast<const Lanes*>(b + k * b_stride);
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kTypedVectors; ++v) sums[r][v] += a[r * a_stride + k] * row[v];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kTypedVectors; ++v) {
      *reinterpret_cast<Lanes*>(c + r * c_stride + v * kLanes) = sums[r][v];
    }
  }
}

template <class T>
inline void TypedItems(const MatMulArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                       int64_t end) {
  constexpr int64_t kWidth = kTypedVectors * 64 / sizeof(T);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t block = item % args.blocks, chunk = item / args.blocks % args.chunks;
    const int64_t entry = item / args.blocks / args.chunks;
    int64_t matrices[kMaxOperands];
    MatricesOf(args, entry, matrices);
    const int64_t first_row = block * args.block, first = chunk * args.chunk;
    const int64_t rows = args.rows - first_row < args.block ? args.rows - first_row : args.block;
    const int64_t last = args.columns < first + args.chunk ? args.columns : first + args.chunk;
    const T* a = static_cast<const T*>(inputs[0]) + (matrices[0] * args.rows + first_row) * args.depth;
    const T* b = static_cast<const T*>(inputs[1]) + matrices[1] * args.depth * args.columns;
    T* c = static_cast<T*>(outputs[0]) + (entry * args.rows + first_row) * args.columns;
    int64_t n = first;
    for (; n + kWidth <= last; n += kWidth) {
      int64_t r = 0;
      for (; r + kTypedRows <= rows; r += kTypedRows) {
        TypedTile<kTypedRows>(args.depth, a + r * args.depth, args.depth, b + n, args.columns, c + r * args.columns + n,
                              args.columns);
      }
      for (; r < rows; ++r) {
        TypedTile<1>(args.depth, a + r * args.depth, args.depth, b + n, args.columns, c + r * args.columns + n,
                     args.columns);
      }
    }
    for (int64_t r = 0; n < last && r < rows; ++r) {
      T* to = c + r * args.columns;
      for (int64_t j = n; j < last; ++j) to[j] = 0;
      for (int64_t k = 0; k < args.depth; ++k) {
        const T factor = a[r * args.depth + k];
        for (int64_t j = n; j < last; ++j) to[j] += factor * b[k * args.columns + j];
      }
    }
  }
}

// Integers are multiplied without their signs, so that they wrap.
inline void TypedMatMul64(const MatMulArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                          int64_t end, std::byte* /*scratch*/) {
  TypedItems<uint64_t>(args, inputs, outputs, begin, end);
}
inline void TypedMatMul32(const MatMulArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                          int64_t end, std::byte* /*scratch*/) {
  TypedItems<uint32_t>(args, inputs, outputs, begin, end);
}
inline void DoubleMatMul(const MatMulArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                         int64_t end, std::byte* /*scratch*/) {
  TypedItems<double>(args, inputs, outputs, begin, end);
}

inline MatMulBody TypedBodyOf(DType dtype) {
  if (dtype == DType::kFloat64) return DoubleMatMul;
  return dtype == DType::kInt64 || dtype == DType::kUInt64 ? TypedMatMul64 : TypedMatMul32;
}

}  // namespace
}  // namespace tamis
