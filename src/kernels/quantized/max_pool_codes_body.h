// The body of maximum pooling of codes for the ISA of the including file.
#pragma once

#include "src/kernels/quantized/max_pool_codes.h"
#include "src/kernels/vec_window.h"

namespace tamis {
namespace {

// A row of taps' maxima goes into `y`, channel by channel.
template <class T>
inline void MaxPoolRows(const MaxPoolCodesArgs& args, const T* x, T* y, int64_t begin, int64_t end) {
  const WindowAxis &az = args.window.z, &ay = args.window.y, &ax = args.window.x;
  const int64_t channels = args.window.channels;
  constexpr T kLowest = T(-1) < T(0) ? T(-128) : T(0);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t batch = row / ay.out / az.out, at_z = row / ay.out % az.out, at_y = row % ay.out;
    const T* image = x + batch * az.in * ay.in * ax.in * channels;
    const TapRange in_z = TapsInImage(az, at_z), in_y = TapsInImage(ay, at_y);
    for (int64_t at_x = 0; at_x < ax.out; ++at_x) {
      T* __restrict out = y + (row * ax.out + at_x) * channels;
      const TapRange in_x = TapsInImage(ax, at_x);
      for (int64_t c = 0; c < channels; ++c) out[c] = kLowest;
      for (int64_t q = in_z.first; q < in_z.last; ++q) {
        const int64_t slice = (at_z * az.stride - az.pad_begin + q * az.dilation) * ay.in;
        for (int64_t r = in_y.first; r < in_y.last; ++r) {
          const int64_t line = (slice + at_y * ay.stride - ay.pad_begin + r * ay.dilation) * ax.in;
          for (int64_t s = in_x.first; s < in_x.last; ++s) {
            const T* __restrict from = image + (line + at_x * ax.stride - ax.pad_begin + s * ax.dilation) * channels;
            for (int64_t c = 0; c < channels; ++c) out[c] = from[c] > out[c] ? from[c] : out[c];
          }
        }
      }
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
