// int8 convolutions of 3 x 3 by Winograd's method, exactly: 2 x 2 results from 4 x 4 inputs by 16 products instead
// of 36.
//
// With the polynomials taken at 0, +-1 and infinity only the weights' transform has fractions, halves along either
// axis. Twice it, G' = 2 G, is of whole numbers, and so is everything else:
//   V = B d B^T         of inputs less their zero point: at most 4 * 255, 16 bits
//   U = G' g G'^T       at most 9 * 128, 16 bits
//   4 y = C (U V) C^T   products and sums of 32 bits; whatever overflows on the way wraps around, and y has room
// It pays where bytes are multiplied no faster than 16 bits. (Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2016; the scaling is ours.)
#pragma once

#include <memory>

#include "src/kernels/pack_cache.h"
#include "src/kernels/quantized/quantized.h"

namespace tamis::winograd_int8 {

inline constexpr int64_t kTile = 2, kReach = 4, kPlaces = 16;
inline constexpr int64_t kPanel = 32;  // outputs

struct Shape {
  QuantizedConvShape conv;
  int64_t tiles_y = 0, tiles_x = 0;  // of an image
  bool is_signed = false;            // x

  int64_t Tiles() const { return conv.batch * tiles_y * tiles_x; }
  int64_t Panels() const { return (conv.outputs + kPanel - 1) / kPanel; }
  int64_t Pairs() const { return (conv.channels + 1) / 2; }
};
// 3 x 3 over images of two axes with stride one, no dilation, one group, and so few channels that 4 y fits into 32
// bits; the reason otherwise.
Result<Shape> ReadShape(const Problem& problem);
double Cost(const Problem& problem, Isa isa);

// U: [panel][place][pair of channels][output of the panel][2], zeros beyond outputs and channels.
class Weight : public PackedWeight {
 public:
  static std::shared_ptr<const Weight> Get(PackCache& cache, uint64_t hash, const Tensor& weight, const Shape& shape);

  size_t Bytes() const override { return bytes_.Bytes(); }
  const int16_t* values(int64_t panel, int64_t place) const {
    return reinterpret_cast<const int16_t*>(bytes_.data()) + (panel * kPlaces + place) * pairs_ * kPanel * 2;
  }

 private:
  Weight(const Tensor& weight, const Shape& shape);

  int64_t pairs_;
  PackedBytes bytes_;
};

}  // namespace tamis::winograd_int8
