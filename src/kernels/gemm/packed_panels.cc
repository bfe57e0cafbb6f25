#include "src/kernels/gemm/packed_panels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "src/kernels/get_packed.h"

namespace tamis {
namespace {
// The sign bit alone is a zero too.
bool IsZero(float v) {
  return v == 0;
}
bool IsZero(uint16_t bf16) {
  return (bf16 & 0x7fff) == 0;
}

// Code of a group by the set of its non-zeros. Of fewer than two, both positions are the first one's (or 0).
constexpr std::array<uint8_t, 16> MakeCodes() {
  std::array<uint8_t, 16> codes = {};
  for (unsigned set = 1; set < 16; ++set) {
    const int first = std::countr_zero(set);
    const unsigned rest = set & (set - 1);
    codes[set] = static_cast<uint8_t>(first | (rest != 0 ? std::countr_zero(rest) : first) << 2);
  }
  return codes;
}
constexpr std::array<uint8_t, 16> kCodes = MakeCodes();
}  // namespace

PackedPanels::PackedPanels(DType dtype, Pattern pattern, int64_t outputs, int64_t depth)
    : dtype_(dtype),
      pattern_(pattern),
      outputs_(outputs),
      depth_(depth),
      values_(static_cast<size_t>(panels() * ValueBytes())),
      codes_(static_cast<size_t>(panels() * CodeBytes() + 64)) {
  std::memset(values_.data(), 0, values_.Bytes());
  std::memset(codes_.data(), 0, codes_.Bytes());
}

template <class T>
Status PackedPanels::FillTwoFour(const T* dense) {
  T* values = reinterpret_cast<T*>(values_.data());
  auto* codes = reinterpret_cast<uint8_t*>(codes_.data());
  constexpr bool kPairs = sizeof(T) == 2;
  for (int64_t output = 0; output < outputs_; ++output) {
    const int64_t panel = output / kLanes;
    const int64_t lane = output % kLanes;
    for (int64_t group = 0; group < groups(); ++group) {
      const T* four = dense + output * depth_ + group * 4;
      const int64_t present = std::min<int64_t>(4, depth_ - group * 4);
      unsigned set = 0;
      for (int64_t i = 0; i < present; ++i) set |= static_cast<unsigned>(!IsZero(four[i])) << i;
      const int kept = std::popcount(set);
      if (kept > 2) return UserError("row {} breaks the 2:4 pattern in the group at column {}", output, group * 4);
      const int code = kCodes[set];
      const T value[2] = {four[code & 3], kept == 2 ? four[code >> 2] : T{}};
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
void PackedPanels::FillDense(const T* dense) {
  T* values = reinterpret_cast<T*>(values_.data());
  constexpr int64_t kTogether = sizeof(T) == 2 ? 2 : 1;  // inputs side by side in a lane
  const int64_t panel_elements = groups() * 4 * kLanes;
  for (int64_t output = 0; output < outputs_; ++output) {
    T* lane = values + output / kLanes * panel_elements + output % kLanes * kTogether;
    for (int64_t k = 0; k < depth_; ++k) {
      lane[k / kTogether * kTogether * kLanes + k % kTogether] = dense[output * depth_ + k];
    }
  }
}

Result<std::shared_ptr<const PackedPanels>> PackedPanels::Make(const Tensor& weight, Pattern pattern) {
  TAMIS_ASSERT(weight.rank() >= 1 && weight.NumElements() > 0);
  const bool f32 = weight.dtype() == DType::kFloat32;
  TAMIS_ASSERT(f32 || weight.dtype() == DType::kBFloat16);
  const int64_t outputs = weight.dim(0);
  std::shared_ptr<PackedPanels> packed(
      new PackedPanels(weight.dtype(), pattern, outputs, weight.NumElements() / outputs));
  if (pattern == Pattern::kTwoFour) {
    TAMIS_RETURN_IF_ERROR(f32 ? packed->FillTwoFour(weight.Data<float>())
                              : packed->FillTwoFour(weight.Data<uint16_t>()));
  } else if (f32) {
    packed->FillDense(weight.Data<float>());
  } else {
    packed->FillDense(weight.Data<uint16_t>());
  }
  return std::shared_ptr<const PackedPanels>(std::move(packed));
}

Result<std::shared_ptr<const PackedPanels>> PackedPanels::Get(PackCache& cache, uint64_t hash, const Tensor& weight,
                                                              Pattern pattern) {
  return GetPacked<PackedPanels>(cache, hash, pattern == Pattern::kTwoFour ? "panels32/2:4" : "panels32/dense",
                                 [&] { return Make(weight, pattern); });
}

Result<std::shared_ptr<const PackedPanels>> PackedPanels::GetWidened(PackCache& cache, uint64_t hash,
                                                                     const Tensor& weight) {
  return GetPacked<PackedPanels>(cache, hash, "panels32/dense f32",
                                 [&] { return Make(weight.ToFloat32(), Pattern::kDense); });
}

}  // namespace tamis
