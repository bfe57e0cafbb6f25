// The body of channel normalisations for the ISA of the including file.
#pragma once

#include "src/kernels/norm/channel_norm.h"
#include "src/kernels/norm/norm_body.h"

namespace tamis {
namespace {

// Items of one element, with given moments: the channels side by side.
inline void ScaleChannels(const ChannelNormArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                          int64_t end) {
  const float* operands[5];
  for (int i = 0; i < 5; ++i) operands[i] = static_cast<const float*>(inputs[i]);
  const Vec epsilon = Set(args.epsilon);
  for (int64_t at = begin; at < end;) {
    const int64_t channel = at % args.groups, n = MinOf(args.groups - channel, end - at);
    const float* x = operands[0] + at;
    float* y = static_cast<float*>(outputs[0]) + at;
    const auto scaled = [&](Vec v, auto parameter) {
      return Fma(v - parameter(3), parameter(1) / Sqrt(parameter(4) + epsilon), parameter(2));
    };
    ForVectors(
        n,
        [&](int64_t i) { Store(y + i, scaled(Load(x + i), [&](int p) { return Load(operands[p] + channel + i); })); },
        [&](int64_t i, int rest) {
          const auto parameter = [&](int p) { return LoadPart(operands[p] + channel + i, rest); };
          StorePart(y + i, scaled(LoadPart(x + i, rest), parameter), rest);
        });
    at += n;
  }
}

inline void ChannelNorm(const ChannelNormArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                        int64_t end, std::byte* /*scratch*/) {
  if (args.given && args.plane == 1) return ScaleChannels(args, inputs, outputs, begin, end);
  const auto* scale = static_cast<const float*>(inputs[1]);
  const auto* bias = static_cast<const float*>(inputs[2]);
  const int64_t size = args.channels * args.plane;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t group = item % args.groups;
    const float* x = static_cast<const float*>(inputs[0]) + item * size;
    float* y = static_cast<float*>(outputs[0]) + item * size;
    float mean = 0, variance = 0;
    if (!args.given) {
      // Pieces are added in double: an item may have millions of elements.
      constexpr int64_t kPiece = 16384;
      double sum = 0, squares = 0;
      for (int64_t i = 0; i < size; i += kPiece) sum += static_cast<double>(SumOf(x + i, MinOf(kPiece, size - i)));
      mean = static_cast<float>(sum / static_cast<double>(size));
      for (int64_t i = 0; i < size; i += kPiece) {
        squares += static_cast<double>(SumOfSquares(x + i, MinOf(kPiece, size - i), mean));
      }
      variance = static_cast<float>(squares / static_cast<double>(size));
    }
    for (int64_t c = 0; c < args.channels; ++c) {
      const int64_t channel = group * args.channels + c, parameter = args.scale_by_group ? group : channel;
      if (args.given) {
        mean = static_cast<const float*>(inputs[3])[channel];
        variance = static_cast<const float*>(inputs[4])[channel];
      }
      const Vec center = Set(mean), factor = Set(scale[parameter] / SquareRoot(variance + args.epsilon));
      const Vec shift = Set(bias[parameter]);
      Map(x + c * args.plane, y + c * args.plane, args.plane, [&](Vec v) { return Fma(v - center, factor, shift); });
    }
  }
}

}  // namespace
}  // namespace tamis
