// Results of a tile straight from the registers that hold its sums, where the activation only bounds: a store of 64
// bytes takes two cycles in which nothing is multiplied, and sums that go through memory take one each.
#pragma once

#include <optional>

#include "src/kernels/activation_bounds.h"
#include "src/kernels/gemm/avx512/epilogue_avx512.h"

namespace tamis {
namespace {

class TileFinish {
 public:
  // What the tasks's tiles have in common; none if sums must go through memory (Finish).
  static std::optional<TileFinish> Of(const PanelTask& task) {
    const auto bounds = BoundsOf(*task.epilogue);
    if (!bounds) return std::nullopt;
    return TileFinish(task, *bounds);
  }

  // Rows [first_row, first_row + kRows) of y. `kNativeBf16` as of StoreBf16.
  template <bool kNativeBf16, int kRows>
  __attribute__((always_inline)) void Write(int64_t first_row, const __m512 (&sums)[kRows][2]) const {
    int64_t at = first_row * pitch_;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r, at += pitch_) {
      __m512 v[2];
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        v[half] = sums[r][half];
        if (order_ != nullptr) {
          v[half] = _mm512_permutex2var_ps(sums[r][0], _mm512_loadu_si512(order_ + half * 16), sums[r][1]);
        }
        v[half] = _mm512_add_ps(v[half], bias_[half]);
        if (residual_ != nullptr) v[half] = _mm512_add_ps(v[half], Residual(at + half * 16, mask_[half]));
        v[half] = _mm512_min_ps(high_, _mm512_max_ps(low_, v[half]));  // keeps a NaN
      }
      if (!y_bf16_) {
        _mm512_mask_storeu_ps(static_cast<float*>(y_) + at, mask_[0], v[0]);
        _mm512_mask_storeu_ps(static_cast<float*>(y_) + at + 16, mask_[1], v[1]);
      } else if constexpr (kNativeBf16) {
        // One store of all: those of halves under a mask take as long each.
        const auto both = static_cast<__mmask32>(mask_[0] | static_cast<uint32_t>(mask_[1]) << 16);
        _mm512_mask_storeu_epi16(static_cast<uint16_t*>(y_) + at, both, (__m512i)_mm512_cvtne2ps_pbh(v[1], v[0]));
      } else {
        StoreBf16<false>(static_cast<uint16_t*>(y_) + at, mask_[0], v[0]);
        StoreBf16<false>(static_cast<uint16_t*>(y_) + at + 16, mask_[1], v[1]);
      }
    }
  }

 private:
  TileFinish(const PanelTask& task, const ActivationBounds& bounds)
      : low_(_mm512_set1_ps(bounds.low)),
        high_(_mm512_set1_ps(bounds.high)),
        order_(task.order),
        residual_(task.residual),
        y_(task.y),
        pitch_(task.y_pitch),
        residual_bf16_(task.residual_bf16),
        y_bf16_(task.y_bf16) {
    for (int half = 0; half < 2; ++half) {
      mask_[half] = MaskOfLanes(task.lanes - half * 16);
      bias_[half] = task.bias != nullptr ? _mm512_maskz_loadu_ps(mask_[half], task.bias + half * 16) : __m512{};
    }
  }

  __attribute__((always_inline)) __m512 Residual(int64_t at, __mmask16 mask) const {
    return residual_bf16_ ? LoadBf16(static_cast<const uint16_t*>(residual_) + at, mask)
                          : _mm512_maskz_loadu_ps(mask, static_cast<const float*>(residual_) + at);
  }

  __m512 bias_[2], low_, high_;
  const int32_t* order_;  // as of PanelTask
  const void* residual_;
  void* y_;
  int64_t pitch_;
  __mmask16 mask_[2];
  bool residual_bf16_, y_bf16_;
};

}  // namespace
}  // namespace tamis
