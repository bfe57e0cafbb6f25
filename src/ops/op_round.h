// For operators that ONNX defines as a series of steps: rounding to a half-precision type after each.
#pragma once

#include "src/base/float16.h"
#include "tamis/dtype.h"

namespace tamis {

// f16 and bf16 as their type has them; f32 and f64 stay in double, where more digits do no harm.
class StepRounding {
 public:
  explicit StepRounding(DType dtype) : dtype_(dtype) {}
  double operator()(double value) const {
    if (dtype_ == DType::kFloat16) return static_cast<double>(HalfToFloat(FloatToHalf(static_cast<float>(value))));
    if (dtype_ == DType::kBFloat16) return static_cast<double>(Bf16ToFloat(FloatToBf16(static_cast<float>(value))));
    return value;
  }

 private:
  DType dtype_;
};

}  // namespace tamis
