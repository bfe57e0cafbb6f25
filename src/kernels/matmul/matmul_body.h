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

// Sums of `rows` rows of A times b, several at once so that no sum waits for itself.
inline void DotRows(const float* a, const float* b, int64_t rows, int64_t depth, float* out) {
  constexpr int64_t kAtOnce = 4;
  int64_t row = 0;
  for (; row + kAtOnce <= rows; row += kAtOnce, a += kAtOnce * depth) {
    Vec sums[kAtOnce] = {Set(0), Set(0), Set(0), Set(0)};
    ForVectors(
        depth,
        [&](int64_t k) {
          const Vec y = Load(b + k);
          for (int64_t r = 0; r < kAtOnce; ++r) sums[r] = Fma(Load(a + r * depth + k), y, sums[r]);
        },
        [&](int64_t k, int rest) {
          const Vec y = LoadPart(b + k, rest);
          for (int64_t r = 0; r < kAtOnce; ++r) sums[r] = Fma(LoadPart(a + r * depth + k, rest), y, sums[r]);
        });
    for (int64_t r = 0; r < kAtOnce; ++r) out[row + r] = SumLanes(sums[r]);
  }
  for (; row < rows; ++row, a += depth) {
    Vec sum = Set(0);
    ForVectors(
        depth, [&](int64_t k) { sum = Fma(Load(a + k), Load(b + k), sum); },
        [&](int64_t k, int rest) { sum = Fma(LoadPart(a + k, rest), LoadPart(b + k, rest), sum); });
    out[row] = SumLanes(sum);
  }
}

// B of one column, which tiles would pad to a vector of them: f32 operands are read where they lie.
inline void MultiplyColumn(const MatMulArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                           int64_t end, std::byte* scratch) {
  for (int64_t item = begin; item < end; ++item) {
    const int64_t entry = item / args.blocks, row = item % args.blocks * args.block;
    const int64_t rows = MinOf(args.block, args.rows - row);
    int64_t matrices[kMaxOperands];
    MatricesOf(args, entry, matrices);
    const auto read = [&](size_t i, int64_t at, int64_t n, int64_t place) {
      if (!args.bf16[i]) return static_cast<const float*>(inputs[i]) + at;
      auto* widened = reinterpret_cast<float*>(scratch + place);
      Map(static_cast<const Bf16*>(inputs[i]) + at, widened, n, [](Vec x) { return x; });
      return static_cast<const float*>(widened);
    };
    const float* a = read(0, (matrices[0] * args.rows + row) * args.depth, rows * args.depth, args.a_at);
    const float* b = read(1, matrices[1] * args.depth, args.depth, args.b_at);
    auto* result = reinterpret_cast<float*>(scratch + args.c_at);
    DotRows(a, b, rows, args.depth, result);
    const int64_t at = entry * args.rows + row;
    if (args.bf16_output) {
      Map(result, static_cast<Bf16*>(outputs[0]) + at, rows, [](Vec x) { return x; });
    } else {
      Map(result, static_cast<float*>(outputs[0]) + at, rows, [](Vec x) { return x; });
    }
  }
}

inline void Multiply(const MatMulArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                     int64_t end, std::byte* scratch) {
  if (args.columns == 1) return MultiplyColumn(args, inputs, outputs, begin, end, scratch);
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
