// A weight matrix as the panel routines read it: panels of 32 outputs, groups of four inputs.
//
// Outputs are cut into panels of 32 lanes (the last one filled up with zeros), depth into groups of four (likewise).
//
// Pattern kTwoFour: kept values plus one 4-bit code for each group, 53 % (f32) or 56 % (bf16) of the dense size. For
// panel p, group g and lane l of the group's two kept elements a (lower position) and b:
//   values, f32   [p][g][2][32]     all a, then all b
//   values, bf16  [p][g][32][2]     a and b side by side, as vdpbf16ps takes them
//   codes         [p][g][16]        byte i: code of lane i in the low four bits, of lane i + 16 in the high four
// with code = position of a | position of b << 2. Positions are below the depth, so a kernel never takes an element
// from beyond a row; where fewer than two are non-zero a value of 0 fills up.
//
// In pairs (LaneOrder::kPairs), lanes i and i + 16 of a panel whose outputs have partners (panel_pairs.h) have equal
// codes, and `order` tells which output lies where.
//
// Pattern kDense: all four, no codes:
//   values, f32   [p][g][4][32]
//   values, bf16  [p][g][2][32][2]
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "src/ir/graph.h"
#include "src/kernels/gemm/panel_pairs.h"
#include "src/kernels/pack_cache.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

// Of the outputs of a 2:4 panel in its lanes.
enum class LaneOrder : uint8_t { kOutputs, kPairs };

class PackedPanels : public PackedWeight {
 public:
  static constexpr int64_t kLanes = kPanelLanes;

  // `weight` is [outputs, depth], f32 or bf16, of any rank whose first axis is the outputs. A user error names the
  // first group that has more than two non-zeros although `pattern` is kTwoFour.
  static Result<std::shared_ptr<const PackedPanels>> Make(const Tensor& weight, Pattern pattern,
                                                          LaneOrder order = LaneOrder::kOutputs);
  // Dense, in f32, of a weight that is made panel by panel: [kLanes][depth], which must last until the next call.
  using RowsOfPanel = std::function<const float*(int64_t panel)>;
  static std::shared_ptr<const PackedPanels> MakeDense(int64_t outputs, int64_t depth, const RowsOfPanel& rows);
  // As Make, shared through the cache.
  static Result<std::shared_ptr<const PackedPanels>> Get(PackCache& cache, uint64_t hash, const Tensor& weight,
                                                         Pattern pattern, LaneOrder order = LaneOrder::kOutputs);
  // Dense, in f32 whatever the weight is; shared likewise.
  static Result<std::shared_ptr<const PackedPanels>> GetWidened(PackCache& cache, uint64_t hash, const Tensor& weight);

  size_t Bytes() const override { return values_.Bytes() + codes_.Bytes() + order_.size() * sizeof(order_[0]); }
  DType dtype() const { return dtype_; }
  Pattern pattern() const { return pattern_; }
  int64_t outputs() const { return outputs_; }
  int64_t depth() const { return depth_; }
  int64_t panels() const { return (outputs_ + kLanes - 1) / kLanes; }
  int64_t groups() const { return (depth_ + 3) / 4; }
  // At least 64 readable bytes follow the last code.
  const std::byte* values(int64_t panel) const { return values_.data() + panel * ValueBytes(); }
  const uint8_t* codes(int64_t panel) const {
    return reinterpret_cast<const uint8_t*>(codes_.data()) + panel * CodeBytes();
  }
  // [output of the panel] its lane, where the panel is paired; null elsewhere.
  const int32_t* order(int64_t panel) const {
    const bool paired = !paired_.empty() && paired_[static_cast<size_t>(panel)];
    return paired ? order_.data() + panel * kLanes : nullptr;
  }

 private:
  PackedPanels(DType dtype, Pattern pattern, int64_t outputs, int64_t depth);
  int64_t PerGroup() const { return pattern_ == Pattern::kTwoFour ? 2 : 4; }                   // values of a lane
  int64_t ValueBytes() const { return groups() * kLanes * PerGroup() * BitSize(dtype_) / 8; }  // of one panel
  int64_t CodeBytes() const { return pattern_ == Pattern::kTwoFour ? groups() * kLanes / 2 : 0; }
  template <class T>
  Status FillTwoFour(const T* dense, LaneOrder order);
  template <class T>
  void FillDense(int64_t panel, const T* rows);

  DType dtype_;
  Pattern pattern_;
  int64_t outputs_;
  int64_t depth_;
  PackedBytes values_;
  PackedBytes codes_;
  std::vector<bool> paired_;    // by panel; empty where nobody asked
  std::vector<int32_t> order_;  // [panel][kLanes]
};

}  // namespace tamis
