// Products by Strassen's method over Vec. The sums of a block of pairs of rows are made first, by each part of the work
// that needs them; the seven products of a panel are those of a dense panel routine, one after the other, and give four
// tiles of results. Included by the kernels of the ISA folders; everything here is in their anonymous namespaces.
#pragma once

#include <algorithm>

#include "src/kernels/gemm/gemm_panels.h"
#include "src/kernels/gemm/shared_units.h"
#include "src/kernels/strassen/strassen.h"
#include "src/kernels/vec_lanes.h"
#include "src/kernels/with_activation.h"

namespace tamis {
namespace {

// The sum of four quarters, each taken with a factor of -1, 0 or 1 that is known when this is compiled.
TAMIS_INLINE Vec SumOfQuarters(const int (&factors)[2][2], const Vec (&quarters)[2][2]) {
  Vec sum = Set(0);
  bool any = false;
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      if (factors[i][j] == 0) continue;
      if (factors[i][j] < 0) {
        sum = sum - quarters[i][j];
      } else {
        sum = any ? sum + quarters[i][j] : quarters[i][j];
      }
      any = true;
    }
  }
  return sum;
}

// kMultiply: the dense panel routine in f32. Activator<kActivation>: made from an Epilogue, called with a Vec.
template <void (*kMultiply)(const PanelTask&), template <Activation> class Activator>
class StrassenLinear : public PreparedKernel {
  static constexpr int64_t kProducts = strassen::kProducts, kPanel = PackedPanels::kLanes, kFloat = sizeof(float);

 public:
  StrassenLinear(const strassen::Shape& shape, std::shared_ptr<const PackedPanels> weight, int threads)
      : shape_(shape), weight_(std::move(weight)), pitch_(CopyPitch(weight_->groups(), kFloat)) {
    const int64_t row_bytes = pitch_ * kFloat;
    grid_ = CutPanelGrid(shape_.Pairs(), shape_.Panels(), kProducts * row_bytes, threads, /*row_unit=*/1);
    // What stays in the second-level cache is what one product reads and all of them write. The other sums of x come
    // from behind it, each line once a panel.
    const int64_t fitting = Cpu().l2_bytes / 2 / (row_bytes + kProducts * kPanel * kFloat) / 8 * 8;
    grid_.block_rows = std::clamp<int64_t>(fitting, 24, std::max<int64_t>(24, (shape_.Pairs() + 7) / 8 * 8));
    shares_ = WorthSharing(shape_.gemm.rows * shape_.gemm.outputs * shape_.gemm.depth, Parts());
  }

  size_t WorkspaceBytes() const override {
    return UnitQueue::Bytes(Parts()) + static_cast<size_t>(Parts()) * ScratchBytes();
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    UnitQueue* const queues = UnitQueue::MakeIn(workspace, Parts(), shares_);
    const auto part = [&](int index) {
      Scratch scratch = ScratchIn(workspace + UnitQueue::Bytes(Parts()) + static_cast<size_t>(index) * ScratchBytes());
      const auto units_of = [this](int64_t of) { return UnitsOfPart(grid_, shape_.Pairs(), shape_.Panels(), of); };
      RunUnits(queues, Parts(), index, units_of,
               [&](int64_t /*of*/, const PartUnits::Unit& unit) { RunUnit(inputs, outputs[0], unit, &scratch); });
    };
    pool.Run(static_cast<int>(Parts()), [&part](int index) { part(index); });
  }

 private:
  // Of whoever runs units.
  struct Scratch {
    float* x;                   // [product][pair of the block][pitch_]
    float* products;            // [product][pair of the block][kPanel]
    float* scales;              // [pair of the block][row]: what the results of its rows are multiplied by
    PartSpan pairs = {-1, -1};  // whose sums lie in x
  };

