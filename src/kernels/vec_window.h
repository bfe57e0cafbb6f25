// Which taps of a window lie inside the image.
#pragma once

#include "src/kernels/vec.h"
#include "src/kernels/window.h"

namespace tamis {
namespace {

struct TapRange {
  int64_t first, last;  // [first, last)
};

// Taps whose position lies in [low, high) for output `at`.
TAMIS_INLINE TapRange TapsBetween(const WindowAxis& axis, int64_t at, int64_t low, int64_t high) {
  const int64_t start = at * axis.stride - axis.pad_begin;
  TapRange range{0, axis.taps};
  if (start < low) range.first = MinOf((low - start + axis.dilation - 1) / axis.dilation, axis.taps);
  const int64_t room = high - start;  // taps below room / dilation are inside
  range.last = room <= 0 ? 0 : MinOf((room + axis.dilation - 1) / axis.dilation, axis.taps);
  if (range.last < range.first) range.last = range.first;
  return range;
}
TAMIS_INLINE TapRange TapsInImage(const WindowAxis& axis, int64_t at) {
  return TapsBetween(axis, at, 0, axis.in);
}
TAMIS_INLINE TapRange TapsInPadded(const WindowAxis& axis, int64_t at) {
  return TapsBetween(axis, at, -axis.pad_begin, axis.in + axis.pad_end);
}

}  // namespace
}  // namespace tamis
