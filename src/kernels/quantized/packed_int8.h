// An int8 weight as the int8 panel routines read it: panels of 32 outputs, steps of inputs.
//
// Outputs of each convolution group are cut into panels of 32 lanes (the last one filled up with zeros). A tap's inputs
// are cut into steps of eight (2:4) or four (dense), likewise filled up, so that no step reaches into the next tap:
// what a routine reads beyond a tap's inputs meets zeros. For panel p, step s and lane l:
//
//   dense   values [p][s][32][4]  the four weights of a lane side by side, as vpdpbusd takes them
//   2:4     values [p][s][32][4]  the two kept ones of the step's first group of four, then those of its second
//           codes  [p][s][2][16]  for each group, byte i: code of lane i in the low four bits, of lane i + 16 in the
//                                 high four; code = position of the first kept one | of the second << 2
//
// 2:4 thus takes 62.5 % of the dense bytes. Where the outputs of a 2:4 panel can be put in pairs that keep elements of
// the same positions (the union of their masks is 2:4), lanes i and i + 16 are such a pair, and `order` tells which
// output lies where; their codes are equal. `sums` are the sums of every output's weights, which a zero point of x
// multiplies; as only kept weights are not zero, they are the sums of the kept ones.
#pragma once

#include <memory>
#include <vector>

#include "src/ir/graph.h"
#include "src/kernels/pack_cache.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

// An int8 weight's geometry: groups * outputs rows of taps * channels elements.
struct Int8Geometry {
  int64_t groups = 1;   // of the convolution
  int64_t outputs = 0;  // of one group
  int64_t taps = 1;
  int64_t channels = 0;  // of one group
};

class PackedInt8 : public PackedWeight {
 public:
  static constexpr int64_t kLanes = 32;

  // `weight` holds the rows that `geometry` tells of. A user error names the first group of four that has more than two
  // non-zeros although `pattern` is 2:4. Shared through the cache.
  static Result<std::shared_ptr<const PackedInt8>> Get(PackCache& cache, uint64_t hash, const Tensor& weight,
                                                       const Int8Geometry& geometry, Pattern pattern);

  size_t Bytes() const override { return values_.Bytes() + codes_.Bytes() + sums_.Bytes() + order_.Bytes(); }
  const Int8Geometry& geometry() const { return geometry_; }
  bool sparse() const { return sparse_; }
  int64_t inputs_per_step() const { return sparse_ ? 8 : 4; }
  int64_t tap_steps() const { return (geometry_.channels + inputs_per_step() - 1) / inputs_per_step(); }
  int64_t steps() const { return geometry_.taps * tap_steps(); }
  int64_t group_panels() const { return (geometry_.outputs + kLanes - 1) / kLanes; }
  int64_t panels() const { return geometry_.groups * group_panels(); }
  const int8_t* values(int64_t panel) const {
    return reinterpret_cast<const int8_t*>(values_.data()) + panel * steps() * kLanes * 4;
  }
  // At least 64 readable bytes follow the last code.
  const uint8_t* codes(int64_t panel) const {
    return reinterpret_cast<const uint8_t*>(codes_.data()) + (sparse_ ? panel * steps() * kLanes : 0);
  }
  // [output of the panel] its lane, where the panel is paired; null elsewhere.
  const int32_t* order(int64_t panel) const {
    return paired_[static_cast<size_t>(panel)] ? reinterpret_cast<const int32_t*>(order_.data()) + panel * kLanes
                                               : nullptr;
  }
  // The weights' sums: [tap][lane].
  const int32_t* sums(int64_t panel) const {
    return reinterpret_cast<const int32_t*>(sums_.data()) + panel * geometry_.taps * kLanes;
  }

 private:
  PackedInt8(const Int8Geometry& geometry, bool sparse);
  Status CheckMasks(const int8_t* weight);
  void OrderPanel(int64_t panel);
  void FillRow(const int8_t* weight, int64_t panel, int64_t lane, int64_t row);

  Int8Geometry geometry_;
  bool sparse_;
  PackedBytes values_, codes_, sums_, order_;
  std::vector<bool> paired_;    // by panel
  std::vector<uint8_t> masks_;  // while packing: [row][group of four]
};

}  // namespace tamis