  int64_t Parts() const { return grid_.row_parts * grid_.panel_parts; }
  // Not a power of two from product to product.
  int64_t PlaneOfX() const { return grid_.block_rows * pitch_ + 16; }
  int64_t PlaneOfProducts() const { return grid_.block_rows * kPanel + 16; }
  size_t ScratchBytes() const {
    return static_cast<size_t>((kProducts * (PlaneOfX() + PlaneOfProducts()) + 2 * grid_.block_rows) * kFloat);
  }
  Scratch ScratchIn(std::byte* memory) const {
    auto* const x = reinterpret_cast<float*>(memory);
    float* const products = x + kProducts * PlaneOfX();
    return {x, products, products + kProducts * PlaneOfProducts()};
  }
  // A pair's rows.
  struct Rows {
    int64_t first;
    bool two;
  };
  Rows RowsOfPair(int64_t pair) const {
    if (shape_.entry_rows % 2 == 0) return {2 * pair, true};
    const int64_t of_entry = shape_.PairsOfEntry(), row = pair % of_entry * 2;
    return {pair / of_entry * shape_.entry_rows + row, row + 1 < shape_.entry_rows};
  }

  void RunUnit(std::span<const void* const> inputs, void* y, const PartUnits::Unit& unit, Scratch* scratch) const {
    if (scratch->pairs.begin != unit.rows.begin || scratch->pairs.end != unit.rows.end) {
      const auto* const x = static_cast<const float*>(inputs[0]);
      for (int64_t pair = unit.rows.begin; pair < unit.rows.end; ++pair) {
        const int64_t of_block = pair - unit.rows.begin;
        SumPair(x, RowsOfPair(pair), scratch->x + of_block * pitch_, scratch->scales + 2 * of_block);
      }
      scratch->pairs = unit.rows;
    }
    Multiply(unit, *scratch);
    WithActivation(shape_.gemm.epilogue.activation, [&](auto activation) {
      if (shape_.gemm.out == DType::kBFloat16) {
        Finish<activation, Bf16>(inputs, static_cast<Bf16*>(y), unit, *scratch);
      } else {
        Finish<activation, float>(inputs, static_cast<float*>(y), unit, *scratch);
      }
    });
  }

  // The power of two that is at most `largest`, but for the smallest and largest of all; 1 for what is no number.
  static TAMIS_INLINE float PowerBelow(float largest) {
    constexpr uint32_t kExponents = 0x7f800000, kMost = 0x7e800000;  // 2^126, whose inverse is no subnormal
    const uint32_t bits = __builtin_bit_cast(uint32_t, largest) & kExponents;
    if (bits == 0 || bits == kExponents) return 1;
    return __builtin_bit_cast(float, bits < kMost ? bits : kMost);
  }

  // The largest magnitude of a row, one power of two for all of it.
  static float ScaleOf(const float* row, int64_t depth) {
    Vec largest = Set(0);
    for (int64_t k = 0; k < depth; k += kLanes) largest = Max(largest, Abs(Load(row + k, LanesOf(depth - k))));
    return PowerBelow(MaxLane(largest));
  }

  // The sums of a pair of rows for each product; `to` is that of the first. Rows are divided by their scales, or
  // results of a small one would have the rounding errors of a neighbour that is large.
  void SumPair(const float* x, Rows rows, float* to, float* scales) const {
    const int64_t depth = shape_.gemm.depth, half = shape_.FirstDepth();
    const float* const first = x + rows.first * depth;
    const float* const second = rows.two ? first + depth : first;
    scales[0] = ScaleOf(first, depth);
    scales[1] = ScaleOf(second, depth);
    const Vec inverse[2] = {Set(1 / scales[0]), Set(1 / scales[1])};
    for (int64_t k = 0; k < half; k += kLanes) {
      const Lanes lanes[2] = {LanesOf(half - k), LanesOf(depth - half - k)};
      Vec quarters[2][2];
#pragma GCC unroll 2
      for (int d = 0; d < 2; ++d) {
        quarters[0][d] = inverse[0] * Load(first + d * half + k, lanes[d]);
        quarters[1][d] = inverse[1] * Load(second + d * half + k, OrNone(lanes[d], rows.two));
      }
#pragma GCC unroll 7
      for (int64_t p = 0; p < kProducts; ++p) {
        Store(to + p * PlaneOfX() + k, SumOfQuarters(strassen::kMethod[p].x, quarters));
      }
    }
  }

