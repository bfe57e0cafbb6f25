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

}  // namespace tamis
