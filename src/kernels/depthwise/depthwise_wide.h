// Depthwise kernels of three, five, ... eleven columns with a stride of one or two: seven results of a row at a time
// (the images of most networks are multiples of that wide). Each vector of x is loaded once a kernel row and meets
// every weight that it has to; what reaches beyond the image reads zeros.
#pragma once

#include <type_traits>

#include "src/kernels/depthwise/depthwise.h"
#include "src/kernels/vec_activation.h"
#include "src/kernels/vec_window.h"

namespace tamis {
namespace {

constexpr int64_t kWide = 7;

// One vector of channels. kWhole: it is; kPlain: results are f32 without a residual, and their activation only bounds
// them.
template <class In, bool kWhole, bool kPlain>
class WidePixels {
 public:
  WidePixels(const DepthwiseArgs& args, const void* const* inputs, void* const* outputs, int rest)
      : args_(args),
        inputs_(inputs),
        outputs_(outputs),
        rest_(rest),
        parameters_(ParametersOf(args.epilogue)),
        low_(Set(-__builtin_inff())),
        high_(Set(__builtin_inff())) {
    if (args.epilogue.activation == Activation::kRelu) low_ = Set(0);
    if (args.epilogue.activation == Activation::kClip) {
      low_ = Set(args.epilogue.clip_min);
      high_ = Set(args.epilogue.clip_max);
    }
  }

  template <int kTaps, int kStride, bool kEdge>
  inline void Seven(const In* image, int64_t row, int64_t column, TapRange taps, int64_t channel) const {
    static constexpr In kZeros[kLanes] = {};
    constexpr int kReads = (kWide - 1) * kStride + kTaps;
    const WindowAxis &y = args_.window.y, &x = args_.window.x;
    const int64_t channels = args_.window.channels;
    const Vec bias = args_.epilogue.bias ? Read(static_cast<const float*>(inputs_[2]) + channel) : Set(0);
    Vec sum[kWide];
#pragma GCC unroll 8
    for (int p = 0; p < kWide; ++p) sum[p] = bias;
    const int64_t first = column * kStride - x.pad_begin;
    for (int64_t r = taps.first; r < taps.last; ++r) {
      const int64_t in_row = row % y.out * y.stride - y.pad_begin + r * y.dilation;
      const In* source = image + (in_row * x.in + first) * channels + channel;
      const float* weights = args_.weights + r * kTaps * args_.weight_stride + channel;
      Vec weight[kTaps];
#pragma GCC unroll 16
      for (int s = 0; s < kTaps; ++s) weight[s] = Load(weights + s * args_.weight_stride);
#pragma GCC unroll 32
      for (int j = 0; j < kReads; ++j) {
        const In* at = source + j * channels;
        if (kEdge && j < kTaps - 1 && first + j < 0) at = kZeros;
        if (kEdge && j > kReads - kTaps && first + j >= x.in) at = kZeros;
        const Vec value = Read(at);
#pragma GCC unroll 16
        for (int s = 0; s < kTaps; ++s) {
          const int p = (j - s) / kStride;
          if (j >= s && (j - s) % kStride == 0 && p < kWide) sum[p] = Fma(value, weight[s], sum[p]);
        }
      }
    }
    const int64_t at = (row * x.out + column) * channels + channel;
    if constexpr (kPlain) {
#pragma GCC unroll 8
      for (int p = 0; p < kWide; ++p) Result(at + p * channels, sum[p]);
    } else {
      Vec done[kWide];  // the sums are in registers; a loop over them would put them in memory from the start
#pragma GCC unroll 8
      for (int p = 0; p < kWide; ++p) done[p] = sum[p];
      Results(at, done);
    }
  }

 private:
  template <class T>
  TAMIS_INLINE Vec Read(const T* p) const {
    if constexpr (kWhole) return Load(p);
    return LoadPart(p, rest_);
  }
  template <class T>
  TAMIS_INLINE void Write(T* p, Vec v) const {
    if constexpr (kWhole) {
      Store(p, v);
    } else {
      StorePart(p, v, rest_);
    }
  }

  // Of plain results.
  TAMIS_INLINE void Result(int64_t at, Vec value) const {
    Write(static_cast<float*>(outputs_[0]) + at, Min(high_, Max(low_, value)));
  }
  // Of any. What a store to y might alias is held in locals.
  [[gnu::noinline]] void Results(int64_t at, Vec* sums) const {
    const int64_t channels = args_.window.channels;
    const Activation activation = args_.epilogue.activation;
    const bool bf16_output = args_.bf16_output;
    if (args_.epilogue.residual) {
      for (int64_t p = 0; p < kWide; ++p) {
        const int64_t element = at + p * channels;
        sums[p] = sums[p] + (args_.bf16_residual ? Read(static_cast<const Bf16*>(inputs_[3]) + element)
                                                 : Read(static_cast<const float*>(inputs_[3]) + element));
      }
    }
    if (activation != Activation::kNone) ActivateAll<kWide>(activation, parameters_, sums);
    void* const y = outputs_[0];
    if (bf16_output) {
      for (int64_t p = 0; p < kWide; ++p) Write(static_cast<Bf16*>(y) + at + p * channels, sums[p]);
    } else {
      for (int64_t p = 0; p < kWide; ++p) Write(static_cast<float*>(y) + at + p * channels, sums[p]);
    }
  }

