// The body of MatMul for the ISA of the including file.
#pragma once

#include "src/kernels/matmul/matmul.h"
#include "src/kernels/vec_tile.h"

namespace tamis {
namespace {

template <class T>
inline void PackColumns(const MatMulArgs& args, const void* matrices, int64_t matrix, int64_t first, int64_t n,
                        float* out) {
  const T* b = static_cast<const T*>(matrices) + matrix * args.depth * args.columns + first;
  for (int64_t k = 0; k < args.depth; ++k) {
    Map(b + k * args.columns, out + k * args.chunk, n, [](Vec x) { return x; });
    for (int64_t c = n; c < RoundUp(n, kLanes); ++c) out[k * args.chunk + c] = 0;
  }
}

template <class T>
inline void StoreRows(const MatMulArgs& args, const float* c, void* y, int64_t at, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    Map(c + r * args.chunk, static_cast<T*>(y) + at + r * args.columns, n, [](Vec x) { return x; });
  }
}

inline void Multiply(const MatMulArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                     int64_t end, std::byte* scratch) {
  auto* packed = reinterpret_cast<float*>(scratch + args.b_at);
  auto* result = reinterpret_cast<float*>(scratch + args.c_at);
  int64_t packed_chunk = -1;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t chunk_item = item / args.blocks;  // (batch entry, chunk)
    const int64_t entry = chunk_item / args.chunks;
    const int64_t first = chunk_item % args.chunks * args.chunk;
    const int64_t n = MinOf(args.chunk, args.columns - first);
    int64_t matrices[kMaxOperands];
    MatricesOf(args, entry, matrices);
    if (chunk_item != packed_chunk) {
      const auto pack = args.bf16[1] ? PackColumns<Bf16> : PackColumns<float>;
      pack(args, inputs[1], matrices[1], first, n, packed);
      packed_chunk = chunk_item;
    }
    const int64_t row = item % args.blocks * args.block;
    const int64_t rows = MinOf(args.block, args.rows - row);
    const int64_t a_at = (matrices[0] * args.rows + row) * args.depth;
    const float* a = nullptr;
    if (args.bf16[0]) {
      auto* widened = reinterpret_cast<float*>(scratch + args.a_at);
      Map(static_cast<const Bf16*>(inputs[0]) + a_at, widened, rows * args.depth, [](Vec x) { return x; });
      a = widened;
    } else {
      a = static_cast<const float*>(inputs[0]) + a_at;
    }
    MultiplyTiles<F32Product>(rows, RoundUp(n, kLanes), args.depth, a, args.depth, packed, args.chunk, result,
                              args.chunk);
    const auto store = args.bf16_output ? StoreRows<Bf16> : StoreRows<float>;
    store(args, result, outputs[0], (entry * args.rows + row) * args.columns + first, rows, n);
  }
}

}  // namespace
}  // namespace tamis
