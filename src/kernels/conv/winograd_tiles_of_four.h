// Winograd's method in f32 (bf16 operands are widened as they are read), tiles of 4 x 4. Included by the kernels of the
// ISA folders; everything here is in their anonymous namespaces.
#pragma once

#include "src/kernels/conv/winograd_body.h"

namespace tamis {
namespace {

// kMultiply: the dense panel routine of the ISA; Activate: its activations, an Activator of winograd_body.h.
template <void (*kMultiply)(const PanelTask&), template <Activation> class Activate>
struct TilesOfFour {
  static constexpr winograd::Method kMethod = winograd::kTilesOfFour;
  static constexpr int64_t kReach = 6, kTile = 4;
  static constexpr DType kMultiplied = DType::kFloat32;
  using Element = float;
  template <Activation kActivation>
  using Activator = Activate<kActivation>;

  // B d: six numbers of an axis to six places.
  static TAMIS_INLINE void TransformInput(const Vec (&d)[kReach], Vec (&v)[kReach]) {
    const Vec near = Set(static_cast<float>(winograd::kNear)), far = Set(static_cast<float>(winograd::kFar));
    const Vec sum = Set(2.5F), two = Set(2), half = Set(0.5F);
    v[0] = MinusProduct(sum, d[2], d[0]) + d[4];
    const Vec even_near = MinusProduct(two, d[2], d[4]), odd_near = MinusProduct(two, d[1], d[3]);
    v[1] = Fma(near, odd_near, even_near);
    v[2] = MinusProduct(near, odd_near, even_near);
    const Vec even_far = MinusProduct(half, d[2], d[4]), odd_far = MinusProduct(half, d[1], d[3]);
    v[3] = Fma(far, odd_far, even_far);
    v[4] = MinusProduct(far, odd_far, even_far);
    v[5] = MinusProduct(sum, d[3], d[1]) + d[5];
  }

  // C m: six places to four results.
  static TAMIS_INLINE void TransformResult(const Vec (&m)[kReach], Vec (&y)[kTile]) {
    const Vec near = Set(static_cast<float>(winograd::kNear)), far = Set(static_cast<float>(winograd::kFar));
    const Vec two = Set(2), half = Set(0.5F);
    const Vec even_near = m[1] + m[2], even_far = m[3] + m[4];
    const Vec odd_near = near * (m[1] - m[2]), odd_far = far * (m[3] - m[4]);
    y[0] = m[0] + (even_near + even_far);
    y[1] = odd_near + odd_far;
    y[2] = Fma(two, even_far, half * even_near);
    y[3] = Fma(two, odd_far, Fma(half, odd_near, m[5]));
  }

  static TAMIS_INLINE void Save(float* to, Vec v) { Store(to, v); }
  static void Multiply(const PanelTask& task) { kMultiply(task); }

  static Status Supported(const Problem& problem) { return winograd::Supports(problem, kMethod, DType::kUndefined); }
  static double Cost(const Problem& problem, Isa isa) {
    return winograd::WinogradCost(problem, isa, kMethod, kMultiplied);
  }
};

}  // namespace
}  // namespace tamis