  const DepthwiseArgs& args_;
  const void* const* inputs_;
  void* const* outputs_;
  int rest_;
  ActivationParameters parameters_;
  Vec low_, high_;
};

// Row by row, and of each seven pixels all channels: reads and writes are streams of neighbouring lines, which the
// hardware's prefetcher follows into the second-level cache. (One vector of channels through all rows reads each line
// once, and waits for it: 14 x 14 pixels of 384 channels took 41 us in a network on two cores instead of 18.)
template <class In, bool kPlain, int kTaps, int kStride, bool kEdge>
TAMIS_INLINE void SevenOfAll(const DepthwiseArgs& args, const void* const* inputs, void* const* outputs,
                             const In* image, int64_t row, int64_t column, TapRange taps, const DepthwisePart& part) {
  const WidePixels<In, true, kPlain> whole(args, inputs, outputs, kLanes);
  int64_t c = part.first_channel;
  for (; c + kLanes <= part.last_channel; c += kLanes) {
    whole.template Seven<kTaps, kStride, kEdge>(image, row, column, taps, c);
  }
  if (c == part.last_channel) return;
  // At edges or not: one copy of the code.
  const WidePixels<In, false, kPlain> rest(args, inputs, outputs, static_cast<int>(part.last_channel - c));
  rest.template Seven<kTaps, kStride, true>(image, row, column, taps, c);
}

template <class In, bool kPlain, int kTaps, int kStride>
TAMIS_INLINE void WideRow(const DepthwiseArgs& args, const void* const* inputs, void* const* outputs, int64_t row,
                          const DepthwisePart& part) {
  const WindowAxis &y = args.window.y, &x = args.window.x;
  const In* image = static_cast<const In*>(inputs[0]) + row / y.out * y.in * x.in * args.window.channels;
  const TapRange taps = TapsInImage(y, row % y.out);
  for (int64_t column = 0; column < x.out; column += kWide) {
    if (column + kWide > x.out) column = x.out - kWide;  // some results are made twice
    const int64_t first = column * kStride - x.pad_begin;
    if (first >= 0 && first + (kWide - 1) * kStride + kTaps <= x.in) {
      SevenOfAll<In, kPlain, kTaps, kStride, false>(args, inputs, outputs, image, row, column, taps, part);
    } else {
      SevenOfAll<In, kPlain, kTaps, kStride, true>(args, inputs, outputs, image, row, column, taps, part);
    }
  }
}

// Channels that go through a row together in kernels of many taps: as many as leave room in the first-level cache for
// their weights and the pixels that neighbouring results share. 0.94 to 0.96 of the time of all channels together.
template <class In, int kTaps, int kStride>
TAMIS_INLINE int64_t ChannelsAtOnce(int64_t rows_of_taps) {
  constexpr int64_t kCacheBytes = 24 << 10, kReads = (kWide - 1) * kStride + kTaps;
  constexpr int64_t kOfATapRow = kTaps * int64_t{sizeof(float)} + kReads * int64_t{sizeof(In)};
  return MaxOf(int64_t{1}, kCacheBytes / (rows_of_taps * kOfATapRow * kLanes)) * kLanes;
}

template <class In, bool kPlain, int kTaps, int kStride>
void WideRows(const DepthwiseArgs& args, const void* const* inputs, void* const* outputs, const DepthwisePart& part) {
  if constexpr (kTaps < 7) {
    for (int64_t row = part.first_row; row < part.last_row; ++row) {
      WideRow<In, kPlain, kTaps, kStride>(args, inputs, outputs, row, part);
    }
  } else {
    const int64_t count = ChannelsAtOnce<In, kTaps, kStride>(args.window.y.taps);
    for (int64_t row = part.first_row; row < part.last_row; ++row) {
      for (int64_t first = part.first_channel; first < part.last_channel; first += count) {
        const DepthwisePart some = {row, row + 1, first, MinOf(first + count, part.last_channel)};
        WideRow<In, kPlain, kTaps, kStride>(args, inputs, outputs, row, some);
      }
    }
  }
}

using WideRoutine = void (*)(const DepthwiseArgs&, const void* const*, void* const*, const DepthwisePart&);

// Of as many taps as there are registers for.
template <class In, bool kPlain, int kStride>
TAMIS_INLINE WideRoutine WideRoutineOfTaps(int64_t taps) {
  if (taps == 3) return WideRows<In, kPlain, 3, kStride>;
  if (taps == 5) return WideRows<In, kPlain, 5, kStride>;
  if constexpr (kLanes < 8) return nullptr;
  switch (taps) {
    case 7:
      return WideRows<In, kPlain, 7, kStride>;
    case 9:
      return WideRows<In, kPlain, 9, kStride>;
    case 11:
      return WideRows<In, kPlain, 11, kStride>;
    default:
      return nullptr;
  }
}

template <class In, bool kPlain>
TAMIS_INLINE WideRoutine WideRoutineFor(const WindowAxis& x) {
  // Some tap of every result lies inside: only the first and last few reads may be outside.
  const int64_t pad_end = (x.out - 1) * x.stride + x.taps - x.pad_begin - x.in;
  if (x.dilation != 1 || x.out < kWide || MaxOf(x.pad_begin, pad_end) >= x.taps) return nullptr;
  if (x.stride == 1) return WideRoutineOfTaps<In, kPlain, 1>(x.taps);
  if (x.stride == 2) return WideRoutineOfTaps<In, kPlain, 2>(x.taps);
  return nullptr;
}

// Null where another routine is needed. Of bf16 inputs few have plain results.
template <class In>
TAMIS_INLINE WideRoutine WideRowsFor(const DepthwiseArgs& args) {
  const Activation activation = args.epilogue.activation;
  const bool bounds =
      activation == Activation::kNone || activation == Activation::kRelu || activation == Activation::kClip;
  if constexpr (std::is_same_v<In, float>) {
    if (bounds && !args.epilogue.residual && !args.bf16_output) return WideRoutineFor<In, true>(args.window.x);
  }
  return WideRoutineFor<In, false>(args.window.x);
}

}  // namespace
}  // namespace tamis
