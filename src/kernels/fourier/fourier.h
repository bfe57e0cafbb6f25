// DFT and STFT of f32: arguments of their bodies and the part that does not depend on the ISA.
//
// Items are signals. Each is transformed by Stockham's method in mixed radix, real and imaginary parts in arrays of
// their own: a stage reads butterflies of p elements `length / p` apart and writes them in the order of the next, with
// loops over neighbours that vectors serve. Lengths with large prime factors take the prime's square.
#pragma once

#include "src/kernels/range_kernel.h"

namespace tamis {

constexpr int kMaxFourierStages = 40;

struct FourierPlan {
  int64_t length = 1;
  int stages = 0;
  int64_t factors[kMaxFourierStages] = {};
  const float *cosine = nullptr, *sine = nullptr;  // of the roots of unity, [length]; owned by the kernel
};

struct FourierArgs {
  FourierPlan plan;
  // Signal `i` begins at element (i / inner % frames) * step + i / (inner * frames) * outer_stride + i % inner of the
  // elements of x, each of `parts` numbers; its elements are `stride` apart.
  int64_t frames = 1, step = 0, outer_stride = 0, inner = 1, stride = 1;
  int64_t parts = 1;                       // 1: real, 2: complex
  int64_t given = 0;                       // elements read; zeros follow
  int64_t out = 0;                         // elements written
  int64_t out_outer = 0;                   // elements of y between signals of one inner index
  bool window = false;                     // input 2 is multiplied with the signal
  bool inverse = false, mirrored = false;  // the given half is a spectrum's, the other its conjugate
  bool to_real = false;                    // y has real parts only
};

using FourierBody = RangeBody<FourierArgs>;

Status SupportsFourier(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareFourier(const Problem& problem, FourierBody body);
double FourierFlops(const Problem& problem);

}  // namespace tamis
