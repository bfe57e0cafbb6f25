// A 2:4 matrix as all gemm24 and conv24 kernels read it: kept values plus one 4-bit code for each group of four.
//
// Outputs are cut into panels of 32 lanes (the last one filled up with zeros), depth into groups of four (the last one
// likewise). For panel p, group g and lane l of the group's two kept elements a (lower position) and b:
//   values, f32   [p][g][2][32]   all a, then all b
//   values, bf16  [p][g][32][2]   a and b side by side, as vdpbf16ps takes them
//   codes         [p][g][16]      byte i: code of lane i in the low four bits, of lane i + 16 in the high four
// with code = position of a | position of b << 2. Positions are below the depth, so a kernel never takes an element
// from beyond a row; where fewer than two are non-zero a value of 0 fills up. 62.5 % (f32: 56 %) of the dense size.
#pragma once

#include <memory>

#include "src/kernels/pack_cache.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

class Packed24 : public PackedWeight {
 public:
  static constexpr int64_t kLanes = 32;

  // `weight` is [outputs, depth], f32 or bf16, any rank with the first axis as outputs. A user error names the first
  // group that has more than two non-zeros.
  static Result<std::shared_ptr<const Packed24>> Make(const Tensor& weight);
  // The same, shared through the cache.
  static Result<std::shared_ptr<const Packed24>> Get(PackCache& cache, uint64_t hash, const Tensor& weight);

  size_t Bytes() const override { return values_.Bytes() + codes_.Bytes(); }
  DType dtype() const { return dtype_; }
  int64_t outputs() const { return outputs_; }
  int64_t depth() const { return depth_; }
  int64_t panels() const { return (outputs_ + kLanes - 1) / kLanes; }
  int64_t groups() const { return (depth_ + 3) / 4; }
  const std::byte* values(int64_t panel) const { return values_.data() + panel * ValueBytes(); }
  const uint8_t* codes(int64_t panel) const {
    return reinterpret_cast<const uint8_t*>(codes_.data()) + panel * groups() * kLanes / 2;
  }

 private:
  Packed24(DType dtype, int64_t outputs, int64_t depth);
  int64_t ValueBytes() const { return groups() * kLanes * 2 * BitSize(dtype_) / 8; }  // of one panel
  template <class T>
  Status Fill(const T* dense);

  DType dtype_;
  int64_t outputs_;
  int64_t depth_;
  PackedBytes values_;
  PackedBytes codes_;
};

}  // namespace tamis
