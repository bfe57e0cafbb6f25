// The body of attention for the ISA of the including file. Policies say how operands are packed and multiplied:
//   Product     of vec_tile.h: what operands are made of
//   State       of a thread's part of the work, for Multiply
//   Multiply    the product of Queries or numerators and a packed operand
//   Element     of q, k and v
//   Queries     rows of Product::A for the tile, in place or packed into scratch; sets their stride
//   PackKeys    k [keys][depth] -> Product::B [depth / step][keys_pad]
//   PackValues  v [keys][value_depth] -> Product::B [keys / step][value_pad]
//   Numerator   what the softmax's numerators are kept as, one a key: Numerators says where in scratch the rows lie,
//               keys_pad apart, Keep writes a vector of them
//   Softmax     numerators of one row from its scores
//   Weighted    a result from a sum of values by numerators, and one over the sum of the numerators
//   kKeys       keys of one step of the weighted sum: numerators that are one Product::A
//   kKeyUnit    keys are computed by so many, a multiple of kLanes; AttentionBlocks says so too where it is not kLanes
#pragma once

#include "src/kernels/attention/attention.h"
#include "src/kernels/vec_math.h"
#include "src/kernels/vec_tile.h"
#include "src/kernels/vec_transpose.h"

namespace tamis {
namespace {

template <class M>
TAMIS_INLINE Vec MaskAt(const M* mask, int64_t stride, int64_t t, int64_t keys) {
  if (stride == 0) return Set(ToFloat(mask[0]));
  return t + kLanes <= keys ? Load(mask + t) : LoadPart(mask + t, static_cast<int>(MaxOf(keys - t, 0)));
}

// Keys [begin, end).
struct KeyRange {
  int64_t begin = 0, end = 0;
};

TAMIS_INLINE KeyRange Seen(const AttentionArgs& args, int64_t s) {
  const int64_t end = MaxOf(MinOf(s + args.sight.last + 1, args.keys), 0);
  return {MinOf(MaxOf(s + args.sight.first, 0), end), end};
}

// Whole units of keys with all that queries [first, first + rows) see; one at least.
template <int64_t kUnit>
TAMIS_INLINE KeyRange SeenByBlock(const AttentionArgs& args, int64_t first, int64_t rows) {
  const int64_t most = RoundUp(args.keys, kUnit);
  const int64_t begin = MinOf(MaxOf(first + args.sight.first, 0) / kUnit * kUnit, most - kUnit);
  const int64_t end = RoundUp(MaxOf(MinOf(first + rows + args.sight.last, args.keys), 0), kUnit);
  return {begin, MaxOf(end, begin + kUnit)};
}

// x where begin <= lane < end, `otherwise` elsewhere.
TAMIS_INLINE Vec Hide(Vec x, int64_t begin, int64_t end, float otherwise) {
  alignas(64) static constexpr float kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const Vec lane = Load(kLane), hidden = Set(otherwise);
  x = IfLess(lane, Set(static_cast<float>(begin)), hidden, x);
  return IfLess(lane, Set(static_cast<float>(end)), x, hidden);
}

// What the softmax of a row divides by; or the result is the mean of all values, or 0.
struct SoftmaxSum {
  enum Kind : uint8_t { kDivide, kMean, kZero };
  float sum = 1;
  Kind kind = kDivide;
};

// Of a row of which `most` is the highest score.
TAMIS_INLINE SoftmaxSum::Kind KindOfRow(const AttentionArgs& args, float most) {
  if (args.mean_masked && most < kMeanMasked) return SoftmaxSum::kMean;
  return args.zero_masked && most == -__builtin_inff() ? SoftmaxSum::kZero : SoftmaxSum::kDivide;
}

// e^-x of what a score is below the highest one, 0 where that is hardly a normal number.
template <class V>
TAMIS_INLINE V SoftmaxNumerator(V x) {
  const Vec most = Set(87.0f);
  return IfLess(most, x, Set(0), ExpOfMinus(Min(most, x)));
}

// numerators = exp(scale * scores + mask - their maximum) for the keys of `range`, 0 for those that aren't seen.
template <class Policy>
inline SoftmaxSum SoftmaxRow(const AttentionArgs& args, float* scores, const void* mask, KeyRange range, KeyRange seen,
                             typename Policy::Numerator* numerators) {
  const float infinity = __builtin_inff();
  const int64_t stride = args.mask_strides[3];
  float scale = args.scale;
  if (args.softcap > 0) {
    const Vec factor = Set(scale / args.softcap), cap = Set(args.softcap);
    for (int64_t t = range.begin; t < range.end; t += kLanes) Store(scores + t, cap * Tanh(factor * Load(scores + t)));
    scale = 1;
  }
  const auto hidden = [&](Vec x, int64_t t, float otherwise) {
    return t < seen.begin || t + kLanes > seen.end ? Hide(x, seen.begin - t, seen.end - t, otherwise) : x;
  };
  Vec highest = Set(-infinity);
  const auto mask_all = [&](auto addend) {
    for (int64_t t = range.begin; t < range.end; t += kLanes) {
      const Vec x = hidden(Fma(Load(scores + t), Set(scale), addend(t)), t, -infinity);
      Store(scores + t, x);
      highest = Max(highest, x);
    }
  };
  if (args.mask == MaskKind::kF32) {
    mask_all([&](int64_t t) { return MaskAt(static_cast<const float*>(mask), stride, t, args.keys); });
  } else if (args.mask == MaskKind::kBf16) {
    mask_all([&](int64_t t) { return MaskAt(static_cast<const Bf16*>(mask), stride, t, args.keys); });
  } else {  // the product is cheaper made twice than stored
    for (int64_t t = range.begin; t < range.end; t += kLanes) {
      highest = Max(highest, hidden(Load(scores + t) * Set(scale), t, -infinity));
    }
  }
  const float most = MaxLane(highest);
  if (const auto kind = KindOfRow(args, most); kind != SoftmaxSum::kDivide) {
    for (int64_t t = range.begin; t < range.end; t += kLanes) Policy::Keep(numerators + t, Set(0));
    return {1, kind};
  }
  Vec sum = Set(0);
  const auto exponentials = [&](auto below_top) {
    int64_t t = range.begin;
    const auto keep = [&](auto count) __attribute__((always_inline)) {
      Vecs<count.value> below;
      for (int i = 0; i < count.value; ++i) below.v[i] = below_top(t + i * kLanes);
      const auto e = SoftmaxNumerator(below);
      for (int i = 0; i < count.value; ++i, t += kLanes) {
        sum = sum + e.v[i];
        Policy::Keep(numerators + t, e.v[i]);
      }
    };
    while (t + 4 * kLanes <= range.end) keep(Vectors<4>());
    while (t < range.end) keep(Vectors<1>());
  };
  if (args.mask == MaskKind::kNone) {
    exponentials(
        [&](int64_t t) { return hidden(Max(Set(0), Fma(Load(scores + t), Set(-scale), Set(most))), t, infinity); });
  } else {
    exponentials([&](int64_t t) { return Set(most) - Load(scores + t); });
  }
  return {SumLanes(sum), SoftmaxSum::kDivide};
}

// Products by vectors.
template <class P>
struct ByVectors {
  using Product = P;
  struct State {};
  static constexpr int64_t kKeyUnit = kLanes;
  static void Multiply(int64_t rows, int64_t columns, int64_t depth, const typename P::A* a, int64_t a_stride,
                       const typename P::B* b, int64_t b_stride, float* c, int64_t c_stride, State* /*state*/) {
    MultiplyTiles<P>(rows, columns, depth, a, a_stride, b, b_stride, c, c_stride);
  }
  template <class Policy>
  static SoftmaxSum Softmax(const AttentionArgs& args, const typename P::B* /*keys*/, float* scores, const void* mask,
                            KeyRange range, KeyRange seen, typename Policy::Numerator* numerators) {
    return SoftmaxRow<Policy>(args, scores, mask, range, seen, numerators);
  }
  static TAMIS_INLINE Vec Weighted(const AttentionArgs& /*args*/, Vec sum, Vec inverse) { return sum * inverse; }
};

// f32 multiplies; bf16 elements are widened when they are packed.
template <class T>
struct F32Attention : ByVectors<F32Product> {
  using Element = T;

