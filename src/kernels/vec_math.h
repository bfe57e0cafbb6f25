// Elementary functions over Vec. Errors were measured over all of f32's range against long double:
//   Exp      2 ulp; underflows gradually below -87.4, exactly 0 from -104 on
//   ExpOfMinus 2 ulp, without an FMA 2.1; from -88 to 87
//   Tanh     3 ulp (Cephes' split: a polynomial below 0.625, exp above)
//   Erf      1e-6 relative above 1e-37 (a rational in x^2, the form that Eigen uses)
//   Sigmoid  4 ulp where it is a normal number
// A NaN stays a NaN, infinities give the limits. V is Vec, or Vecs of several (vec_lockstep.h).
#pragma once

#include "src/kernels/vec_lockstep.h"

namespace tamis {
namespace {

// e^x = 2^n (1 + r + r^2 curve), n a whole number near x / ln 2.
template <class V>
struct ExpParts {
  V n, r, curve;
};
template <class V>
TAMIS_INLINE ExpParts<V> SplitExp(V x) {
  const V n = Round(x * Set(1.44269504f));
  V r = Fma(n, Set(-0.693359375f), x);  // ln 2 in two parts; the first has 10 bits, so n times it is exact
  r = Fma(n, Set(2.12194440e-4f), r);
  V p = Fma(r, Set(1.9875691500e-4f), Set(1.3981999507e-3f));
  p = Fma(p, r, Set(8.3334519073e-3f));
  p = Fma(p, r, Set(4.1665795894e-2f));
  p = Fma(p, r, Set(1.6666665459e-1f));
  return {n, r, Fma(p, r, Set(5.0000001201e-1f))};
}

// e^x from -104 to 89.
template <class V>
TAMIS_INLINE V ExpInRange(V x) {
  const ExpParts<V> parts = SplitExp(x);
  return ScaleByPowerOfTwo(Fma(parts.curve * parts.r, parts.r, parts.r + Set(1.0f)), parts.n);
}
// e^-x from -88 to 87, where 2^n and the result are normal numbers, in half the operations: a sum so large that it is
// rounded to a whole number has that in its low bits, and five terms (a minimax fit) are as exact as a float but for a
// bit. r is that of e^-x with the other sign.
template <class V>
TAMIS_INLINE V ExpOfMinus(V x) {
  const Vec large = Set(0x1.8p23f + 127);
  const V sum = Fma(x, Set(-1.44269504f), large);
  const V n = sum - large;
  const V r = Fma(n, Set(-2.12194440e-4f), Fma(n, Set(0.693359375f), x));
  V p = Fma(r, Set(-8.29023402e-3f), Set(4.18983623e-2f));
  p = Fma(p, r, Set(-0.166676402f));
  p = Fma(p, r, Set(0.499991477f));
  p = Fma(p, r, Set(-0.999999702f));
  return Fma(p, r, Set(1.0f)) * PowerOfLowBits(sum);
}
template <class V>
TAMIS_INLINE V Exp(V x) {
  return ExpInRange(Min(Set(89.0f), Max(Set(-104.0f), x)));
}

// e^x - 1, as exact near 0 as elsewhere.
template <class V>
TAMIS_INLINE V Expm1(V x) {
  const ExpParts<V> parts = SplitExp(Min(Set(88.0f), Max(Set(-104.0f), x)));
  const V fraction = Fma(parts.curve * parts.r, parts.r, parts.r);
  return ScaleByPowerOfTwo(fraction, parts.n) + (ScaleByPowerOfTwo(Set(1.0f), parts.n) - Set(1.0f));
}

template <class V>
TAMIS_INLINE V Tanh(V x) {
  const V a = Abs(x);
  const V z = x * x;
  V p = Fma(z, Set(-5.70498872745e-3f), Set(2.06390887954e-2f));
  p = Fma(p, z, Set(-5.37397155531e-2f));
  p = Fma(p, z, Set(1.33314422036e-1f));
  p = Fma(p, z, Set(-3.33332819422e-1f));
  const V small = Fma(p * z, x, x);
  const V fraction = ExpOfMinus(Min(Set(40.0f), a + a));
  const V large = (Set(1.0f) - fraction) / (Set(1.0f) + fraction);
  return IfLess(a, Set(0.625f), small, CopySign(large, x));
}

template <class V>
TAMIS_INLINE V Erf(V x) {
  const V bounded = Min(Set(3.925f), Max(Set(-3.925f), x));  // erf rounds to 1 from here on
  const V z = bounded * bounded;
  V p = Fma(z, Set(-2.72614225801306e-10f), Set(2.77068142495902e-08f));
  p = Fma(p, z, Set(-2.10102402082508e-06f));
  p = Fma(p, z, Set(-5.69250639462346e-05f));
  p = Fma(p, z, Set(-7.34990630326855e-04f));
  p = Fma(p, z, Set(-2.95459980854025e-03f));
  p = Fma(p, z, Set(-1.60960333262415e-02f));
  V q = Fma(z, Set(-1.45660718464996e-05f), Set(-2.13374055278905e-04f));
  q = Fma(q, z, Set(-1.68282697438203e-03f));
  q = Fma(q, z, Set(-7.37332916720468e-03f));
  q = Fma(q, z, Set(-1.42647390514189e-02f));
  return bounded * p / q;
}

// 1 / (1 + e^-x) of x >= -88, below which the exponential would be infinite; the quotient is subnormal there. Above 87
// the exponential would be subnormal, which processors take a hundred cycles for; the sum is 1 already.
template <class V>
TAMIS_INLINE V SigmoidInRange(V x) {
  return Reciprocal(Set(1.0f) + ExpOfMinus(Min(Set(87.0f), x)));
}
template <class V>
TAMIS_INLINE V Sigmoid(V x) {
  return SigmoidInRange(Max(Set(-88.0f), x));
}
template <class V>
TAMIS_INLINE V Gelu(V x) {
  // Below -6 it rounds to 0, but what erf lacks to -1 would be multiplied.
  const V bounded = Max(Set(-6.0f), x);
  return Set(0.5f) * bounded * (Set(1.0f) + Erf(bounded * Set(0.70710678f)));
}
// x / 2 (1 + tanh(u)) = x sigmoid(2 u), which loses nothing of a large negative x, in fewer operations. Below -20 it
// rounds to 0.
template <class V>
TAMIS_INLINE V GeluTanh(V x) {
  const V bounded = Max(Set(-20.0f), x);
  return bounded * Sigmoid(Set(2 * 0.79788456f) * Fma(Set(0.044715f) * bounded * bounded, bounded, bounded));
}
template <class V>
TAMIS_INLINE V Silu(V x) {
  const V bounded = Max(Set(-88.0f), x);
  return bounded * SigmoidInRange(bounded);
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
template <class V>
TAMIS_INLINE V Mish(V x) {
  const V e = Exp(Min(Set(20.0f), x));
  const V n = e * (e + Set(2.0f));
  return x * (n * Reciprocal(n + Set(2.0f)));
}
template <class V>
TAMIS_INLINE V Clamp(V x, Vec low, Vec high) {
  return Min(high, Max(low, x));
}
template <class V>
TAMIS_INLINE V HardSigmoid(V x, Vec alpha, Vec beta) {
  return Clamp(Fma(alpha, x, beta), Set(0.0f), Set(1.0f));
}
template <class V>
TAMIS_INLINE V HardSwish(V x) {
  return x * HardSigmoid(x, Set(1.0f / 6), Set(0.5f));
}

}  // namespace
}  // namespace tamis
