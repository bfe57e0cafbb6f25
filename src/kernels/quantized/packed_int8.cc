#include "src/kernels/quantized/packed_int8.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tamis {

PackedInt8::PackedInt8(const Int8Geometry& geometry, bool sparse)
    : geometry_(geometry),
      sparse_(sparse),
      values_(static_cast<size_t>(panels() * steps() * kLanes * 4)),
      codes_(static_cast<size_t>(sparse ? panels() * steps() * kLanes + 64 : 0)),
      sums_(static_cast<size_t>(panels() * kLanes) * sizeof(int32_t)) {
  std::memset(values_.data(), 0, values_.Bytes());
  std::memset(codes_.data(), 0, codes_.Bytes());
  std::memset(sums_.data(), 0, sums_.Bytes());
}

Status PackedInt8::Fill(const int8_t* weight) {
  auto* values = reinterpret_cast<int8_t*>(values_.data());
  auto* codes = reinterpret_cast<uint8_t*>(codes_.data());
  auto* sums = reinterpret_cast<int32_t*>(sums_.data());
  const int64_t row_elements = geometry_.taps * geometry_.channels;
  const int64_t step_groups = sparse_ ? 2 : 1;  // groups of four in a step
  for (int64_t row = 0; row < geometry_.groups * geometry_.outputs; ++row) {
    const int64_t output = row % geometry_.outputs;
    const int64_t panel = row / geometry_.outputs * group_panels() + output / kLanes;
    const int64_t lane = output % kLanes;
    int32_t sum = 0;
    for (int64_t tap = 0; tap < geometry_.taps; ++tap) {
      const int8_t* from = weight + row * row_elements + tap * geometry_.channels;
      for (int64_t channel = 0; channel < geometry_.channels; channel += 4) {
        const int64_t present = std::min<int64_t>(4, geometry_.channels - channel);
        const int64_t half = channel / 4 % step_groups;
        const int64_t step = panel * steps() + tap * tap_steps() + channel / 4 / step_groups;
        int8_t* to = values + (step * kLanes + lane) * 4 + half * 2;
        std::array<int64_t, 2> kept = {};
        int64_t count = 0;
        for (int64_t i = 0; i < present; ++i) {
          const int8_t value = from[channel + i];
          sum += value;
          if (!sparse_) to[i] = value;
          if (!sparse_ || value == 0) continue;
          if (count == 2) {
            return UserError("row {} breaks the 2:4 pattern in the group at column {}", row,
                             tap * geometry_.channels + channel);
          }
          kept[static_cast<size_t>(count)] = i;
          to[count++] = value;
        }
        if (!sparse_) continue;
        if (count < 2) kept[1] = kept[0];  // the weight there is 0
        const auto code = static_cast<unsigned>(kept[0] | kept[1] << 2);
        codes[(step * 2 + half) * 16 + lane % 16] |= static_cast<uint8_t>(lane < 16 ? code : code << 4);
      }
    }
    sums[panel * kLanes + lane] = sum;
  }
  return {};
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
    status = packed->Fill(weight.Data<int8_t>());
    return status.ok() ? packed : nullptr;
  });
  if (!status.ok()) return status;
  return std::static_pointer_cast<const PackedInt8>(held);
}

}  // namespace tamis
