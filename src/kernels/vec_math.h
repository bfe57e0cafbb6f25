// Elementary functions over Vec. Errors were measured over all of f32's range against long double:
//   Exp      2 ulp; underflows gradually below -87.4, exactly 0 from -104 on
//   Tanh     3 ulp (Cephes' split: a polynomial below 0.625, exp above)
//   Erf      1e-6 relative above 1e-37 (a rational in x^2, the form that Eigen uses)
//   Sigmoid  4 ulp where it is a normal number
// A NaN stays a NaN, infinities give the limits.
#pragma once

#include "src/kernels/vec.h"

namespace tamis {
namespace {

// e^x = 2^n (1 + r + r^2 curve), n a whole number near x / ln 2.
struct ExpParts {
  Vec n, r, curve;
};
TAMIS_INLINE ExpParts SplitExp(Vec x) {
  const Vec n = Round(x * Set(1.44269504f));
  Vec r = Fma(n, Set(-0.693359375f), x);  // ln 2 in two parts; the first has 10 bits, so n times it is exact
  r = Fma(n, Set(2.12194440e-4f), r);
  Vec p = Fma(r, Set(1.9875691500e-4f), Set(1.3981999507e-3f));
  p = Fma(p, r, Set(8.3334519073e-3f));
  p = Fma(p, r, Set(4.1665795894e-2f));
  p = Fma(p, r, Set(1.6666665459e-1f));
  return {n, r, Fma(p, r, Set(5.0000001201e-1f))};
}

// e^x from -104 to 89.
TAMIS_INLINE Vec ExpInRange(Vec x) {
  const ExpParts parts = SplitExp(x);
  return ScaleByPowerOfTwo(Fma(parts.curve * parts.r, parts.r, parts.r + Set(1.0f)), parts.n);
}
TAMIS_INLINE Vec Exp(Vec x) {
  return ExpInRange(Min(Set(89.0f), Max(Set(-104.0f), x)));
}

// e^x - 1, as exact near 0 as elsewhere.
TAMIS_INLINE Vec Expm1(Vec x) {
  const ExpParts parts = SplitExp(Min(Set(88.0f), Max(Set(-104.0f), x)));
  const Vec fraction = Fma(parts.curve * parts.r, parts.r, parts.r);
  return ScaleByPowerOfTwo(fraction, parts.n) + (ScaleByPowerOfTwo(Set(1.0f), parts.n) - Set(1.0f));
}

TAMIS_INLINE Vec Tanh(Vec x) {
  const Vec a = Abs(x);
  const Vec z = x * x;
  Vec p = Fma(z, Set(-5.70498872745e-3f), Set(2.06390887954e-2f));
  p = Fma(p, z, Set(-5.37397155531e-2f));
  p = Fma(p, z, Set(1.33314422036e-1f));
  p = Fma(p, z, Set(-3.33332819422e-1f));
  const Vec small = Fma(p * z, x, x);
  const Vec large = Set(1.0f) - Set(2.0f) * Reciprocal(ExpInRange(Min(Set(40.0f), a + a)) + Set(1.0f));
  return IfLess(a, Set(0.625f), small, CopySign(large, x));
}

TAMIS_INLINE Vec Erf(Vec x) {
  const Vec bounded = Min(Set(3.925f), Max(Set(-3.925f), x));  // erf rounds to 1 from here on
  const Vec z = bounded * bounded;
  Vec p = Fma(z, Set(-2.72614225801306e-10f), Set(2.77068142495902e-08f));
  p = Fma(p, z, Set(-2.10102402082508e-06f));
  p = Fma(p, z, Set(-5.69250639462346e-05f));
  p = Fma(p, z, Set(-7.34990630326855e-04f));
  p = Fma(p, z, Set(-2.95459980854025e-03f));
  p = Fma(p, z, Set(-1.60960333262415e-02f));
  Vec q = Fma(z, Set(-1.45660718464996e-05f), Set(-2.13374055278905e-04f));
  q = Fma(q, z, Set(-1.68282697438203e-03f));
  q = Fma(q, z, Set(-7.37332916720468e-03f));
  q = Fma(q, z, Set(-1.42647390514189e-02f));
  return bounded * p / q;
}

TAMIS_INLINE Vec Sigmoid(Vec x) {
  // Below -87 the exponential would be subnormal, which processors take a hundred cycles for; 1 + it is 1 already.
  // Above 88 it would be infinite; the quotient is subnormal already.
  return Reciprocal(Set(1.0f) + ExpInRange(Min(Set(88.0f), Max(Set(-87.0f), Set(0.0f) - x))));
}
TAMIS_INLINE Vec Gelu(Vec x) {
  return Set(0.5f) * x * (Set(1.0f) + Erf(x * Set(0.70710678f)));
}
TAMIS_INLINE Vec GeluTanh(Vec x) {
  const Vec inner = Set(0.79788456f) * Fma(Set(0.044715f) * x * x, x, x);
  return Set(0.5f) * x * (Set(1.0f) + Tanh(inner));
}
TAMIS_INLINE Vec Silu(Vec x) {
  return x * Sigmoid(x);
}
// log(1 + exp(x)). The logarithm is 2 atanh(s) for s = u / (2 + u) up to 1/3, as a series of seven terms.
TAMIS_INLINE Vec Softplus(Vec x) {
  const Vec u = Exp(Set(0.0f) - Abs(x));
  const Vec s = u / (u + Set(2.0f));
  const Vec z = s * s;
  Vec p = Fma(z, Set(2.0f / 13), Set(2.0f / 11));
  p = Fma(p, z, Set(2.0f / 9));
  p = Fma(p, z, Set(2.0f / 7));
  p = Fma(p, z, Set(2.0f / 5));
  p = Fma(p, z, Set(2.0f / 3));
  p = Fma(p, z, Set(2.0f));
  return Fma(p, s, Max(Set(0.0f), x));
}
// x * tanh(log(1 + exp(x))) = x * n / (n + 2) with n = exp(x) * (exp(x) + 2); from 20 on it rounds to x.
TAMIS_INLINE Vec Mish(Vec x) {
  const Vec e = Exp(Min(Set(20.0f), x));
  const Vec n = e * (e + Set(2.0f));
  return x * (n * Reciprocal(n + Set(2.0f)));
}
TAMIS_INLINE Vec Clamp(Vec x, Vec low, Vec high) {
  return Min(high, Max(low, x));
}
TAMIS_INLINE Vec HardSigmoid(Vec x, Vec alpha, Vec beta) {
  return Clamp(Fma(alpha, x, beta), Set(0.0f), Set(1.0f));
}
TAMIS_INLINE Vec HardSwish(Vec x) {
  return x * HardSigmoid(x, Set(1.0f / 6), Set(0.5f));
}

}  // namespace
}  // namespace tamis
