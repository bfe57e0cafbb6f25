// The body of binary operators with broadcasting for the ISA of the including file.
#pragma once

#include "src/kernels/elementwise/elementwise.h"
#include "src/kernels/elementwise/short_rows.h"
#include "src/kernels/vec_math.h"

namespace tamis {
namespace {

template <class F>
TAMIS_INLINE void CombineWith(const float* a, bool a_single, const float* b, bool b_single, float* y, int64_t n, F f) {
  if (a_single) {
    const Vec x = Set(a[0]);
    Map(b, y, n, [&](Vec other) { return f(x, other); });
  } else if (b_single) {
    const Vec x = Set(b[0]);
    Map(a, y, n, [&](Vec other) { return f(other, x); });
  } else {
    ForVectors(
        n, [&](int64_t i) { Store(y + i, f(Load(a + i), Load(b + i))); },
        [&](int64_t i, int rest) { StorePart(y + i, f(LoadPart(a + i, rest), LoadPart(b + i, rest)), rest); });
  }
}

inline void Combine(BinaryKind kind, float alpha, const float* a, bool a_single, const float* b, bool b_single,
                    float* y, int64_t n) {
  switch (kind) {
    case BinaryKind::kAdd:
      return CombineWith(a, a_single, b, b_single, y, n, [](Vec p, Vec q) { return p + q; });
    case BinaryKind::kSub:
      return CombineWith(a, a_single, b, b_single, y, n, [](Vec p, Vec q) { return p - q; });
    case BinaryKind::kMul:
      return CombineWith(a, a_single, b, b_single, y, n, [](Vec p, Vec q) { return p * q; });
    case BinaryKind::kDiv:
      return CombineWith(a, a_single, b, b_single, y, n, [](Vec p, Vec q) { return p / q; });
    case BinaryKind::kMin:
      return CombineWith(a, a_single, b, b_single, y, n, [](Vec p, Vec q) { return Min(p, q); });
    case BinaryKind::kMax:
      return CombineWith(a, a_single, b, b_single, y, n, [](Vec p, Vec q) { return Max(p, q); });
    case BinaryKind::kPRelu:
      return CombineWith(a, a_single, b, b_single, y, n, [](Vec p, Vec q) { return IfLess(p, Set(0), p * q, p); });
    case BinaryKind::kSwiGlu:
      return CombineWith(a, a_single, b, b_single, y, n,
                         [alpha](Vec p, Vec q) { return p * Sigmoid(Set(alpha) * p) * q; });
  }
}

inline void Binary(const BinaryArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                   std::byte* /*scratch*/) {
  alignas(64) float a_piece[kPiece], b_piece[kPiece], y_piece[kPiece];
  const BroadcastLoops& loops = args.loops;
  if (HasShortRows(loops, 2, args.bf16)) {
    return ForShortRows(loops, 2, args.bf16, inputs, begin, end, [&](int64_t at, int64_t n, const ShortPiece* pieces) {
      const auto& [a, a_one] = pieces[0];
      const auto& [b, b_one] = pieces[1];
      if (args.bf16_output) {
        Combine(args.kind, args.alpha, a, a_one, b, b_one, y_piece, n);
        Map(y_piece, static_cast<Bf16*>(outputs[0]) + at, n, [](Vec x) { return x; });
      } else {
        Combine(args.kind, args.alpha, a, a_one, b, b_one, static_cast<float*>(outputs[0]) + at, n);
      }
    });
  }
  const int64_t inner = loops.dims[loops.rank - 1];
  const bool a_single = loops.strides[0][loops.rank - 1] == 0;
  const bool b_single = loops.strides[1][loops.rank - 1] == 0;
  for (int64_t at = begin; at < end;) {
    int64_t offsets[kMaxOperands];
    RowOffsets(loops, at / inner, offsets);
    int64_t column = at % inner;
    const int64_t stop = MinOf(inner, column + end - at);
    for (; column < stop; column += kPiece) {
      const int64_t n = MinOf(kPiece, stop - column);
      const float* a =
          ReadPiece(inputs[0], args.bf16[0], offsets[0] + (a_single ? 0 : column), a_single ? 1 : n, a_piece);
      const float* b =
          ReadPiece(inputs[1], args.bf16[1], offsets[1] + (b_single ? 0 : column), b_single ? 1 : n, b_piece);
      if (args.bf16_output) {
        Combine(args.kind, args.alpha, a, a_single, b, b_single, y_piece, n);
        Map(y_piece, static_cast<Bf16*>(outputs[0]) + at, n, [](Vec x) { return x; });
      } else {
        Combine(args.kind, args.alpha, a, a_single, b, b_single, static_cast<float*>(outputs[0]) + at, n);
      }
      at += n;
    }
  }
}

inline void Variadic(const VariadicArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                     int64_t end, std::byte* /*scratch*/) {
  constexpr int64_t kBlock = 2048;  // elements of the result that stay in the L1 cache while operands are added
  float* y = static_cast<float*>(outputs[0]);
  for (int64_t block = begin; block < end; block += kBlock) {
    const int64_t stop = MinOf(block + kBlock, end);
    for (int64_t k = 0; k < args.operands; ++k) {
      const BroadcastLoops& loops = args.loops[k];
      const int64_t inner = loops.dims[loops.rank - 1];
      const bool single = loops.strides[0][loops.rank - 1] == 0;
      for (int64_t at = block; at < stop;) {
        int64_t offsets[kMaxOperands];
        RowOffsets(loops, at / inner, offsets);
        const int64_t first = at % inner, n = MinOf(inner - first, stop - at);
        const float* x = static_cast<const float*>(inputs[k]) + offsets[0] + (single ? 0 : first);
        if (k > 0) {
          Combine(args.kind, 1, x, single, y + at, false, y + at, n);
        } else if (single) {
          const Vec value = Set(x[0]);
          Map(y + at, y + at, n, [&](Vec) { return value; });
        } else {
          Map(x, y + at, n, [](Vec v) { return v; });
        }
        at += n;
      }
    }
    if (args.factor != 1) {
      const Vec factor = Set(args.factor);
      Map(y + block, y + block, stop - block, [&](Vec v) { return v * factor; });
    }
  }
}

}  // namespace
}  // namespace tamis
