// What the kernels of ConvInteger read from a problem.
#pragma once

#include <array>

#include "src/kernels/kernel.h"

namespace tamis {

// NCHW. Three spatial axes; those that the image lacks have one index.
struct IntegerGeometry {
  static constexpr size_t kAxes = 3;
  int64_t batch = 1, groups = 1, channels = 1, filters = 1;  // of one group
  std::array<int64_t, kAxes> in{1, 1, 1}, out{1, 1, 1}, taps{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, pad{0, 0, 0};
  std::array<int64_t, kAxes> padded{1, 1, 1};

  int64_t Pixels() const { return out[0] * out[1] * out[2]; }
  int64_t Taps() const { return taps[0] * taps[1] * taps[2]; }
  int64_t Depth() const { return channels * Taps(); }
  int64_t InPixels() const { return in[0] * in[1] * in[2]; }
  int64_t PaddedPixels() const { return padded[0] * padded[1] * padded[2]; }
  // Places in a padded image.
  int64_t At(int64_t z, int64_t y, int64_t x) const { return (z * padded[1] + y) * padded[2] + x; }
  // Where output pixel `pixel` begins to read.
  int64_t Start(int64_t pixel) const {
    const int64_t x = pixel % out[2], y = pixel / out[2] % out[1], z = pixel / out[2] / out[1];
    return At(z * stride[0], y * stride[1], x * stride[2]);
  }
  // Places of the taps behind that, in the order of the filters' elements.
  std::vector<int64_t> TapPlaces() const;
};

// An error says what is not supported.
Result<IntegerGeometry> ReadIntegerConv(const Problem& problem);

}  // namespace tamis