  static const float* Queries(const AttentionArgs& args, const T* q, int64_t rows, std::byte* scratch,
                              int64_t* stride) {
    *stride = args.q.row;
    if constexpr (sizeof(T) == sizeof(float)) {
      return q;
    } else {
      auto* packed = reinterpret_cast<float*>(scratch + args.query_at);
      for (int64_t r = 0; r < rows; ++r) {
        Map(q + r * *stride, packed + r * args.depth, args.depth, [](Vec x) { return x; });
      }
      *stride = args.depth;
      return packed;
    }
  }
  static void PackKeys(const AttentionArgs& args, const T* k, float* out) {
    const int64_t stride = args.k.row;
    int64_t t = 0;
    if constexpr (sizeof(T) == sizeof(float)) {
      for (; t + kLanes <= args.keys; t += kLanes) {
        int64_t d = 0;
        for (; d + 4 <= args.depth; d += 4) {
          TransposeFour(k + t * stride + d, stride, out + d * args.keys_pad + t, args.keys_pad);
        }
        for (; d < args.depth; ++d) {
          for (int64_t i = t; i < t + kLanes; ++i) out[d * args.keys_pad + i] = k[i * stride + d];
        }
      }
    }
    for (; t < args.keys; ++t) {
      for (int64_t d = 0; d < args.depth; ++d) out[d * args.keys_pad + t] = ToFloat(k[t * stride + d]);
    }
    for (int64_t d = 0; d < args.depth; ++d) {
      for (int64_t i = args.keys; i < args.keys_pad; ++i) out[d * args.keys_pad + i] = 0;
    }
  }
  static void PackValues(const AttentionArgs& args, const T* v, float* out) {
    const int64_t stride = args.v.row;
    for (int64_t t = 0; t < args.keys; ++t) {
      float* row = out + t * args.value_pad;
      Map(v + t * stride, row, args.value_depth, [](Vec x) { return x; });
      for (int64_t e = args.value_depth; e < args.value_pad; ++e) row[e] = 0;
    }
  }
  static constexpr int64_t kKeys = 1;
  using Numerator = float;
  static float* Numerators(const AttentionArgs& args, std::byte* scratch) {
    return reinterpret_cast<float*>(scratch + args.scores_at);  // in the place of the scores
  }
  static TAMIS_INLINE void Keep(float* to, Vec numerators) { Store(to, numerators); }
  static int64_t DepthSteps(const AttentionArgs& args) { return args.depth; }
};

// The mean of a head's values; rare, and not hurried.
template <class T>
void MeanOfValues(const AttentionArgs& args, const T* v, float* mean) {
  for (int64_t e = 0; e < args.value_depth; ++e) {
    float sum = 0;
    for (int64_t t = 0; t < args.keys; ++t) sum += ToFloat(v[t * args.v.row + e]);
    mean[e] = sum / static_cast<float>(args.keys);
  }
}

template <class M>
TAMIS_INLINE const void* MaskRow(const AttentionArgs& args, const void* mask, int64_t b, int64_t h, int64_t s) {
  return static_cast<const M*>(mask) + b * args.mask_strides[0] + h * args.mask_strides[1] + s * args.mask_strides[2];
}

template <class Policy>
void Attend(const AttentionArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
            std::byte* scratch) {
  using T = typename Policy::Element;
  using A = typename Policy::Product::A;
  using B = typename Policy::Product::B;
  auto* keys = reinterpret_cast<B*>(scratch + args.keys_at);
  auto* values = reinterpret_cast<B*>(scratch + args.values_at);
  auto* scores = reinterpret_cast<float*>(scratch + args.scores_at);
  auto* result = reinterpret_cast<float*>(scratch + args.result_at);
  auto* numerators = Policy::Numerators(args, scratch);
  const int64_t y_stride = args.heads * args.value_depth;
  [[maybe_unused]] typename Policy::State state;
  int64_t packed_head = -1;  // of k and v, over all batch entries
  for (int64_t item = begin; item < end; ++item) {
    const int64_t head = item / args.blocks;
    const int64_t b = head / args.heads, h = head % args.heads;
    const int64_t first = item % args.blocks * args.block;
    const int64_t rows = MinOf(args.block, args.queries - first);
    if (head / args.shared != packed_head) {
      const auto* k = static_cast<const T*>(inputs[1]) + b * args.k.batch + h / args.shared * args.k.head;
      const auto* v = static_cast<const T*>(inputs[2]) + b * args.v.batch + h / args.shared * args.v.head;
      Policy::PackKeys(args, k, keys);
      Policy::PackValues(args, v, values);
      packed_head = head / args.shared;
    }
    const T* q = static_cast<const T*>(inputs[0]) + b * args.q.batch + h * args.q.head + first * args.q.row;
    int64_t stride = 0;
    const A* queries = Policy::Queries(args, q, rows, scratch, &stride);
    const KeyRange range = SeenByBlock<Policy::kKeyUnit>(args, first, rows);
    Policy::Multiply(rows, range.end - range.begin, Policy::DepthSteps(args), queries, stride, keys + range.begin,
                     args.keys_pad, scores + range.begin, args.keys_pad, &state);
    SoftmaxSum sums[32];
    for (int64_t r = 0; r < rows; ++r) {
      const void* mask = nullptr;
      if (args.mask == MaskKind::kF32) mask = MaskRow<float>(args, inputs[3], b, h, first + r);
      if (args.mask == MaskKind::kBf16) mask = MaskRow<Bf16>(args, inputs[3], b, h, first + r);
      sums[r] = Policy::template Softmax<Policy>(args, keys, scores + r * args.keys_pad, mask, range,
                                                 Seen(args, first + r), numerators + r * args.keys_pad);
    }
    const A* weights = reinterpret_cast<const A*>(numerators + range.begin);
    const int64_t last = Policy::kKeyUnit > kLanes ? range.end : MinOf(range.end, args.keys);
    Policy::Multiply(rows, RoundUp(args.value_depth, kLanes), (last - range.begin + Policy::kKeys - 1) / Policy::kKeys,
                     weights, args.keys_pad / Policy::kKeys, values + range.begin / Policy::kKeys * args.value_pad,
                     args.value_pad, result, args.value_pad, &state);
    for (int64_t r = 0; r < rows; ++r) {
      float* row = result + r * args.value_pad;
      if (sums[r].kind == SoftmaxSum::kMean) {
        MeanOfValues(args, static_cast<const T*>(inputs[2]) + b * args.v.batch + h / args.shared * args.v.head, row);
      } else if (sums[r].kind == SoftmaxSum::kZero) {
        for (int64_t e = 0; e < args.value_depth; ++e) row[e] = 0;
      }
      const Vec inverse = Set(1.0f / sums[r].sum);
      const bool divided = sums[r].kind != SoftmaxSum::kDivide;
      const auto scaled = [&](Vec x) { return divided ? x : Policy::Weighted(args, x, inverse); };
      const int64_t at = (b * args.queries + first + r) * y_stride + h * args.value_depth;
      if (args.bf16_output) {
        Map(row, static_cast<Bf16*>(outputs[0]) + at, args.value_depth, scaled);
      } else {
        Map(row, static_cast<float*>(outputs[0]) + at, args.value_depth, scaled);
      }
    }
  }
}

}  // namespace
}  // namespace tamis
