// The body of pooling for the ISA of the including file.
#pragma once

#include "src/kernels/pool/pool.h"
#include "src/kernels/vec_window.h"

namespace tamis {
namespace {

// One output pixel: all channels, reduced over the taps inside the image.
template <class In, class Out>
TAMIS_INLINE void PoolPixel(const PoolArgs& args, const In* image, Out* y, int64_t at_z, int64_t at_y, int64_t at_x) {
  const WindowAxis &az = args.window.z, &ay = args.window.y, &ax = args.window.x;
  const int64_t channels = args.window.channels;
  const TapRange in_z = TapsInImage(az, at_z), in_y = TapsInImage(ay, at_y), in_x = TapsInImage(ax, at_x);
  int64_t count = (in_z.last - in_z.first) * (in_y.last - in_y.first) * (in_x.last - in_x.first);
  if (args.count_padding) {
    const TapRange padded_z = TapsInPadded(az, at_z), padded_y = TapsInPadded(ay, at_y);
    const TapRange padded_x = TapsInPadded(ax, at_x);
    count = (padded_z.last - padded_z.first) * (padded_y.last - padded_y.first) * (padded_x.last - padded_x.first);
  }
  const Vec start = args.average ? Set(0) : Set(-__builtin_inff());
  const Vec factor = Set(args.average ? 1.0f / static_cast<float>(count) : 1.0f);
  const auto reduce = [&](auto load) {
    Vec sum = start;
    for (int64_t q = in_z.first; q < in_z.last; ++q) {
      const int64_t slice = (at_z * az.stride - az.pad_begin + q * az.dilation) * ay.in;
      for (int64_t r = in_y.first; r < in_y.last; ++r) {
        const int64_t row = slice + at_y * ay.stride - ay.pad_begin + r * ay.dilation;
        for (int64_t s = in_x.first; s < in_x.last; ++s) {
          const int64_t column = at_x * ax.stride - ax.pad_begin + s * ax.dilation;
          const Vec x = load(image + (row * ax.in + column) * channels);
          sum = args.average ? sum + x : Max(sum, x);
        }
      }
    }
    return sum * factor;
  };
  ForVectors(
      channels, [&](int64_t c) { Store(y + c, reduce([c](const In* p) { return Load(p + c); })); },
      [&](int64_t c, int rest) {
        StorePart(y + c, reduce([c, rest](const In* p) { return LoadPart(p + c, rest); }), rest);
      });
}

template <class In, class Out>
inline void PoolRows(const PoolArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                     int64_t end) {
  const WindowAxis &z = args.window.z, &y = args.window.y, &x = args.window.x;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t batch = row / y.out / z.out;
    const In* image = static_cast<const In*>(inputs[0]) + batch * z.in * y.in * x.in * args.window.channels;
    Out* out = static_cast<Out*>(outputs[0]) + row * x.out * args.window.channels;
    for (int64_t at = 0; at < x.out; ++at) {
      PoolPixel(args, image, out + at * args.window.channels, row / y.out % z.out, row % y.out, at);
    }
  }
}

inline void Pool(const PoolArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                 std::byte* /*scratch*/) {
  if (args.bf16_input) {
    const auto rows = args.bf16_output ? PoolRows<Bf16, Bf16> : PoolRows<Bf16, float>;
    rows(args, inputs, outputs, begin, end);
  } else {
    const auto rows = args.bf16_output ? PoolRows<float, Bf16> : PoolRows<float, float>;
    rows(args, inputs, outputs, begin, end);
  }
}

}  // namespace
}  // namespace tamis
