// The body of DFT and STFT for the ISA of the including file. The loops over `k` are the compiler's to vectorise.
#pragma once

#include "src/kernels/fourier/fourier.h"
#include "src/kernels/vec.h"

namespace tamis {
namespace {

struct Spectrum {
  float *re, *im;
};

// y[r] = sum_q x[q] w^(q r) for one butterfly of p inputs `apart` elements apart, `s` of them beside one another, each
// result then turned by the root of j * r.
struct Stage {
  const FourierPlan& plan;
  Spectrum x, y;
  int64_t p, m, s;  // factor, butterflies, neighbours

  const float* InRe(int64_t j, int64_t q) const { return x.re + s * (j + m * q); }
  const float* InIm(int64_t j, int64_t q) const { return x.im + s * (j + m * q); }
  float* OutRe(int64_t j, int64_t r) const { return y.re + s * (p * j + r); }
  float* OutIm(int64_t j, int64_t r) const { return y.im + s * (p * j + r); }

  // Writes (re, im) * root of j * r.
  TAMIS_INLINE void Turn(float re, float im, float c, float w, float* to_re, float* to_im) const {
    *to_re = re * c - im * w;
    *to_im = re * w + im * c;
  }

  void Two() const {
    for (int64_t j = 0; j < m; ++j) {
      const float c = plan.cosine[j * s], w = plan.sine[j * s];
      const float *a_re = InRe(j, 0), *a_im = InIm(j, 0), *b_re = InRe(j, 1), *b_im = InIm(j, 1);
      float* __restrict y0_re = OutRe(j, 0), * __restrict y0_im = OutIm(j, 0);
      float* __restrict y1_re = OutRe(j, 1), * __restrict y1_im = OutIm(j, 1);
      for (int64_t k = 0; k < s; ++k) {
        y0_re[k] = a_re[k] + b_re[k];
        y0_im[k] = a_im[k] + b_im[k];
        Turn(a_re[k] - b_re[k], a_im[k] - b_im[k], c, w, y1_re + k, y1_im + k);
      }
    }
  }

  void Four() const {
    for (int64_t j = 0; j < m; ++j) {
      float c[4], w[4];
      for (int64_t r = 1; r < 4; ++r) {
        c[r] = plan.cosine[j * r * s];
        w[r] = plan.sine[j * r * s];
      }
      const float *x0_re = InRe(j, 0), *x0_im = InIm(j, 0), *x1_re = InRe(j, 1), *x1_im = InIm(j, 1);
      const float *x2_re = InRe(j, 2), *x2_im = InIm(j, 2), *x3_re = InRe(j, 3), *x3_im = InIm(j, 3);
      float* __restrict y0_re = OutRe(j, 0), * __restrict y0_im = OutIm(j, 0);
      float* __restrict y1_re = OutRe(j, 1), * __restrict y1_im = OutIm(j, 1);
      float* __restrict y2_re = OutRe(j, 2), * __restrict y2_im = OutIm(j, 2);
      float* __restrict y3_re = OutRe(j, 3), * __restrict y3_im = OutIm(j, 3);
      for (int64_t k = 0; k < s; ++k) {
        const float sum_re = x0_re[k] + x2_re[k], sum_im = x0_im[k] + x2_im[k];
        const float gap_re = x0_re[k] - x2_re[k], gap_im = x0_im[k] - x2_im[k];
        const float odd_re = x1_re[k] + x3_re[k], odd_im = x1_im[k] + x3_im[k];
        // (x1 - x3) * -i
        const float turned_re = x1_im[k] - x3_im[k], turned_im = x3_re[k] - x1_re[k];
        y0_re[k] = sum_re + odd_re;
        y0_im[k] = sum_im + odd_im;
        Turn(gap_re + turned_re, gap_im + turned_im, c[1], w[1], y1_re + k, y1_im + k);
        Turn(sum_re - odd_re, sum_im - odd_im, c[2], w[2], y2_re + k, y2_im + k);
        Turn(gap_re - turned_re, gap_im - turned_im, c[3], w[3], y3_re + k, y3_im + k);
      }
    }
  }

