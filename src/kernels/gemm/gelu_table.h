// GELU (erf form) without an exponential: gelu(x) = max(x, 0) - t(|x|) with t(a) = a * (1 - Phi(a)), which falls to 0 and
// is read here as a cubic on each of 32 intervals. Absolute error below 5e-7 for every x.
#pragma once

namespace tamis {

struct GeluTable {
  static constexpr int kIntervals = 32;
  static constexpr float kEnd = 5.5F;  // t(a) < 1.1e-7 from here on
  // t = c[0] + u * (c[1] + u * (c[2] + u * c[3])) in interval i of width kEnd / kIntervals, u = a / width - i - 1/2
  alignas(64) float c[4][kIntervals];
};
const GeluTable& TheGeluTable();

}  // namespace tamis
