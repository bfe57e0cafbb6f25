#include "src/kernels/quantized/packed_int8.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "src/kernels/gemm/packed_columns.h"
#include "src/kernels/gemm/panel_pairs.h"

namespace tamis {

PackedInt8::PackedInt8(const Int8Geometry& geometry, bool sparse)
    : geometry_(geometry),
      sparse_(sparse),
      values_(static_cast<size_t>(panels() * steps() * kLanes * 4)),
      codes_(static_cast<size_t>(sparse ? panels() * steps() * kLanes + 64 : 0)),
      sums_(static_cast<size_t>(panels() * geometry.taps * kLanes) * sizeof(int32_t)),
      order_(static_cast<size_t>(panels() * kLanes) * sizeof(int32_t)),
      paired_(static_cast<size_t>(panels())) {
  std::memset(values_.data(), 0, values_.Bytes());
  std::memset(codes_.data(), 0, codes_.Bytes());
  std::memset(sums_.data(), 0, sums_.Bytes());
}

Status PackedInt8::CheckMasks(const int8_t* weight) {
  const int64_t tap_groups = (geometry_.channels + 3) / 4;
  const int64_t rows = geometry_.groups * geometry_.outputs;
  masks_.assign(static_cast<size_t>(rows * geometry_.taps * tap_groups), 0);
  for (int64_t run = 0; run < rows * geometry_.taps; ++run) {
    for (int64_t channel = 0; channel < geometry_.channels; ++channel) {
      if (weight[run * geometry_.channels + channel] == 0) continue;
      uint8_t& mask = masks_[static_cast<size_t>(run * tap_groups + channel / 4)];
      mask = static_cast<uint8_t>(mask | 1U << (channel % 4));
      if (std::popcount(mask) > 2) {
        return UserError("row {} breaks the 2:4 pattern in the group at column {}", run / geometry_.taps,
                         run % geometry_.taps * geometry_.channels + channel / 4 * 4);
      }
    }
  }
  return {};
}

void PackedInt8::OrderPanel(int64_t panel) {
  const int64_t first = panel % group_panels() * kLanes, lanes = std::min(kLanes, geometry_.outputs - first);
  const int64_t row_groups = geometry_.taps * ((geometry_.channels + 3) / 4);
  uint8_t* masks = masks_.data() + (panel / group_panels() * geometry_.outputs + first) * row_groups;
  auto* order = reinterpret_cast<int32_t*>(order_.data()) + panel * kLanes;
  paired_[static_cast<size_t>(panel)] = OrderInPairs(masks, lanes, row_groups, order);
}

void PackedInt8::FillRow(const int8_t* weight, int64_t panel, int64_t lane, int64_t row) {
  auto* values = reinterpret_cast<int8_t*>(values_.data());
  auto* codes = reinterpret_cast<uint8_t*>(codes_.data());
  const int64_t step_groups = sparse_ ? 2 : 1, tap_groups = (geometry_.channels + 3) / 4;
  auto* const sums = reinterpret_cast<int32_t*>(sums_.data()) + panel * geometry_.taps * kLanes + lane;
  for (int64_t group = 0; group < geometry_.taps * tap_groups; ++group) {
    const int64_t tap = group / tap_groups, channel = group % tap_groups * 4;
    const int8_t* from = weight + (row * geometry_.taps + tap) * geometry_.channels + channel;
    const int64_t present = std::min<int64_t>(4, geometry_.channels - channel);
    for (int64_t i = 0; i < present; ++i) sums[tap * kLanes] += from[i];
    const int64_t half = channel / 4 % step_groups;
    const int64_t step = panel * steps() + tap * tap_steps() + channel / 4 / step_groups;
    int8_t* to = values + (step * kLanes + lane) * 4 + half * 2;
    if (!sparse_) {
      std::copy_n(from, present, to);
      continue;
    }
    const uint8_t code = CodeOfMask(masks_[static_cast<size_t>(row * geometry_.taps * tap_groups + group)]);
    to[0] = from[code & 3];
    if ((code >> 2) != (code & 3)) to[1] = from[code >> 2];
    codes[(step * 2 + half) * 16 + lane % 16] |= static_cast<uint8_t>(lane < 16 ? code : code << 4);
  }
}

Result<std::shared_ptr<const PackedInt8>> PackedInt8::Get(PackCache& cache, uint64_t hash, const Tensor& weight,
                                                          const Int8Geometry& geometry, Pattern pattern) {
  TAMIS_ASSERT(weight.dtype() == DType::kInt8);
  TAMIS_ASSERT(weight.NumElements() == geometry.groups * geometry.outputs * geometry.taps * geometry.channels);
  const bool sparse = pattern != Pattern::kDense;
  Status status;
  const std::string packing =
      fmt::format("int8panels32/{}/group{}/channels{}", sparse ? "2:4" : "dense", geometry.groups, geometry.channels);
  auto held = cache.Get(hash, packing, [&]() -> std::shared_ptr<const PackedWeight> {
    std::shared_ptr<PackedInt8> packed(new PackedInt8(geometry, sparse));
    const int8_t* elements = weight.Data<int8_t>();
    if (sparse) status = packed->CheckMasks(elements);
    if (!status.ok()) return nullptr;
    for (int64_t panel = 0; sparse && panel < packed->panels(); ++panel) packed->OrderPanel(panel);
    for (int64_t row = 0; row < geometry.groups * geometry.outputs; ++row) {
      const int64_t output = row % geometry.outputs, at = output % kLanes;
      const int64_t panel = row / geometry.outputs * packed->group_panels() + output / kLanes;
      const int32_t* order = packed->order(panel);
      packed->FillRow(elements, panel, order != nullptr ? order[at] : at, row);
    }
    packed->masks_ = {};
    return packed;
  });
  if (!status.ok()) return status;
  return std::static_pointer_cast<const PackedInt8>(held);
}

}  // namespace tamis
