// What may be done to a layer, and to a network.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace tamis {

enum class LayerPattern : uint8_t { kDense, kTwoFour, kPaired };
// kFull is f32, or what --precision forces for the whole network. kBFloat16 is leave, not order: the product runs in
// bf16 where that is faster with its conversions counted.
enum class LayerType : uint8_t { kFull, kBFloat16, kInt8 };
inline constexpr LayerPattern kPatterns[] = {LayerPattern::kDense, LayerPattern::kTwoFour, LayerPattern::kPaired};
inline constexpr LayerType kLayerTypes[] = {LayerType::kFull, LayerType::kBFloat16, LayerType::kInt8};

// Of one weight.
struct LayerSetting {
  LayerPattern pattern = LayerPattern::kDense;
  LayerType type = LayerType::kFull;
  auto operator<=>(const LayerSetting&) const = default;
  bool IsInt8() const { return type == LayerType::kInt8; }
  bool IsSparse() const { return pattern != LayerPattern::kDense; }
  bool IsAsItWas() const { return !IsSparse() && type == LayerType::kFull; }
};
std::string Name(LayerPattern pattern);  // "dense", "2:4", "paired 2:4"
std::string Name(LayerType type);        // "f32", "bf16", "int8"
// "2:4 in bf16", "int8", "dense"
std::string Name(const LayerSetting& setting);

// By weight initializer; a layer that is not named is as it was.
using Assignment = std::map<std::string, LayerSetting>;

LayerSetting SettingOf(const Assignment& assignment, const std::string& layer);
int64_t CountInt8(const Assignment& assignment);
int64_t CountBFloat16(const Assignment& assignment);
// The layers that may run in bf16.
std::set<std::string> LowLayers(const Assignment& assignment);
int64_t CountSparse(const Assignment& assignment);

}  // namespace tamis
