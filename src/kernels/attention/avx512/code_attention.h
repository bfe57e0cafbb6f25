// Attention of operands that are rounded to 8-bit codes when they are packed: sums of vpdpbusd for scores and values,
// four times the multiplications of f32. Included by files of this folder; everything here is in their anonymous
// namespaces.
//
// With u8 codes a of q and s8 codes b of k (theirs less 128), zero points z, a score is
//
//   scale * q_scale * k_scale * sum((a - z_q) * (b - z_k))
//     = scale * q_scale * k_scale * (sum(a * b) - z_q * sum(b)) + what is the same for all keys of a query
//
// of which a softmax knows no difference. The numerators of a row become 255ths of its largest, which is what u8 codes
// of a softmax are at the best, and are divided by the sum of what they became. So their exponentials need no more than
// a tenth of a code's accuracy: a polynomial of the third degree is 1e-4 of them off.
#pragma once

#include "src/kernels/attention/attention_body.h"

namespace tamis {
namespace {

// Four codes of adjacent depth, which may lie anywhere.
typedef uint32_t __attribute__((may_alias, aligned(1))) Four;  // NOLINT: an attribute of a type needs typedef

// Sums are whole numbers in the place of floats.
struct CodeProduct {
  using A = Four;
  using B = uint32_t;
  using Sum = __m512i;
  static TAMIS_INLINE __m512i Zero() { return _mm512_setzero_si512(); }
  static TAMIS_INLINE void Keep(float* c, __m512i sum) { _mm512_storeu_si512(c, sum); }
  static TAMIS_INLINE __m512i LoadB(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static TAMIS_INLINE __m512i MultiplyAdd(uint32_t a, __m512i b, __m512i sum) {
    return _mm512_dpbusd_epi32(sum, _mm512_set1_epi32(static_cast<int>(a)), b);
  }
};

// Of numbers, the whole number nearest to x / scale + zero: far beyond a code where x is.
struct Rounding {
  Rounding(const OperandCodes& codes, int shift)
      : inverse(_mm512_set1_ps(1.0f / codes.scale)), zero(_mm512_set1_epi32(codes.zero - shift)) {}
  TAMIS_INLINE __m512i operator()(Vec x) const {
    const __m512 far = _mm512_set1_ps(1024), near = _mm512_max_ps(_mm512_set1_ps(-1024), _mm512_mul_ps(x.v, inverse));
    return _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_min_ps(far, near)), zero);
  }
  __m512 inverse;
  __m512i zero;
};

template <class T>
struct CodeAttention : ByVectors<CodeProduct> {
  using Element = T;

  static int64_t DepthSteps(const AttentionArgs& args) { return (args.depth + 3) / 4; }

  // Sixteen elements from `p` on, of which `count` are there, as s8 codes less 128; 0 for the others.
  static TAMIS_INLINE __m128i Signed(const T* p, int64_t count, const Rounding& round) {
    if (count >= kLanes) return _mm512_cvtsepi32_epi8(round(Load(p)));
    const int some = static_cast<int>(MaxOf(count, 0));
    return _mm512_maskz_cvtsepi32_epi8(FirstLanes(some), round(LoadPart(p, some)));
  }

  static const Four* Queries(const AttentionArgs& args, const T* q, int64_t rows, std::byte* scratch, int64_t* stride) {
    auto* packed = reinterpret_cast<uint8_t*>(scratch + args.query_at);
    const Rounding round(args.q_codes, 0);
    *stride = DepthSteps(args);
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = q + r * args.q.row;
      uint8_t* to = packed + r * *stride * 4;
      for (int64_t d = 0; d < args.depth; d += kLanes) {
        const int some = static_cast<int>(MinOf(kLanes, args.depth - d));
        const __m512i codes = _mm512_max_epi32(round(LoadPart(row + d, some)), _mm512_setzero_si512());
        // What lies behind the depth meets keys of 0.
        const int stored = static_cast<int>(MinOf(kLanes, *stride * 4 - d));
        _mm512_mask_cvtusepi32_storeu_epi8(to + d, FirstLanes(stored), codes);
      }
    }
    return reinterpret_cast<const Four*>(packed);
  }

