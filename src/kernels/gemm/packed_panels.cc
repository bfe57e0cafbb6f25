#include "src/kernels/gemm/packed_panels.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "src/kernels/gemm/packed_columns.h"
#include "src/kernels/gemm/two_four_masks.h"
#include "src/kernels/get_packed.h"

namespace tamis {
PackedPanels::PackedPanels(DType dtype, Pattern pattern, int64_t outputs, int64_t depth)
    : dtype_(dtype),
      pattern_(pattern),
      outputs_(outputs),
      depth_(depth),
      values_(static_cast<size_t>(panels() * ValueBytes())),
      codes_(static_cast<size_t>(panels() * CodeBytes() + 64)) {
  const bool filled = pattern == Pattern::kDense && outputs % kLanes == 0 && depth % 4 == 0;
  if (!filled) std::memset(values_.data(), 0, values_.Bytes());
  std::memset(codes_.data(), 0, codes_.Bytes());
}

template <class T>
Status PackedPanels::FillTwoFour(const T* dense, LaneOrder order) {
  TAMIS_ASSIGN_OR_RETURN(std::vector<uint8_t> masks, TwoFourMasks(dense, outputs_, depth_));
  if (order == LaneOrder::kPairs) {
    order_.resize(static_cast<size_t>(panels() * kLanes));
    for (int64_t panel = 0; panel < panels(); ++panel) {
      uint8_t* const of_panel = masks.data() + panel * kLanes * groups();
      paired_.push_back(OrderInPairs(of_panel, std::min(kLanes, outputs_ - panel * kLanes), groups(),
                                     order_.data() + panel * kLanes));
    }
  }
  T* values = reinterpret_cast<T*>(values_.data());
  auto* codes = reinterpret_cast<uint8_t*>(codes_.data());
  constexpr bool kPairs = sizeof(T) == 2;
  for (int64_t output = 0; output < outputs_; ++output) {
    const int64_t panel = output / kLanes;
    const int32_t* const lanes = this->order(panel);
    const int64_t lane = lanes != nullptr ? lanes[output % kLanes] : output % kLanes;
    for (int64_t group = 0; group < groups(); ++group) {
      const T* four = dense + output * depth_ + group * 4;
      const uint8_t mask = masks[static_cast<size_t>(output * groups() + group)];
      const int code = CodeOfMask(mask);
      const T value[2] = {four[code & 3], std::popcount(mask) == 2 ? four[code >> 2] : T{}};
      const int64_t at = panel * groups() + group;
      for (int64_t i = 0; i < 2; ++i) {
        values[at * kLanes * 2 + (kPairs ? lane * 2 + i : i * kLanes + lane)] = value[i];
      }
      codes[at * (kLanes / 2) + lane % 16] |= static_cast<uint8_t>(lane < 16 ? code : code << 4);
    }
  }
  return {};
}

template <class T>
void PackedPanels::FillDense(int64_t panel, const T* rows) {
  T* const values = reinterpret_cast<T*>(values_.data()) + panel * groups() * 4 * kLanes;
  constexpr int64_t kTogether = sizeof(T) == 2 ? 2 : 1;  // inputs side by side in a lane
  const int64_t lanes = std::min(kLanes, outputs_ - panel * kLanes);
  for (int64_t k = 0; k < depth_; ++k) {
    T* const to = values + k / kTogether * kTogether * kLanes + k % kTogether;
    for (int64_t lane = 0; lane < lanes; ++lane) to[lane * kTogether] = rows[lane * depth_ + k];
  }
}

Result<std::shared_ptr<const PackedPanels>> PackedPanels::Make(const Tensor& weight, Pattern pattern, LaneOrder order) {
  TAMIS_ASSERT(weight.rank() >= 1 && weight.NumElements() > 0);
  const bool f32 = weight.dtype() == DType::kFloat32;
  TAMIS_ASSERT(f32 || weight.dtype() == DType::kBFloat16);
  const int64_t outputs = weight.dim(0);
  std::shared_ptr<PackedPanels> packed(
      new PackedPanels(weight.dtype(), pattern, outputs, weight.NumElements() / outputs));
  if (pattern == Pattern::kTwoFour) {
    TAMIS_RETURN_IF_ERROR(f32 ? packed->FillTwoFour(weight.Data<float>(), order)
                              : packed->FillTwoFour(weight.Data<uint16_t>(), order));
    return std::shared_ptr<const PackedPanels>(std::move(packed));
  }
  for (int64_t panel = 0; panel < packed->panels(); ++panel) {
    const int64_t at = panel * kLanes * packed->depth_;
    if (f32) {
      packed->FillDense(panel, weight.Data<float>() + at);
    } else {
      packed->FillDense(panel, weight.Data<uint16_t>() + at);
    }
  }
  return std::shared_ptr<const PackedPanels>(std::move(packed));
}

std::shared_ptr<const PackedPanels> PackedPanels::MakeDense(int64_t outputs, int64_t depth, const RowsOfPanel& rows) {
  std::shared_ptr<PackedPanels> packed(new PackedPanels(DType::kFloat32, Pattern::kDense, outputs, depth));
  for (int64_t panel = 0; panel < packed->panels(); ++panel) packed->FillDense(panel, rows(panel));
  return packed;
}

Result<std::shared_ptr<const PackedPanels>> PackedPanels::Get(PackCache& cache, uint64_t hash, const Tensor& weight,
                                                              Pattern pattern, LaneOrder order) {
  const char* packing = "panels32/dense";
  if (pattern == Pattern::kTwoFour) packing = order == LaneOrder::kPairs ? "panels32/2:4 in pairs" : "panels32/2:4";
  return GetPacked<PackedPanels>(cache, hash, packing, [&] { return Make(weight, pattern, order); });
}

Result<std::shared_ptr<const PackedPanels>> PackedPanels::GetWidened(PackCache& cache, uint64_t hash,
                                                                     const Tensor& weight) {
  return GetPacked<PackedPanels>(cache, hash, "panels32/dense f32",
                                 [&] { return Make(weight.ToFloat32(), Pattern::kDense); });
}

}  // namespace tamis