  // Any factor: p sums of p terms.
  void Any() const {
    const int64_t length = plan.length;
    for (int64_t j = 0; j < m; ++j) {
      for (int64_t r = 0; r < p; ++r) {
        float *to_re = OutRe(j, r), *to_im = OutIm(j, r);
        for (int64_t k = 0; k < s; ++k) to_re[k] = to_im[k] = 0;
        for (int64_t q = 0; q < p; ++q) {
          // w_p^(q r) w_n^(j r), both roots of the whole length.
          const int64_t root = (q * r % p * (length / p) + j * r * s) % length;
          const float c = plan.cosine[root], w = plan.sine[root];
          const float *re = InRe(j, q), *im = InIm(j, q);
          for (int64_t k = 0; k < s; ++k) {
            to_re[k] += re[k] * c - im[k] * w;
            to_im[k] += re[k] * w + im[k] * c;
          }
        }
      }
    }
  }
};

// The transform of x, with y as the other buffer: which of them holds it.
inline Spectrum Transform(const FourierPlan& plan, Spectrum x, Spectrum y) {
  int64_t n = plan.length, s = 1;
  for (int i = 0; i < plan.stages; ++i) {
    const int64_t p = plan.factors[i];
    const Stage stage{plan, x, y, p, n / p, s};
    if (p == 4) {
      stage.Four();
    } else if (p == 2) {
      stage.Two();
    } else {
      stage.Any();
    }
    n /= p;
    s *= p;
    const Spectrum swapped = x;
    x = y;
    y = swapped;
  }
  return x;
}

inline void FourierSignals(const FourierArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                           int64_t end, std::byte* scratch) {
  const int64_t n = args.plan.length, room = RoundUp(n, 16);
  auto* floats = reinterpret_cast<float*>(scratch);
  const Spectrum first{floats, floats + room}, second{floats + 2 * room, floats + 3 * room};
  const auto* window = args.window ? static_cast<const float*>(inputs[2]) : nullptr;
  // The inverse is the transform with real and imaginary parts exchanged on both sides.
  const Spectrum given = args.inverse ? Spectrum{first.im, first.re} : first;
  const float factor = args.inverse ? 1.0f / static_cast<float>(n) : 1.0f;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t inner = item % args.inner, frame = item / args.inner % args.frames;
    const int64_t outer = item / args.inner / args.frames;
    const float* x =
        static_cast<const float*>(inputs[0]) + (outer * args.outer_stride + frame * args.step + inner) * args.parts;
    for (int64_t i = 0; i < args.given; ++i) {
      const float* at = x + i * args.stride * args.parts;
      const float scale = window != nullptr ? window[i] : 1.0f;
      given.re[i] = at[0] * scale;
      given.im[i] = args.parts == 2 ? at[1] * scale : 0.0f;
    }
    for (int64_t i = args.given; i < n; ++i) given.re[i] = given.im[i] = 0;
    if (args.mirrored) {  // what has no partner is real
      given.im[0] = 0;
      if (n % 2 == 0) given.im[n / 2] = 0;
      for (int64_t i = 1; 2 * i < n; ++i) {
        given.re[n - i] = given.re[i];
        given.im[n - i] = -given.im[i];
      }
    }
    Spectrum result = Transform(args.plan, first, second);
    if (args.inverse) result = {result.im, result.re};
    if (args.parts == 1) {  // halves of a real signal's spectrum are conjugates: exactly, however they were rounded
      for (int64_t i = 1; 2 * i < n; ++i) {
        result.re[n - i] = result.re[i];
        result.im[n - i] = -result.im[i];
      }
      result.im[0] = 0;
      if (n % 2 == 0) result.im[n / 2] = 0;
    }
    const int64_t out_parts = args.to_real ? 1 : 2;
    float* y = static_cast<float*>(outputs[0]) + ((outer * args.frames + frame) * args.out_outer + inner) * out_parts;
    for (int64_t i = 0; i < args.out; ++i) {
      float* to = y + i * args.inner * out_parts;
      to[0] = result.re[i] * factor;
      if (!args.to_real) to[1] = result.im[i] * factor;
    }
  }
}

}  // namespace
}  // namespace tamis