  void Multiply(const PartUnits::Unit& unit, const Scratch& scratch) const {
    const Epilogue none;
    PanelTask task;
    task.x_pitch = pitch_;
    task.rows = unit.rows.end - unit.rows.begin;
    task.groups = task.tap_groups = weight_->groups();
    task.epilogue = &none;
    task.y_pitch = kPanel;
    task.lanes = static_cast<int>(kPanel);
    const int64_t first = unit.panel * kProducts;
    for (int64_t p = 0; p < kProducts; ++p) {
      const bool has_next = p + 1 < kProducts || unit.has_next;
      task.values = weight_->values(first + p);
      task.ahead = has_next ? weight_->values(first + p + 1) : nullptr;
      task.ahead_lines = has_next ? (weight_->values(1) - weight_->values(0)) / 64 : 0;
      task.x = scratch.x + p * PlaneOfX();
      task.y = scratch.products + p * PlaneOfProducts();
      kMultiply(task);
    }
  }

  template <Activation kActivation, class Y>
  void Finish(std::span<const void* const> inputs, Y* y, const PartUnits::Unit& unit, const Scratch& scratch) const {
    const GemmShape& gemm = shape_.gemm;
    const Activator<kActivation> activate(gemm.epilogue);
    const auto* const biases = gemm.epilogue.bias ? static_cast<const float*>(inputs[2]) : nullptr;
    const void* const residual = gemm.epilogue.residual ? inputs[3] : nullptr;
    const bool residual_bf16 = gemm.residual == DType::kBFloat16;
    const int64_t plane = PlaneOfProducts();
    for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
      int64_t output[2];
      Lanes lanes[2];
      Vec bias[2];
      for (int o = 0; o < 2; ++o) {
        output[o] = o * shape_.FirstOutputs() + unit.panel * kPanel + lane;
        lanes[o] = LanesOf(gemm.outputs - output[o]);
        bias[o] = biases != nullptr ? Load(biases + output[o], lanes[o]) : Set(0);
      }
      const float* of_pair = scratch.products + lane;
      const float* scales = scratch.scales;
      for (int64_t pair = unit.rows.begin; pair < unit.rows.end; ++pair, of_pair += kPanel, scales += 2) {
        const Rows rows = RowsOfPair(pair);
        Vec results[2][2];
        SumResults(of_pair, plane, results);
#pragma GCC unroll 2
        for (int r = 0; r < 2; ++r) {
          if (r == 1 && !rows.two) break;
#pragma GCC unroll 2
          for (int o = 0; o < 2; ++o) {
            const int64_t at = (rows.first + r) * gemm.outputs + output[o];
            Vec v = Fma(Set(scales[r]), results[r][o], bias[o]);
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

  // What the products of a pair give: [row][half of the outputs].
  static TAMIS_INLINE void SumResults(const float* of_pair, int64_t plane, Vec (&results)[2][2]) {
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
        for (int64_t p = 0; p < kProducts; ++p) {
          const int factor = strassen::kMethod[p].y[r][o];
          if (factor == 0) continue;
          sum = factor < 0 ? sum - m[p] : any ? sum + m[p] : m[p];
          any = true;
        }
        results[r][o] = sum;
      }
    }
  }

  strassen::Shape shape_;
  std::shared_ptr<const PackedPanels> weight_;
  int64_t pitch_;   // elements from pair to pair of the sums of x
  PanelGrid grid_;  // of pairs and panels
  bool shares_ = false;
};

template <class Kernel>
std::unique_ptr<PreparedKernel> MakeStrassen(const strassen::Shape& shape, std::shared_ptr<const PackedPanels> weight,
                                             int threads) {
  return std::make_unique<Kernel>(shape, std::move(weight), threads);
}

}  // namespace
}  // namespace tamis
