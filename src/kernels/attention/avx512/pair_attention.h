// How attention packs bf16 operands to be multiplied in pairs of adjacent depth, by vectors or tiles. Included by files
// of this folder; everything here is in their anonymous namespaces.
#pragma once

#include "src/kernels/attention/attention_body.h"

namespace tamis {
namespace {

// Two bf16 of adjacent depth, which may lie at any even address of a bf16 tensor.
typedef uint32_t __attribute__((may_alias, aligned(2))) Pair;  // NOLINT: an attribute of a type needs typedef

struct PairProduct {
  using A = Pair;
  using B = uint32_t;
  using Sum = Vec;
  static TAMIS_INLINE Vec Zero() { return Set(0); }
  static TAMIS_INLINE void Keep(float* c, Vec sum) { Store(c, sum); }
  static TAMIS_INLINE __m512bh LoadB(const uint32_t* p) { return reinterpret_cast<__m512bh>(_mm512_loadu_si512(p)); }
  static TAMIS_INLINE Vec MultiplyAdd(uint32_t a, __m512bh b, Vec sum) {
    return {_mm512_dpbf16_ps(sum.v, reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(a))), b)};
  }
};

struct PairAttention : ByVectors<PairProduct> {
  using Element = Bf16;

  static const Pair* Queries(const AttentionArgs& args, const Bf16* q, int64_t rows, std::byte* scratch,
                             int64_t* stride) {
    const int64_t q_stride = args.q.row;
    if (args.depth % 2 == 0) {
      *stride = q_stride / 2;
      return reinterpret_cast<const Pair*>(q);
    }
    auto* packed = reinterpret_cast<Bf16*>(scratch + args.query_at);
    *stride = (args.depth + 1) / 2;
    for (int64_t r = 0; r < rows; ++r) {
      Bf16* row = packed + r * (args.depth + 1);
      for (int64_t d = 0; d < args.depth; ++d) row[d] = q[r * q_stride + d];
      row[args.depth] = {0};
    }
    return reinterpret_cast<const Pair*>(packed);
  }
  // One key from `depth` on.
  static void PackKey(const AttentionArgs& args, const Bf16* row, int64_t depth, uint32_t* out) {
    int64_t d = depth;
    for (; d + 2 <= args.depth; d += 2) out[d / 2 * args.keys_pad] = *reinterpret_cast<const Pair*>(row + d);
    if (d < args.depth) out[d / 2 * args.keys_pad] = row[d].bits;
  }
  static void PackKeys(const AttentionArgs& args, const Bf16* k, uint32_t* out) {
    const int64_t stride = args.k.row;
    int64_t t = 0;
    for (; t + kLanes <= args.keys; t += kLanes) {
      const Bf16* rows = k + t * stride;
      int64_t d = 0;
      for (; d + 8 <= args.depth; d += 8) {
        const auto load = [&](int r) {
          return _mm_castsi128_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows + r * stride + d)));
        };
        __m512 pairs[4];
        TransposeFours(load, pairs);
        uint32_t* to = out + d / 2 * args.keys_pad + t;
        for (int i = 0; i < 4; ++i) _mm512_storeu_si512(to + i * args.keys_pad, _mm512_castps_si512(pairs[i]));
      }
      for (int r = 0; r < kLanes; ++r) PackKey(args, rows + r * stride, d, out + t + r);
    }
    for (; t < args.keys; ++t) PackKey(args, k + t * stride, 0, out + t);
    for (int64_t step = 0; step < DepthSteps(args); ++step) {
      for (int64_t i = args.keys; i < args.keys_pad; ++i) out[step * args.keys_pad + i] = 0;
    }
  }
  static void PackValues(const AttentionArgs& args, const Bf16* v, uint32_t* out) {
    const int64_t stride = args.v.row;
    for (int64_t t = 0; t < args.keys; t += 2) {
      const bool single = t + 1 == args.keys;
      const Bf16* low = v + t * stride;
      const Bf16* high = single ? low : low + stride;
      uint32_t* row = out + t / 2 * args.value_pad;
      for (int64_t e = 0; e < args.value_pad; e += 16) {
        const __mmask16 lanes = e + 16 <= args.value_depth ? static_cast<__mmask16>(0xffff)
                                                           : FirstLanes(static_cast<int>(args.value_depth - e));
        const __m512i first = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, low + e));
        const __mmask16 second_lanes = single ? static_cast<__mmask16>(0) : lanes;
        const __m512i second = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(second_lanes, high + e));
        _mm512_storeu_si512(row + e, _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
      }
    }
  }
  static constexpr int64_t kKeys = 2;
  using Numerator = Bf16;
  static Bf16* Numerators(const AttentionArgs& args, std::byte* scratch) {
    return reinterpret_cast<Bf16*>(scratch + args.weights_at);
  }
  static TAMIS_INLINE void Keep(Bf16* to, Vec numerators) {
    const __m256bh narrow = _mm512_cvtneps_pbh(numerators.v);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i>(narrow));
  }
  static int64_t DepthSteps(const AttentionArgs& args) { return (args.depth + 1) / 2; }
};

}  // namespace
}  // namespace tamis
