// Channels-last images with their padding, as implicit convolutions read them: every tap of every result lies at the
// same distance from where the result's own window begins. Images are laid out so only where they need padding (or
// another distance from pixel to pixel); elements are bytes here, whatever their type.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "src/ops/op_window.h"

namespace tamis {

struct PaddedImage {
  int64_t batch = 1;
  std::array<SlidingAxis, 3> axes;
  int64_t pixel_bytes = 0;  // of x
  int64_t pitch = 0;        // bytes from pixel to pixel as laid out
  std::array<int64_t, 3> padded = {1, 1, 1};
  bool pads = false;       // some axis is longer than x's
  bool pointwise = false;  // one tap, no stride

  PaddedImage() = default;
  PaddedImage(int64_t images, const WindowGeometry& geometry, int64_t bytes_of_pixel);

  // Rows of results that follow one another in x at one distance: lines of the innermost axis, or all of them.
  bool OneLine() const { return pointwise && !pads; }
  int64_t LineRows() const { return OneLine() ? batch * OutPixels() : axes[2].out; }
  int64_t Lines() const { return OneLine() ? 1 : batch * axes[0].out * axes[1].out; }
  int64_t OutPixels() const { return axes[0].out * axes[1].out * axes[2].out; }
  // Where rows are best cut between threads: whole lines if there are enough of them.
  int64_t RowUnit(int threads) const { return !OneLine() && Lines() >= 4 * threads ? axes[2].out : 2; }
  int64_t Pixels() const { return batch * padded[0] * padded[1] * padded[2]; }

  // Bytes from the first pixel to another.
  int64_t At(int64_t image, int64_t z, int64_t y, int64_t x) const {
    return (((image * padded[0] + z) * padded[1] + y) * padded[2] + x) * pitch;
  }
  // Bytes to where the window of the first result of a line begins.
  int64_t LineStart(int64_t line) const;
  int64_t RowPitch() const { return axes[2].stride * pitch; }
  // Bytes from the window's first pixel to every tap; to the first of every row of them where a row is read as one tap.
  std::vector<int64_t> Taps(bool rows_as_taps) const;
  // Those of Taps that the results of a line meet in the image, not in its padding above or below; all of them where
  // there are none. Their weights lie one behind the other.
  struct TapSpan {
    int64_t first = 0, last = 0;
  };
  TapSpan TapsInImage(int64_t line, bool rows_as_taps) const;
  // Lines from `line` on, 1 to `most`, that meet the same taps and begin at one distance from each other as laid out.
  struct LineRun {
    int64_t lines = 1, pitch = 0;  // bytes from line to line
  };
  LineRun LinesFrom(int64_t line, bool rows_as_taps, int64_t most) const;
  // Pixels [begin, end) that rows [first, last) of the results read.
  struct Span {
    int64_t begin = 0, end = 0;
  };
  Span PixelsOf(int64_t first, int64_t last) const;
  // Of any `rows` neighbouring rows of whole lines, or of all if there are no more.
  int64_t MostPixels(int64_t rows) const;

  // Lays out pixels [begin, end); `to` is where pixel 0 would lie. `fill` is a byte of padding, `flip` is what each
  // byte of x is xored with.
  void LayOut(const void* x, int64_t begin, int64_t end, uint8_t fill, uint8_t flip, void* to) const;

 private:
  void Copy(const uint8_t* from, int64_t bytes, uint8_t flip, uint8_t* to) const;
};

}  // namespace tamis
