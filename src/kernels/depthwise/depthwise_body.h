// The body of depthwise convolution for the ISA of the including file.
//
// What depthwise_wide.h does not do is done here: for one block of channels, outputs whose whole window lies inside the
// image are computed kPixels at a time, so that a weight vector is loaded once for all of them, the others one by one
// with their taps clipped.
#pragma once

#include "src/kernels/depthwise/depthwise.h"
#include "src/kernels/depthwise/depthwise_wide.h"
#include "src/kernels/vec_activation.h"
#include "src/kernels/vec_window.h"

namespace tamis {
namespace {

constexpr int64_t kPixels = 4;

// Loads and stores of kCount vectors of channels, the last of them perhaps partial.
template <int kCount>
struct Lanes {
  int rest;  // lanes of the last vector; kLanes if it is whole

  template <class T>
  TAMIS_INLINE Vec Read(const T* p, int v) const {
    return v + 1 == kCount && rest < kLanes ? LoadPart(p + v * kLanes, rest) : Load(p + v * kLanes);
  }
  template <class T>
  TAMIS_INLINE void Write(T* p, int v, Vec x) const {
    if (v + 1 == kCount && rest < kLanes) {
      StorePart(p + v * kLanes, x, rest);
    } else {
      Store(p + v * kLanes, x);
    }
  }
};

// Sums to results: kWidth neighbouring pixels of kCount vectors, the first at element `first`.
template <int kWidth, int kCount>
TAMIS_INLINE void Finish(const DepthwiseArgs& args, const void* const* inputs, void* const* outputs, int64_t first,
                         Lanes<kCount> lanes, const Vec (&sum)[kWidth][kCount]) {
  const ActivationParameters parameters = ParametersOf(args.epilogue);
  for (int p = 0; p < kWidth; ++p) {
    const int64_t at = first + p * args.window.channels;
    for (int v = 0; v < kCount; ++v) {
      Vec value = sum[p][v];
      if (args.epilogue.residual) {
        value = value + (args.bf16_residual ? lanes.Read(static_cast<const Bf16*>(inputs[3]) + at, v)
                                            : lanes.Read(static_cast<const float*>(inputs[3]) + at, v));
      }
      value = Activate(args.epilogue.activation, parameters, value);
      if (args.bf16_output) {
        lanes.Write(static_cast<Bf16*>(outputs[0]) + at, v, value);
      } else {
        lanes.Write(static_cast<float*>(outputs[0]) + at, v, value);
      }
    }
  }
}

// kCount vectors of channels from `channel`, of kWidth neighbouring outputs at (row, column).
template <class In, int kWidth, int kCount>
TAMIS_INLINE void Pixels(const DepthwiseArgs& args, const void* const* inputs, void* const* outputs, const In* image,
                         int64_t row, int64_t at_y, int64_t column, TapRange in_y, TapRange in_x, int64_t channel,
                         Lanes<kCount> lanes) {
  const WindowAxis &y = args.window.y, &x = args.window.x;
  const int64_t channels = args.window.channels;
  Vec sum[kWidth][kCount];
  for (int v = 0; v < kCount; ++v) {
    const Vec start = args.epilogue.bias ? lanes.Read(static_cast<const float*>(inputs[2]) + channel, v) : Set(0);
    for (int p = 0; p < kWidth; ++p) sum[p][v] = start;
  }
  const int64_t step = x.stride * channels;
  for (int64_t r = in_y.first; r < in_y.last; ++r) {
    const int64_t in_row = at_y * y.stride - y.pad_begin + r * y.dilation;
    for (int64_t s = in_x.first; s < in_x.last; ++s) {
      const int64_t in_column = column * x.stride - x.pad_begin + s * x.dilation;
      const In* source = image + (in_row * x.in + in_column) * channels + channel;
      const float* weights = args.weights + (r * x.taps + s) * args.weight_stride + channel;
      for (int v = 0; v < kCount; ++v) {
        const Vec weight = Load(weights + v * kLanes);
        for (int p = 0; p < kWidth; ++p) sum[p][v] = Fma(lanes.Read(source + p * step, v), weight, sum[p][v]);
      }
    }
  }
  Vec done[kWidth][kCount];  // as in depthwise_wide.h: the sums stay in registers
#pragma GCC unroll 4
  for (int p = 0; p < kWidth; ++p) {
#pragma GCC unroll 2
    for (int v = 0; v < kCount; ++v) done[p][v] = sum[p][v];
  }
  Finish<kWidth, kCount>(args, inputs, outputs, (row * x.out + column) * channels + channel, lanes, done);
}

template <class In, int kCount>
inline void Row(const DepthwiseArgs& args, const void* const* inputs, void* const* outputs, int64_t row,
                int64_t channel, Lanes<kCount> lanes) {
  const WindowAxis &y = args.window.y, &x = args.window.x;
  const int64_t at_y = row % y.out;
  const In* image = static_cast<const In*>(inputs[0]) + row / y.out * y.in * x.in * args.window.channels;
  const TapRange in_y = TapsInImage(y, at_y);
  const TapRange whole{0, x.taps};
  // Outputs [inner_first, inner_last) have every tap of x inside.
  const int64_t inner_first = MinOf((x.pad_begin + x.stride - 1) / x.stride, x.out);
  const int64_t reach = x.in - 1 - (x.taps - 1) * x.dilation + x.pad_begin;
  const int64_t inner_last = reach < 0 ? inner_first : MaxOf(MinOf(reach / x.stride + 1, x.out), inner_first);
  int64_t column = 0;
  const auto single = [&](TapRange in_x) {
    Pixels<In, 1, kCount>(args, inputs, outputs, image, row, at_y, column, in_y, in_x, channel, lanes);
  };
  for (; column < inner_first; ++column) single(TapsInImage(x, column));
  for (; column + kPixels <= inner_last; column += kPixels) {
    Pixels<In, kPixels, kCount>(args, inputs, outputs, image, row, at_y, column, in_y, whole, channel, lanes);
  }
  for (; column < inner_last; ++column) single(whole);
  for (; column < x.out; ++column) single(TapsInImage(x, column));
}

template <class In>
inline void AnyRows(const DepthwiseArgs& args, const void* const* inputs, void* const* outputs,
                    const DepthwisePart& part) {
  const int64_t channels = part.last_channel;
  for (int64_t row = part.first_row; row < part.last_row; ++row) {
    int64_t c = part.first_channel;
    for (; c + 2 * kLanes <= channels; c += 2 * kLanes) {
      Row<In, 2>(args, inputs, outputs, row, c, Lanes<2>{static_cast<int>(kLanes)});
    }
    for (; c < channels; c += kLanes) {
      Row<In, 1>(args, inputs, outputs, row, c, Lanes<1>{static_cast<int>(MinOf(kLanes, channels - c))});
    }
  }
}

template <class In>
inline void Rows(const DepthwiseArgs& args, const void* const* inputs, void* const* outputs,
                 const DepthwisePart& part) {
  if (const auto wide = WideRowsFor<In>(args); wide != nullptr) return wide(args, inputs, outputs, part);
  AnyRows<In>(args, inputs, outputs, part);
}

// Items are rows, or rows of 32 channels if the arguments say so.
inline void Convolve(const DepthwiseArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                     int64_t end, std::byte* /*scratch*/) {
  const auto rows = args.bf16_input ? Rows<Bf16> : Rows<float>;
  const int64_t channels = args.window.channels, all = args.window.batch * args.window.y.out;
  if (!args.by_channels) return rows(args, inputs, outputs, {begin, end, 0, channels});
  const int64_t first = begin * kChannelUnit, last = MinOf(end * kChannelUnit, channels);
  rows(args, inputs, outputs, {0, all, first, last});
}

}  // namespace
}  // namespace tamis