  // And, in the row behind them, what the zero point of q takes off the scores of each key.
  static void PackKeys(const AttentionArgs& args, const T* k, uint32_t* out) {
    const Rounding round(args.k_codes, 128);
    const int64_t steps = DepthSteps(args);
    const __m512i ones = _mm512_set1_epi8(1), zero = _mm512_set1_epi32(args.q_codes.zero);
    for (int64_t t = 0; t < args.keys_pad; t += kLanes) {
      __m512i sum = _mm512_setzero_si512();
      for (int64_t d = 0; d < args.depth; d += kLanes) {
        const auto load = [&](int64_t r) {
          const bool there = t + r < args.keys;
          const T* row = k + (there ? t + r : 0) * args.k.row + d;
          return _mm_castsi128_ps(Signed(row, there ? args.depth - d : 0, round));
        };
        __m512 columns[4];
        TransposeFours(load, columns);
        for (int64_t i = 0; i < MinOf(4, steps - d / 4); ++i) {
          const __m512i codes = _mm512_castps_si512(columns[i]);
          _mm512_storeu_si512(out + (d / 4 + i) * args.keys_pad + t, codes);
          sum = _mm512_dpbusd_epi32(sum, ones, codes);
        }
      }
      const __m512i off = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_mullo_epi32(zero, sum));
      _mm512_storeu_si512(out + steps * args.keys_pad + t, off);
    }
  }

  static void PackValues(const AttentionArgs& args, const T* v, uint32_t* out) {
    const Rounding round(args.v_codes, 128);
    for (int64_t t = 0; t < args.keys; t += 4) {
      uint32_t* to = out + t / 4 * args.value_pad;
      for (int64_t e = 0; e < args.value_pad; e += kLanes) {
        __m128i rows[4];
        for (int64_t r = 0; r < 4; ++r) {
          const bool there = t + r < args.keys;
          rows[r] = Signed(v + (there ? t + r : 0) * args.v.row + e, there ? args.value_depth - e : 0, round);
        }
        const __m128i low01 = _mm_unpacklo_epi8(rows[0], rows[1]), low23 = _mm_unpacklo_epi8(rows[2], rows[3]);
        const __m128i high01 = _mm_unpackhi_epi8(rows[0], rows[1]), high23 = _mm_unpackhi_epi8(rows[2], rows[3]);
        auto* fours = reinterpret_cast<__m128i*>(to + e);
        _mm_storeu_si128(fours, _mm_unpacklo_epi16(low01, low23));
        _mm_storeu_si128(fours + 1, _mm_unpackhi_epi16(low01, low23));
        _mm_storeu_si128(fours + 2, _mm_unpacklo_epi16(high01, high23));
        _mm_storeu_si128(fours + 3, _mm_unpackhi_epi16(high01, high23));
      }
    }
  }

  static constexpr int64_t kKeys = 4;
  using Numerator = uint8_t;
  static uint8_t* Numerators(const AttentionArgs& args, std::byte* scratch) {
    return reinterpret_cast<uint8_t*>(scratch + args.weights_at);
  }

  // 255 * 2^-x for x of 0 and more, rounded; of an infinite x or a NaN a number below 0.
  static TAMIS_INLINE __m512i Share(Vec x) {
    const Vec power = Set(0) - x, n = Round(power), r = power - n;
    Vec p = Fma(r, Set(14.0272298f), Set(61.7637421f));
    p = Fma(p, r, Set(176.787146f));
    p = Fma(p, r, Set(255.0f));
    return _mm512_cvtps_epi32(ScaleByPowerOfTwo(p, n).v);
  }

  template <class Policy>
  static SoftmaxSum Softmax(const AttentionArgs& args, const uint32_t* keys, float* scores, const void* mask,
                            KeyRange range, KeyRange seen, uint8_t* numerators) {
    const float unit = args.scale * args.q_codes.scale * args.k_codes.scale;
    const int64_t stride = args.mask_strides[3];
    const uint32_t* off = keys + DepthSteps(args) * args.keys_pad;
    const auto whole = [&](int64_t t) {
      return Vec{_mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_loadu_si512(scores + t), _mm512_loadu_si512(off + t)))};
    };
    const auto masked = [&](const auto* addend) {
      const auto score = [&](int64_t t) { return Fma(whole(t), Set(unit), MaskAt(addend, stride, t, args.keys)); };
      return Shares(args, 1, score, range, seen, numerators);
    };
    if (args.mask == MaskKind::kF32) return masked(static_cast<const float*>(mask));
    if (args.mask == MaskKind::kBf16) return masked(static_cast<const Bf16*>(mask));
    return Shares(args, unit, whole, range, seen, numerators);
  }

  static TAMIS_INLINE Vec Weighted(const AttentionArgs& args, Vec sum, Vec inverse) {
    const Vec whole = {_mm512_cvtepi32_ps(_mm512_castps_si512(sum.v))};
    const float scale = args.v_codes.scale;
    return Fma(whole * inverse, Set(scale), Set(-scale * static_cast<float>(args.v_codes.zero - 128)));
  }

 private:
  // Numerators of scores that are `unit` times score(t), twice asked for, for sixteen keys from t on.
  template <class Score>
  static TAMIS_INLINE SoftmaxSum Shares(const AttentionArgs& args, float unit, const Score& score, KeyRange range,
                                        KeyRange seen, uint8_t* numerators) {
    const float infinity = __builtin_inff();
    const auto visible = [&](int64_t t) __attribute__((always_inline)) {
      const Vec x = score(t);
      return t < seen.begin || t + kLanes > seen.end ? Hide(x, seen.begin - t, seen.end - t, -infinity) : x;
    };
    Vec highest = Set(-infinity);
    for (int64_t t = range.begin; t < range.end; t += kLanes) highest = Max(highest, visible(t));
    const float most = MaxLane(highest);
    if (const auto kind = KindOfRow(args, most); kind != SoftmaxSum::kDivide) {
      for (int64_t t = range.begin; t < range.end; ++t) numerators[t] = 0;
      return {1, kind};
    }
    const Vec top = Set(most), to_power = Set(unit * 1.44269504f);
    const auto share = [&](int64_t t) __attribute__((always_inline)) {
      return Share((top - visible(t)) * to_power);
    };
    // Packing by fours leaves the fours of the vectors side by side.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_setzero_si512();
    int64_t t = range.begin;
    for (; t + 4 * kLanes <= range.end; t += 4 * kLanes) {
      const __m512i low = _mm512_packus_epi32(share(t), share(t + kLanes));
      const __m512i high = _mm512_packus_epi32(share(t + 2 * kLanes), share(t + 3 * kLanes));
      const __m512i codes = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high));
      _mm512_storeu_si512(numerators + t, codes);
      sum = _mm512_dpbusd_epi32(sum, codes, ones);
    }
    for (; t < range.end; t += kLanes) {
      const __m512i codes = _mm512_max_epi32(share(t), _mm512_setzero_si512());
      _mm_storeu_si128(reinterpret_cast<__m128i*>(numerators + t), _mm512_cvtusepi32_epi8(codes));
      sum = _mm512_add_epi32(sum, codes);
    }
    return {static_cast<float>(_mm512_reduce_add_epi32(sum)), SoftmaxSum::kDivide};
  }
};

}  // namespace
}  // namespace tamis
