// The body of maximum pooling of codes for the ISA of the including file.
//
// Maxima stay in registers while a window's taps pass: a result that went through memory at every tap would wait for
// its own store each time. Channels go by vectors, the last one over codes that the one before it has had too.
#pragma once

#include "src/kernels/quantized/max_pool_codes.h"
#include "src/kernels/vec_window.h"

namespace tamis {
namespace {

// As many codes as a vector of f32 has bytes.
template <class T>
struct CodeVector {
  using Type [[gnu::vector_size(sizeof(float) * kLanes)]] = T;
};

// The codes of a window's first tap, and the way to the others. Strides are in codes.
template <class T>
struct WindowCodes {
  const T* first;
  int64_t slices, lines, pixels;
  int64_t slice_stride, line_stride, pixel_stride;
};

template <class V, class T>
TAMIS_INLINE V MaxOfTaps(const WindowCodes<T>& window, int64_t channel, V best) {
  for (int64_t q = 0; q < window.slices; ++q) {
    for (int64_t r = 0; r < window.lines; ++r) {
      const T* from = window.first + q * window.slice_stride + r * window.line_stride + channel;
      for (int64_t s = 0; s < window.pixels; ++s, from += window.pixel_stride) {
        V codes;
        __builtin_memcpy(&codes, from, sizeof(V));
        best = codes > best ? codes : best;
      }
    }
  }
  return best;
}

template <class V, class T>
TAMIS_INLINE void MaxPoolChannels(const WindowCodes<T>& window, int64_t begin, V lowest, T* out) {
  const V best = MaxOfTaps(window, begin, lowest);
  __builtin_memcpy(out + begin, &best, sizeof(V));
}

template <class T>
inline void MaxPoolPixel(const WindowCodes<T>& window, int64_t channels, T* out) {
  using V = typename CodeVector<T>::Type;
  constexpr int64_t kCodes = sizeof(V);
  constexpr T kLowest = T(-1) < T(0) ? T(-128) : T(0);
  if (channels < kCodes) {
    for (int64_t c = 0; c < channels; ++c) out[c] = MaxOfTaps(window, c, kLowest);
    return;
  }
  const V lowest = V{} + kLowest;
  int64_t c = 0;
  for (; c + kCodes <= channels; c += kCodes) MaxPoolChannels(window, c, lowest, out);
  if (c < channels) MaxPoolChannels(window, channels - kCodes, lowest, out);
}

template <class T>
inline void MaxPoolRows(const MaxPoolCodesArgs& args, const T* x, T* y, int64_t begin, int64_t end) {
  const WindowAxis &az = args.window.z, &ay = args.window.y, &ax = args.window.x;
  const int64_t channels = args.window.channels;
  WindowCodes<T> window;
  window.slice_stride = az.dilation * ay.in * ax.in * channels;
  window.line_stride = ay.dilation * ax.in * channels;
  window.pixel_stride = ax.dilation * channels;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t batch = row / ay.out / az.out, at_z = row / ay.out % az.out, at_y = row % ay.out;
    const TapRange in_z = TapsInImage(az, at_z), in_y = TapsInImage(ay, at_y);
    window.slices = in_z.last - in_z.first;
    window.lines = in_y.last - in_y.first;
    const int64_t slice = batch * az.in + at_z * az.stride - az.pad_begin + in_z.first * az.dilation;
    const int64_t line = slice * ay.in + at_y * ay.stride - ay.pad_begin + in_y.first * ay.dilation;
    for (int64_t at_x = 0; at_x < ax.out; ++at_x) {
      const TapRange in_x = TapsInImage(ax, at_x);
      window.pixels = in_x.last - in_x.first;
      const int64_t pixel = line * ax.in + at_x * ax.stride - ax.pad_begin + in_x.first * ax.dilation;
      window.first = x + pixel * channels;
      MaxPoolPixel(window, channels, y + (row * ax.out + at_x) * channels);
    }
  }
}

inline void MaxPoolCodes(const MaxPoolCodesArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                         int64_t end, std::byte* /*scratch*/) {
  if (args.is_signed) {
    MaxPoolRows(args, static_cast<const int8_t*>(inputs[0]), static_cast<int8_t*>(outputs[0]), begin, end);
  } else {
    MaxPoolRows(args, static_cast<const uint8_t*>(inputs[0]), static_cast<uint8_t*>(outputs[0]), begin, end);
  }
}

}  // namespace
}  // namespace tamis
