// The body of ConvTranspose for the ISA of the including file.
#pragma once

#include "src/kernels/conv_transpose/conv_transpose.h"
#include "src/kernels/vec_tile.h"

namespace tamis {
namespace {

static_assert(kPixelChunk % (4 * kLanes) == 0);

// Output positions o = i * stride + base inside [0, out): i in [begin, end).
struct Inside {
  int64_t begin, end;
};
TAMIS_INLINE Inside InsideOf(int64_t base, int64_t stride, int64_t out, int64_t in) {
  const int64_t begin = base >= 0 ? 0 : (-base + stride - 1) / stride;
  const int64_t end = base >= out ? 0 : (out - 1 - base) / stride + 1;
  return {MinOf(begin, in), MinOf(end, in)};
}

// Adds products[pixel - first] of one tap to its places in a plane of the result.
inline void AddTap(const ConvTransposeArgs& args, int64_t tap, int64_t first, int64_t count, const float* products,
                   float* plane) {
  const int64_t kd = tap / (args.kernel[1] * args.kernel[2]), kh = tap / args.kernel[2] % args.kernel[1],
                kw = tap % args.kernel[2];
  const int64_t base_d = kd * args.dilation[0] - args.pad[0], base_h = kh * args.dilation[1] - args.pad[1],
                base_w = kw * args.dilation[2] - args.pad[2];
  const Inside columns = InsideOf(base_w, args.stride[2], args.out[2], args.in[2]);
  for (int64_t at = first; at < first + count;) {
    const int64_t row = at / args.in[2], column = at % args.in[2];
    const int64_t stop = MinOf(args.in[2], column + first + count - at);  // of this row
    const int64_t od = row / args.in[1] * args.stride[0] + base_d, oh = row % args.in[1] * args.stride[1] + base_h;
    if (od >= 0 && od < args.out[0] && oh >= 0 && oh < args.out[1]) {
      const int64_t begin = MaxOf(columns.begin, column), end = MinOf(columns.end, stop);
      float* to = plane + (od * args.out[1] + oh) * args.out[2] + base_w;
      const float* from = products + (at - first) - column;
      if (args.stride[2] == 1 && begin < end) {
        float* y = to + begin;
        const float* p = from + begin;
        ForVectors(
            end - begin, [&](int64_t i) { Store(y + i, Load(y + i) + Load(p + i)); },
            [&](int64_t i, int rest) { StorePart(y + i, LoadPart(y + i, rest) + LoadPart(p + i, rest), rest); });
      } else {
        for (int64_t i = begin; i < end; ++i) to[i * args.stride[2]] += from[i];
      }
    }
    at += stop - column;
  }
}

inline void ConvTransposeBlocks(const ConvTransposeArgs& args, const void* const* inputs, void* const* outputs,
                                int64_t begin, int64_t end, std::byte* scratch) {
  auto* pixels = reinterpret_cast<float*>(scratch);        // [channels][chunk]
  float* products = pixels + args.channels * kPixelChunk;  // [block][taps][chunk]
  for (int64_t item = begin; item < end; ++item) {
    const int64_t image_group = item / args.blocks, group = image_group % args.groups;
    const int64_t first_filter = item % args.blocks * args.block;
    const int64_t filters = MinOf(args.block, args.filters - first_filter);
    const float* x = static_cast<const float*>(inputs[0]) + image_group * args.channels * args.in_size;
    float* y = static_cast<float*>(outputs[0]) + (image_group * args.filters + first_filter) * args.out_size;
    const float* weight = args.weight + (group * args.filters + first_filter) * args.taps * args.channels;
    for (int64_t m = 0; m < filters; ++m) {
      const Vec start =
          Set(args.bias ? static_cast<const float*>(inputs[2])[group * args.filters + first_filter + m] : 0.0f);
      float* plane = y + m * args.out_size;
      ForVectors(
          args.out_size, [&](int64_t i) { Store(plane + i, start); },
          [&](int64_t i, int rest) { StorePart(plane + i, start, rest); });
    }
    for (int64_t first = 0; first < args.in_size; first += kPixelChunk) {
      const int64_t count = MinOf(kPixelChunk, args.in_size - first), padded = RoundUp(count, kLanes);
      for (int64_t c = 0; c < args.channels; ++c) {
        float* row = pixels + c * kPixelChunk;
        Map(x + c * args.in_size + first, row, count, [](Vec v) { return v; });
        for (int64_t i = count; i < padded; ++i) row[i] = 0;
      }
      MultiplyTiles<F32Product>(filters * args.taps, padded, args.channels, weight, args.channels, pixels, kPixelChunk,
                                products, kPixelChunk);
      for (int64_t m = 0; m < filters; ++m) {
        for (int64_t tap = 0; tap < args.taps; ++tap) {
          AddTap(args, tap, first, count, products + (m * args.taps + tap) * kPixelChunk, y + m * args.out_size);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tamis
