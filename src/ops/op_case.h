// Seeded operands for the test cases that operators carry. The numbers are the same with every standard library.
#pragma once

#include <cstdint>

#include "src/ops/op_def.h"

namespace tamis {

class CaseMaker {
 public:
  explicit CaseMaker(uint64_t seed) : state_(seed) {}

  // f32 values in [low, high).
  Tensor Floats(Dims dims, float low = -1, float high = 1) {
    Tensor tensor(DType::kFloat32, std::move(dims));
    for (float& value : tensor.Span<float>()) value = low + (high - low) * static_cast<float>(NextUnit());
    return tensor;
  }
  // int64 values in [low, high].
  Tensor Integers(Dims dims, int64_t low, int64_t high) {
    Tensor tensor(DType::kInt64, std::move(dims));
    for (int64_t& value : tensor.Span<int64_t>()) {
      value = low + static_cast<int64_t>(NextUnit() * static_cast<double>(high - low + 1));
    }
    return tensor;
  }

 private:
  // SplitMix64 (Steele, Lea, Flood 2014), its upper 53 bits as a number in [0, 1).
  double NextUnit() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }
  uint64_t state_;
};

}  // namespace tamis
