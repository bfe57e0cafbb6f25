// The vector parts of Strassen's method, over Vec: sums of x, and results from products. Included by the kernels of the
// ISA folders; everything here is in their anonymous namespaces.
#pragma once

#include "src/kernels/strassen/strassen.h"
#include "src/kernels/vec_lanes.h"
#include "src/kernels/with_activation.h"

namespace tamis {
namespace {

constexpr int64_t kProducts = strassen::kProducts, kPanel = PackedPanels::kLanes;

// The sum of what is taken with a factor of -1, 0 or 1 that is known when this is compiled.
TAMIS_INLINE void AddTerm(int factor, Vec v, Vec* sum, bool* any) {
  if (factor == 0) return;
  *sum = factor < 0 ? *sum - v : *any ? *sum + v : v;
  *any = true;
}

TAMIS_INLINE Vec SumOfQuarters(const int (&factors)[2][2], const Vec (&quarters)[2][2]) {
  Vec sum = Set(0);
  bool any = false;
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) AddTerm(factors[i][j], quarters[i][j], &sum, &any);
  }
  return sum;
}

// What the products of a pair give: [row][half of the outputs].
TAMIS_INLINE void SumResults(const float* of_pair, int64_t plane, Vec (&results)[2][2]) {
  Vec m[kProducts];
#pragma GCC unroll 7
  for (int64_t p = 0; p < kProducts; ++p) m[p] = Load(of_pair + p * plane);
#pragma GCC unroll 2
  for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 2
    for (int o = 0; o < 2; ++o) {
      Vec sum = Set(0);
      bool any = false;
#pragma GCC unroll 7
      for (int64_t p = 0; p < kProducts; ++p) AddTerm(strassen::kMethod[p].y[r][o], m[p], &sum, &any);
      results[r][o] = sum;
    }
  }
}

// One power of two for all of a row, once its features are of one size.
TAMIS_INLINE float ScaleOf(const float* row, const float* features, int64_t depth) {
  Vec largest = Set(0);
  for (int64_t k = 0; k < depth; k += kLanes) {
    const Lanes lanes = LanesOf(depth - k);
    largest = Max(largest, Abs(Load(row + k, lanes) * Load(features + k, lanes)));
  }
  return strassen::PowerBelow(MaxLane(largest));
}

void SumPairs(const strassen::Block& block, const float* x) {
  const int64_t depth = block.shape->gemm.depth, half = block.shape->FirstDepth();
  const float* const features = block.weight->features();
  float* scales = block.scales;
  float* to = block.x;
  for (int64_t pair = block.first_pair; pair < block.end_pair; ++pair, to += block.pitch, scales += 2) {
    const auto rows = block.RowsOf(pair);
    const float* const row[2] = {x + rows.first * depth, x + (rows.first + (rows.two ? 1 : 0)) * depth};
    Vec inverse[2];
    for (int r = 0; r < 2; ++r) {
      scales[r] = ScaleOf(row[r], features, depth);
      inverse[r] = Set(1 / scales[r]);
    }
    for (int64_t k = 0; k < half; k += kLanes) {
      Vec quarters[2][2];
#pragma GCC unroll 2
      for (int d = 0; d < 2; ++d) {
        const Lanes lanes = LanesOf(d == 0 ? half - k : depth - half - k);
        const Vec feature = Load(features + d * half + k, lanes);
        quarters[0][d] = inverse[0] * (feature * Load(row[0] + d * half + k, lanes));
        quarters[1][d] = inverse[1] * (feature * Load(row[1] + d * half + k, OrNone(lanes, rows.two)));
      }
#pragma GCC unroll 7
      for (int64_t p = 0; p < kProducts; ++p) {
        Store(to + p * block.x_plane + k, SumOfQuarters(strassen::kMethod[p].x, quarters));
      }
    }
  }
}

template <class Activator, class Y>
void FinishPanel(const strassen::Block& block, int64_t panel, std::span<const void* const> inputs, Y* y) {
  const GemmShape& gemm = block.shape->gemm;
  const Activator activate(gemm.epilogue);
  const auto* const biases = gemm.epilogue.bias ? static_cast<const float*>(inputs[2]) : nullptr;
  const void* const residual = gemm.epilogue.residual ? inputs[3] : nullptr;
  const bool residual_bf16 = gemm.residual == DType::kBFloat16;
  for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
    int64_t output[2];
    Lanes lanes[2];
    Vec bias[2], scale[2];
    for (int o = 0; o < 2; ++o) {
      output[o] = o * block.shape->FirstOutputs() + panel * kPanel + lane;
      lanes[o] = LanesOf(gemm.outputs - output[o]);
      bias[o] = biases != nullptr ? Load(biases + output[o], lanes[o]) : Set(0);
      scale[o] = Load(block.weight->outputs() + output[o], lanes[o]);
    }
    const float* of_pair = block.products + lane;
    const float* scales = block.scales;
    for (int64_t pair = block.first_pair; pair < block.end_pair; ++pair, of_pair += kPanel, scales += 2) {
      const auto rows = block.RowsOf(pair);
      Vec results[2][2];
      SumResults(of_pair, block.product_plane, results);
#pragma GCC unroll 2
      for (int r = 0; r < 2; ++r) {
        if (r == 1 && !rows.two) break;
#pragma GCC unroll 2
        for (int o = 0; o < 2; ++o) {
          const int64_t at = (rows.first + r) * gemm.outputs + output[o];
          Vec v = Fma(scale[o] * Set(scales[r]), results[r][o], bias[o]);
          if (residual != nullptr) {
            v = v + (residual_bf16 ? Load(static_cast<const Bf16*>(residual) + at, lanes[o])
                                   : Load(static_cast<const float*>(residual) + at, lanes[o]));
          }
          Store(y + at, activate(v), lanes[o]);
        }
      }
    }
  }
}

// Activator<kActivation>: made from an Epilogue, called with a Vec.
template <template <Activation> class Activator>
void FinishPairs(const strassen::Block& block, int64_t panel, std::span<const void* const> inputs, void* y) {
  WithActivation(block.shape->gemm.epilogue.activation, [&](auto activation) {
    if (block.shape->gemm.out == DType::kBFloat16) {
      FinishPanel<Activator<activation>>(block, panel, inputs, static_cast<Bf16*>(y));
    } else {
      FinishPanel<Activator<activation>>(block, panel, inputs, static_cast<float*>(y));
    }
  });
}

}  // namespace
}  // namespace tamis
