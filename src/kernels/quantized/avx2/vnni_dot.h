// Four products and their sum a lane by the VNNI instructions of 256 bits. For files compiled with AVX-VNNI.
#pragma once

#include "src/kernels/quantized/avx2/int8_tile_avx2.h"

namespace tamis {
namespace {

struct VnniDot {
  static constexpr int kTallest = 12;
  using Weight = __m256i;
  static Weight Prepare(__m256i w) { return w; }
  static __m256i Add(__m256i acc, __m256i x, Weight w) { return _mm256_dpbusd_avx_epi32(acc, x, w); }
};

}  // namespace
}  // namespace tamis
