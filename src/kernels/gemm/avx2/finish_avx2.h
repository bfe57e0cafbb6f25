// The epilogue of the AVX2 kernels: bias, residual and activation over the sums of a tile, on the way to y.
// Included by several files of AVX2 folders; everything here is in their anonymous namespaces.
#pragma once

#include "src/kernels/gemm/panel.h"
#include "src/kernels/vec_activation.h"
#include "src/kernels/vec_lanes.h"
#include "src/kernels/with_activation.h"

namespace tamis {
namespace {

// max(x, 0) - |x| / 2 * erfc(|x| / sqrt(2)), erfc by formula 7.1.26 of Abramowitz and Stegun: its error is small
// beside one for sums of any size, where 1 + erf loses what is left of a large negative one.
template <class V>
TAMIS_INLINE V GeluOfSum(V x) {
  const V a = Min(Set(13.19f), Abs(x));  // from here on e^(-a^2 / 2) is below rounding
  const V half = a * Set(0.5f);
  const V t = Reciprocal(Fma(a, Set(0.3275911f * 0.70710678f), Set(1)));
  V p = Fma(t, Set(1.061405429f), Set(-1.453152027f));
  p = Fma(p, t, Set(1.421413741f));
  p = Fma(p, t, Set(-0.284496736f));
  p = Fma(p, t, Set(0.254829592f));
  const V tail = (half * ExpOfMinus(half * a)) * (p * t);
  return Max(Set(0), x) - tail;
}

template <Activation kActivation, class V>
TAMIS_INLINE V ActivateSum(V v, const ActivationParameters& parameters) {
  if constexpr (kActivation == Activation::kGelu) return GeluOfSum(v);
  return Activate(kActivation, parameters, v);
}

// What a store to y might alias is held in locals, or every element would load it again.
template <Activation kActivation>
void FinishRows(const PanelTask& task, int64_t first_row, int rows, const float* sums) {
  const ActivationParameters parameters = ParametersOf(*task.epilogue);
  const void* const residual = task.residual;
  void* const y = task.y;
  const bool residual_bf16 = task.residual_bf16, y_bf16 = task.y_bf16;
  const int64_t pitch = task.y_pitch;
  const int lanes = task.lanes;
  for (int lane = 0; lane < lanes; lane += kLanes) {
    const Lanes some = LanesOf(lanes - lane);
    const Vec bias = task.bias != nullptr ? Load(task.bias + lane, some) : Set(0);
    const auto sum = [&](int r) __attribute__((always_inline)) {
      const int64_t at = (first_row + r) * pitch + lane;
      const Vec v = Load(sums + r * PackedPanels::kLanes + lane) + bias;
      if (residual == nullptr) return v;
      return v + (residual_bf16 ? Load(static_cast<const Bf16*>(residual) + at, some)
                                : Load(static_cast<const float*>(residual) + at, some));
    };
    const auto store = [&](int r, Vec v) __attribute__((always_inline)) {
      const int64_t at = (first_row + r) * pitch + lane;
      if (y_bf16) {
        Store(static_cast<Bf16*>(y) + at, v, some);
      } else {
        Store(static_cast<float*>(y) + at, v, some);
      }
    };
    int r = 0;
    for (; r + 3 <= rows; r += 3) {
      const Vecs<3> v = ActivateSum<kActivation>(Vecs<3>{{sum(r), sum(r + 1), sum(r + 2)}}, parameters);
      store(r, v.v[0]);
      store(r + 1, v.v[1]);
      store(r + 2, v.v[2]);
    }
    for (; r < rows; ++r) store(r, ActivateSum<kActivation>(sum(r), parameters));
  }
}

// Writes rows [first_row, first_row + rows) of y from their sums, [rows][PackedPanels::kLanes].
inline void Finish(const PanelTask& task, int64_t first_row, int rows, const float* sums) {
  WithActivation(task.epilogue->activation,
                 [&](auto activation) { FinishRows<activation>(task, first_row, rows, sums); });
}

}  // namespace
}  // namespace tamis
