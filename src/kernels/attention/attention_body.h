// The body of attention for the ISA of the including file. Policies say how operands are packed and multiplied:
//   Product     of vec_tile.h
//   Element     of q, k and v
//   Queries     rows of Product::A for the tile, in place or packed into scratch; sets their stride
//   PackKeys    k [keys][depth] -> Product::B [depth / step][keys_pad]
//   PackValues  v [keys][value_depth] -> Product::B [keys / step][value_pad]
//   Weights     the rows of softmax numerators as Product::A, WeightStride apart
#pragma once

#include "src/kernels/attention/attention.h"
#include "src/kernels/vec_math.h"
#include "src/kernels/vec_tile.h"

namespace tamis {
namespace {

// f32 multiplies; bf16 elements are widened when they are packed.
template <class T>
struct F32Attention {
  using Product = F32Product;
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
    for (int64_t t = 0; t < args.keys; ++t) {
      for (int64_t d = 0; d < args.depth; ++d) out[d * args.keys_pad + t] = ToFloat(k[t * stride + d]);
    }
    for (int64_t d = 0; d < args.depth; ++d) {
      for (int64_t t = args.keys; t < args.keys_pad; ++t) out[d * args.keys_pad + t] = 0;
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
  static const float* Weights(const AttentionArgs& /*args*/, const float* scores, std::byte* /*scratch*/,
                              int64_t /*rows*/) {
    return scores;
  }
  static int64_t WeightStride(const AttentionArgs& args) { return args.keys_pad; }
  static int64_t DepthSteps(const AttentionArgs& args) { return args.depth; }
  static int64_t KeySteps(const AttentionArgs& args) { return args.keys; }
};

template <class M>
TAMIS_INLINE Vec MaskAt(const M* mask, int64_t stride, int64_t t, int64_t keys) {
  if (stride == 0) return Set(ToFloat(mask[0]));
  return t + kLanes <= keys ? Load(mask + t) : LoadPart(mask + t, static_cast<int>(keys - t));
}

// scores = exp(scale * scores + mask - their maximum), 0 from key `visible` on. Returns the sum.
inline float SoftmaxRow(const AttentionArgs& args, float* scores, const void* mask, int64_t visible) {
  const float infinity = __builtin_inff();
  const int64_t end = RoundUp(args.keys, kLanes);
  const int64_t stride = args.mask_strides[3];
  Vec highest = Set(-infinity);
  const auto apply = [&](auto addend) {
    for (int64_t t = 0; t < end; t += kLanes) {
      const Vec x = Fma(Load(scores + t), Set(args.scale), addend(t));
      Store(scores + t, x);
      if (t + kLanes <= visible) highest = Max(highest, x);
    }
  };
  if (args.mask == MaskKind::kF32) {
    apply([&](int64_t t) { return MaskAt(static_cast<const float*>(mask), stride, t, args.keys); });
  } else if (args.mask == MaskKind::kBf16) {
    apply([&](int64_t t) { return MaskAt(static_cast<const Bf16*>(mask), stride, t, args.keys); });
  } else {
    apply([](int64_t) { return Set(0); });
  }
  for (int64_t t = visible; t < end; ++t) scores[t] = -infinity;
  if (visible % kLanes != 0) highest = Max(highest, Load(scores + visible / kLanes * kLanes));
  const float most = MaxLane(highest);
  if (args.zero_masked && most == -infinity) {
    for (int64_t t = 0; t < end; t += kLanes) Store(scores + t, Set(0));
    return 1;
  }
  const Vec top = Set(most);
  Vec sum = Set(0);
  for (int64_t t = 0; t < end; t += kLanes) {
    const Vec e = Exp(Load(scores + t) - top);
    sum = sum + e;
    Store(scores + t, e);
  }
  return SumLanes(sum);
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
  const int64_t y_stride = args.heads * args.value_depth;
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
    MultiplyTiles<typename Policy::Product>(rows, RoundUp(args.keys, kLanes), Policy::DepthSteps(args), queries, stride,
                                            keys, args.keys_pad, scores, args.keys_pad);
    float sums[32];
    for (int64_t r = 0; r < rows; ++r) {
      const void* mask = nullptr;
      if (args.mask == MaskKind::kF32) mask = MaskRow<float>(args, inputs[3], b, h, first + r);
      if (args.mask == MaskKind::kBf16) mask = MaskRow<Bf16>(args, inputs[3], b, h, first + r);
      const int64_t visible = args.causal ? MaxOf(MinOf(first + r + args.causal_offset + 1, args.keys), 0) : args.keys;
      sums[r] = SoftmaxRow(args, scores + r * args.keys_pad, mask, visible);
    }
    const A* weights = Policy::Weights(args, scores, scratch, rows);
    MultiplyTiles<typename Policy::Product>(rows, RoundUp(args.value_depth, kLanes), Policy::KeySteps(args), weights,
                                            Policy::WeightStride(args), values, args.value_pad, result, args.value_pad);
    for (int64_t r = 0; r < rows; ++r) {
      const Vec inverse = Set(1.0f / sums[r]);
      const auto scaled = [&](Vec x) { return x * inverse; };
      const int64_t at = (b * args.queries + first + r) * y_stride + h * args.value_depth;
      const float* row = result + r * args.value_pad;
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
