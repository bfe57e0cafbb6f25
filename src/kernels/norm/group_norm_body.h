// The body of ChannelsLastGroupNorm for the ISA of the including file.
#pragma once

#include "src/kernels/norm/group_norm.h"
#include "src/kernels/vec_activation.h"

namespace tamis {
namespace {

// Adds f(x - center) of every pixel to sums, channel by channel. Blocks of pixels stay in the cache while their columns
// are walked, and bound the length of each partial sum.
template <class In, class F>
TAMIS_INLINE void AddPixels(const GroupNormArgs& args, const In* x, int64_t channels, const float* center, float* sums,
                            F f) {
  constexpr int64_t kBlock = 64;
  for (int64_t begin = 0; begin < args.pixels; begin += kBlock) {
    const int64_t end = MinOf(begin + kBlock, args.pixels);
    ForVectors(
        channels,
        [&](int64_t c) {
          const Vec mean = Load(center + c);
          Vec sum = Set(0);
          for (int64_t p = begin; p < end; ++p) sum = f(Load(x + p * args.channels + c) - mean, sum);
          Store(sums + c, Load(sums + c) + sum);
        },
        [&](int64_t c, int rest) {
          const Vec mean = LoadPart(center + c, rest);
          Vec sum = Set(0);
          for (int64_t p = begin; p < end; ++p) sum = f(LoadPart(x + p * args.channels + c, rest) - mean, sum);
          StorePart(sums + c, LoadPart(sums + c, rest) + sum, rest);
        });
  }
}

// Every channel of a group gets finish(mean over the group's elements of what the channels' sums hold).
template <class F>
TAMIS_INLINE void JoinGroups(const GroupNormArgs& args, int64_t groups, float* sums, F finish) {
  const auto count = static_cast<double>(args.pixels * args.width);
  for (int64_t g = 0; g < groups; ++g) {
    double sum = 0;
    for (int64_t c = g * args.width; c < (g + 1) * args.width; ++c) sum += static_cast<double>(sums[c]);
    const float value = finish(static_cast<float>(sum / count));
    for (int64_t c = g * args.width; c < (g + 1) * args.width; ++c) sums[c] = value;
  }
}

template <class In, class Out>
void GroupNormItems(const GroupNormArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                    int64_t end, std::byte* scratch) {
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item % args.slabs * args.slab_groups;
    const int64_t groups = MinOf(args.slab_groups, args.groups - first);
    const int64_t channels = groups * args.width;
    const int64_t at = item / args.slabs * args.pixels * args.channels + first * args.width;
    const In* x = static_cast<const In*>(inputs[0]) + at;
    Out* y = static_cast<Out*>(outputs[0]) + at;
    const float* scale = static_cast<const float*>(inputs[1]) + first * args.width;
    const float* bias = static_cast<const float*>(inputs[2]) + first * args.width;
    float* means = reinterpret_cast<float*>(scratch);
    float* factors = means + args.slab_groups * args.width;
    for (int64_t c = 0; c < channels; ++c) means[c] = factors[c] = 0;
    // factors still holds zeros: the first sums are not centred.
    AddPixels(args, x, channels, factors, means, [](Vec v, Vec sum) { return sum + v; });
    JoinGroups(args, groups, means, [](float mean) { return mean; });
    AddPixels(args, x, channels, means, factors, [](Vec v, Vec sum) { return Fma(v, v, sum); });
    JoinGroups(args, groups, factors,
               [&](float variance) { return 1.0f / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(variance + args.epsilon))); });
    const ActivationParameters none = {Set(0), Set(0)};
    for (int64_t p = 0; p < args.pixels; ++p) {
      const In* row = x + p * args.channels;
      Out* out = y + p * args.channels;
      ForVectors(
          channels,
          [&](int64_t c) {
            const Vec normal = (Load(row + c) - Load(means + c)) * Load(factors + c);
            Store(out + c, Activate(args.activation, none, Fma(normal, Load(scale + c), Load(bias + c))));
          },
          [&](int64_t c, int rest) {
            const Vec normal = (LoadPart(row + c, rest) - LoadPart(means + c, rest)) * LoadPart(factors + c, rest);
            const Vec affine = Fma(normal, LoadPart(scale + c, rest), LoadPart(bias + c, rest));
            StorePart(out + c, Activate(args.activation, none, affine), rest);
          });
    }
  }
}

inline void GroupNorm(const GroupNormArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                      int64_t end, std::byte* scratch) {
  const auto items = args.bf16_input ? (args.bf16_output ? GroupNormItems<Bf16, Bf16> : GroupNormItems<Bf16, float>)
                                     : (args.bf16_output ? GroupNormItems<float, Bf16> : GroupNormItems<float, float>);
  items(args, inputs, outputs, begin, end, scratch);
}

}  // namespace
}  // namespace tamis
