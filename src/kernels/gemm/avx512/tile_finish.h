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
  // What a task's tiles have in common; none if sums must go through memory (Finish).
  static std::optional<TileFinish> Of(const PanelTask& task) {
    const auto bounds = BoundsOf(*task.epilogue);
    if (!bounds) return std::nullopt;
    return TileFinish(task, *bounds);
  }

  // Rows [first_row, first_row + kRows) of y. `kNativeBf16` as of StoreBf16. What a store to y might alias is held in
  // locals, or every row would load all of it again.
  template <bool kNativeBf16, int kRows>
  __attribute__((always_inline)) void Write(int64_t first_row, const __m512 (&sums)[kRows][2]) const {
    const __m512 bias[2] = {bias_[0], bias_[1]}, low = low_, high = high_;
    const __mmask16 mask[2] = {mask_[0], mask_[1]};
    const auto both = static_cast<__mmask32>(mask[0] | static_cast<uint32_t>(mask[1]) << 16);
    const __m512i lanes[2] = {lanes_[0], lanes_[1]};
    const bool moved = moved_, has_low = has_low_, has_high = has_high_, y_bf16 = y_bf16_;
    const bool residual_bf16 = residual_bf16_;
    const void* const residual = residual_;
    void* const y = y_;
    const int64_t pitch = pitch_;
    int64_t at = first_row * pitch;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r, at += pitch) {
      __m512 v[2] = {sums[r][0], sums[r][1]};
      if (moved) {
        v[0] = _mm512_permutex2var_ps(sums[r][0], lanes[0], sums[r][1]);
        v[1] = _mm512_permutex2var_ps(sums[r][0], lanes[1], sums[r][1]);
      }
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        v[half] = _mm512_add_ps(v[half], bias[half]);
        if (residual != nullptr) {
          const int64_t from = at + half * 16;
          v[half] = _mm512_add_ps(
              v[half], residual_bf16 ? LoadBf16(static_cast<const uint16_t*>(residual) + from, mask[half])
                                     : _mm512_maskz_loadu_ps(mask[half], static_cast<const float*>(residual) + from));
        }
        if (has_low) v[half] = _mm512_max_ps(low, v[half]);  // both keep a NaN
        if (has_high) v[half] = _mm512_min_ps(high, v[half]);
      }
      if (!y_bf16) {
        _mm512_mask_storeu_ps(static_cast<float*>(y) + at, mask[0], v[0]);
        _mm512_mask_storeu_ps(static_cast<float*>(y) + at + 16, mask[1], v[1]);
      } else if constexpr (kNativeBf16) {
        // One store of all: those of halves under a mask take as long each.
        _mm512_mask_storeu_epi16(static_cast<uint16_t*>(y) + at, both, (__m512i)_mm512_cvtne2ps_pbh(v[1], v[0]));
      } else {
        StoreBf16<false>(static_cast<uint16_t*>(y) + at, mask[0], v[0]);
        StoreBf16<false>(static_cast<uint16_t*>(y) + at + 16, mask[1], v[1]);
      }
    }
  }

 private:
  TileFinish(const PanelTask& task, const ActivationBounds& bounds)
      : low_(_mm512_set1_ps(bounds.low)),
        high_(_mm512_set1_ps(bounds.high)),
        residual_(task.residual),
        y_(task.y),
        pitch_(task.y_pitch),
        has_low_(bounds.low != -__builtin_inff()),
        has_high_(bounds.high != __builtin_inff()),
        moved_(task.order != nullptr),
        residual_bf16_(task.residual_bf16),
        y_bf16_(task.y_bf16) {
    for (int half = 0; half < 2; ++half) {
      mask_[half] = MaskOfLanes(task.lanes - half * 16);
      lanes_[half] = moved_ ? _mm512_loadu_si512(task.order + half * 16) : __m512i{};
      bias_[half] = task.bias != nullptr ? _mm512_maskz_loadu_ps(mask_[half], task.bias + half * 16) : __m512{};
    }
  }

  __m512 bias_[2], low_, high_;
  __m512i lanes_[2];  // PanelTask::order, if moved_
  const void* residual_;
  void* y_;
  int64_t pitch_;
  __mmask16 mask_[2];
  bool has_low_, has_high_, moved_, residual_bf16_, y_bf16_;
};

}  // namespace
}  // namespace tamis
