// GELU (erf form) without an exponential: gelu(x) = max(x, 0) - |x| s(|x|) with s(a) = 1 - Phi(a), which falls from 1/2
// to 0 and is read here as a cubic on each of 32 intervals. Absolute error below 2e-7 for every x below 1; near 0 it is
// relative to x, so that what is small everywhere stays right.
#pragma once

namespace tamis {

struct GeluTable {
  static constexpr int kIntervals = 32;
  static constexpr float kEnd = 5.5F;  // a s(a) < 1.1e-7 from here on
  // s = c[0] + u * (c[1] + u * (c[2] + u * c[3])) in interval i of width kEnd / kIntervals, u = a / width - i - 1/2
  alignas(64) float c[4][kIntervals];
};
const GeluTable& TheGeluTable();

// gelu(x) = max(x, 0) - f(|x|), f(a) = a s(a) read as a quadratic in a itself, in interval round(a * kPerUnit), and as
// f(kLast) behind the last one. Absolute error below 2e-5: a hundredth of a code where codes are 0.002 apart, which
// reach up to 0.5.
struct GeluCodeTable {
  static constexpr int kIntervals = 32;
  static constexpr float kLast = 5.F, kPerUnit = 6.29F;  // round(kLast * kPerUnit) is the last interval
  alignas(64) float c[3][kIntervals];                    // f = c[0] + a * (c[1] + a * c[2])
};
const GeluCodeTable& TheGeluCodeTable();

}  // namespace tamis
