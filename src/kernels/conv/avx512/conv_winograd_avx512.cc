// ChannelsLastConv of 3 x 3 by Winograd's method, in f32 (bf16 operands are widened as they are read), tiles of 4 x 4.
#include "src/kernels/conv/avx512/winograd_conv_avx512.h"

namespace tamis {
namespace {

struct TilesOfFour {
  static constexpr winograd::Method kMethod = winograd::kTilesOfFour;
  static constexpr int64_t kReach = 6, kTile = 4;
  static constexpr DType kMultiplied = DType::kFloat32;
  using Element = float;

  // B d: six numbers of an axis to six places.
  static void TransformInput(const __m512 (&d)[kReach], __m512 (&v)[kReach]) {
    const __m512 near = _mm512_set1_ps(static_cast<float>(winograd::kNear));
    const __m512 far = _mm512_set1_ps(static_cast<float>(winograd::kFar));
    const __m512 sum = _mm512_set1_ps(2.5F), two = _mm512_set1_ps(2), half = _mm512_set1_ps(0.5F);
    v[0] = _mm512_add_ps(_mm512_fnmadd_ps(sum, d[2], d[0]), d[4]);
    const __m512 even_near = _mm512_fnmadd_ps(two, d[2], d[4]), odd_near = _mm512_fnmadd_ps(two, d[1], d[3]);
    v[1] = _mm512_fmadd_ps(near, odd_near, even_near);
    v[2] = _mm512_fnmadd_ps(near, odd_near, even_near);
    const __m512 even_far = _mm512_fnmadd_ps(half, d[2], d[4]), odd_far = _mm512_fnmadd_ps(half, d[1], d[3]);
    v[3] = _mm512_fmadd_ps(far, odd_far, even_far);
    v[4] = _mm512_fnmadd_ps(far, odd_far, even_far);
    v[5] = _mm512_add_ps(_mm512_fnmadd_ps(sum, d[3], d[1]), d[5]);
  }

  // C m: six places to four results.
  static void TransformResult(const __m512 (&m)[kReach], __m512 (&y)[kTile]) {
    const __m512 near = _mm512_set1_ps(static_cast<float>(winograd::kNear));
    const __m512 far = _mm512_set1_ps(static_cast<float>(winograd::kFar));
    const __m512 two = _mm512_set1_ps(2), half = _mm512_set1_ps(0.5F);
    const __m512 even_near = _mm512_add_ps(m[1], m[2]), even_far = _mm512_add_ps(m[3], m[4]);
    const __m512 odd_near = _mm512_mul_ps(near, _mm512_sub_ps(m[1], m[2]));
    const __m512 odd_far = _mm512_mul_ps(far, _mm512_sub_ps(m[3], m[4]));
    y[0] = _mm512_add_ps(m[0], _mm512_add_ps(even_near, even_far));
    y[1] = _mm512_add_ps(odd_near, odd_far);
    y[2] = _mm512_fmadd_ps(two, even_far, _mm512_mul_ps(half, even_near));
    y[3] = _mm512_fmadd_ps(two, odd_far, _mm512_fmadd_ps(half, odd_near, m[5]));
  }

  static void Store(float* to, __m512 v) { _mm512_storeu_ps(to, v); }
  static void Multiply(const PanelTask& task) { PanelF32Avx512(task); }
};

}  // namespace

extern const KernelDef kernel_conv_winograd_avx512;
const KernelDef kernel_conv_winograd_avx512 = {
    .name = "conv_winograd_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) { return winograd::ReadWinograd(problem, TilesOfFour::kMethod).status(); },
    .cost =
        [](const Problem& problem) {
          return winograd::WinogradCost(problem, Isa::kAvx512, TilesOfFour::kMethod, TilesOfFour::kMultiplied);
        },
    .prepare = PrepareWinograd<TilesOfFour>,
    .in_place = kOverResidual,
};

}  // namespace tamis
