// The body of pooling for the ISA of the including file.
#pragma once

#include "src/kernels/pool/pool.h"
#include "src/kernels/vec_window.h"

namespace tamis {
namespace {

template <bool kAverage>
TAMIS_INLINE Vec Pooled(Vec sum, Vec x) {
  return kAverage ? sum + x : Max(sum, x);
}
template <bool kAverage>
TAMIS_INLINE float Pooled(float sum, float x) {
  return kAverage ? sum + x : (x < sum ? sum : x);
}
template <bool kAverage>
TAMIS_INLINE float PoolStart() {
  return kAverage ? 0.0f : -__builtin_inff();
}

// line[i] = the n elements of each of `count` rows, pooled; `more`: and of the line itself.
template <bool kAverage, class In>
TAMIS_INLINE void PoolLines(const In* const* rows, int count, bool more, int64_t n, float* line) {
  const Vec start = Set(PoolStart<kAverage>());
  ForVectors(
      n,
      [&](int64_t i) {
        Vec sum = more ? Load(line + i) : start;
        for (int r = 0; r < count; ++r) sum = Pooled<kAverage>(sum, Load(rows[r] + i));
        Store(line + i, sum);
      },
      [&](int64_t i, int rest) {
        Vec sum = more ? LoadPart(line + i, rest) : start;
        for (int r = 0; r < count; ++r) sum = Pooled<kAverage>(sum, LoadPart(rows[r] + i, rest));
        StorePart(line + i, sum, rest);
      });
}

// Along x, all channels of a pixel side by side. `divide(at)`: what the sum at `at` is multiplied with.
template <bool kAverage, class Out, class Divide>
TAMIS_INLINE void PoolPixels(const WindowAxis& x, int64_t channels, const float* line, Out* y, Divide divide) {
  for (int64_t at = 0; at < x.out; ++at) {
    const TapRange taps = TapsInImage(x, at);
    const float* first = line + (at * x.stride - x.pad_begin + taps.first * x.dilation) * channels;
    const int64_t count = taps.last - taps.first, step = x.dilation * channels;
    const Vec factor = Set(divide(at)), start = Set(PoolStart<kAverage>());
    Out* out = y + at * channels;
    ForVectors(
        channels,
        [&](int64_t c) {
          Vec sum = start;
          for (int64_t s = 0; s < count; ++s) sum = Pooled<kAverage>(sum, Load(first + s * step + c));
          Store(out + c, kAverage ? sum * factor : sum);
        },
        [&](int64_t c, int rest) {
          Vec sum = start;
          for (int64_t s = 0; s < count; ++s) sum = Pooled<kAverage>(sum, LoadPart(first + s * step + c, rest));
          StorePart(out + c, kAverage ? sum * factor : sum, rest);
        });
  }
}

// The same for one channel: outputs side by side where no window sticks out.
template <bool kAverage, class Divide>
TAMIS_INLINE void PoolPlane(const WindowAxis& x, const float* line, float* y, Divide divide) {
  const auto one = [&](int64_t at) {
    const TapRange taps = TapsInImage(x, at);
    const int64_t first = at * x.stride - x.pad_begin;
    float sum = PoolStart<kAverage>();
    for (int64_t s = taps.first; s < taps.last; ++s) sum = Pooled<kAverage>(sum, line[first + s * x.dilation]);
    y[at] = kAverage ? sum * divide(at) : sum;
  };
  const int64_t reach = (x.taps - 1) * x.dilation;
  const int64_t begin = MinOf((x.pad_begin + x.stride - 1) / x.stride, x.out);
  const int64_t last = x.in - 1 - reach + x.pad_begin;  // of the windows that end inside, the last start
  const int64_t end = MaxOf(begin, last < 0 ? 0 : MinOf(last / x.stride + 1, x.out));
  for (int64_t at = 0; at < begin; ++at) one(at);
  if (begin < end) {
    const float factor = divide(begin);
    const float* const from = line - x.pad_begin;
    if (x.stride == 1) {
      const auto sum_at = [&](int64_t at, auto load) {
        Vec sum = Set(PoolStart<kAverage>());
        for (int64_t s = 0; s < x.taps; ++s) sum = Pooled<kAverage>(sum, load(from + begin + at + s * x.dilation));
        return kAverage ? sum * Set(factor) : sum;
      };
      ForVectors(
          end - begin, [&](int64_t at) { Store(y + begin + at, sum_at(at, [](const float* p) { return Load(p); })); },
          [&](int64_t at, int rest) {
            StorePart(y + begin + at, sum_at(at, [rest](const float* p) { return LoadPart(p, rest); }), rest);
          });
    } else {
      for (int64_t at = begin; at < end; ++at) {
        float sum = PoolStart<kAverage>();
        for (int64_t s = 0; s < x.taps; ++s) sum = Pooled<kAverage>(sum, from[at * x.stride + s * x.dilation]);
        y[at] = kAverage ? sum * factor : sum;
      }
    }
  }
  for (int64_t at = end; at < x.out; ++at) one(at);
}

template <bool kAverage, class In, class Out>
inline void PoolRows(const PoolArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                     float* line) {
  const WindowAxis &z = args.window.z, &y = args.window.y, &x = args.window.x;
  const int64_t channels = args.window.channels, width = x.in * channels;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t at_z = row / y.out % z.out, at_y = row % y.out;
    const In* image = static_cast<const In*>(inputs[0]) + row / y.out / z.out * z.in * y.in * width;
    const TapRange in_z = TapsInImage(z, at_z), in_y = TapsInImage(y, at_y);
    constexpr int kRows = 16;
    const In* rows[kRows];
    int count = 0;
    bool more = false;
    for (int64_t q = in_z.first; q < in_z.last; ++q) {
      const int64_t slice = (at_z * z.stride - z.pad_begin + q * z.dilation) * y.in;
      for (int64_t r = in_y.first; r < in_y.last; ++r) {
        rows[count++] = image + (slice + at_y * y.stride - y.pad_begin + r * y.dilation) * width;
        if (count < kRows) continue;
        PoolLines<kAverage>(rows, count, more, width, line);
        more = true;
        count = 0;
      }
    }
    if (count > 0 || !more) PoolLines<kAverage>(rows, count, more, width, line);
    // An average divides by taps, of each axis apart.
    int64_t others = (in_z.last - in_z.first) * (in_y.last - in_y.first);
    if (args.count_padding) {
      const TapRange padded_z = TapsInPadded(z, at_z), padded_y = TapsInPadded(y, at_y);
      others = (padded_z.last - padded_z.first) * (padded_y.last - padded_y.first);
    }
    const auto divide = [&](int64_t at) {
      const TapRange taps = args.count_padding ? TapsInPadded(x, at) : TapsInImage(x, at);
      return 1.0f / static_cast<float>(others * (taps.last - taps.first));
    };
    Out* out = static_cast<Out*>(outputs[0]) + row * x.out * channels;
    if constexpr (sizeof(In) == sizeof(float) && sizeof(Out) == sizeof(float)) {
      if (channels == 1) {
        PoolPlane<kAverage>(x, line, out, divide);
        continue;
      }
    }
    PoolPixels<kAverage>(x, channels, line, out, divide);
  }
}

inline void Pool(const PoolArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                 std::byte* scratch) {
  const auto run = [&](auto rows) { rows(args, inputs, outputs, begin, end, reinterpret_cast<float*>(scratch)); };
  if (args.bf16_input) {
    if (args.average) return run(args.bf16_output ? PoolRows<true, Bf16, Bf16> : PoolRows<true, Bf16, float>);
    return run(args.bf16_output ? PoolRows<false, Bf16, Bf16> : PoolRows<false, Bf16, float>);
  }
  if (args.average) return run(args.bf16_output ? PoolRows<true, float, Bf16> : PoolRows<true, float, float>);
  return run(args.bf16_output ? PoolRows<false, float, Bf16> : PoolRows<false, float, float>);
}

}  // namespace
}  // namespace tamis
