// What may be done to a layer, and to a network.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>

namespace tamis {

enum class LayerPattern : uint8_t { kDense, kTwoFour, kPaired };

// Of one weight. A layer that is not int8 is float: f32 or bf16, node by node what is measured faster.
struct LayerSetting {
  LayerPattern pattern = LayerPattern::kDense;
  bool int8 = false;
  auto operator<=>(const LayerSetting&) const = default;
  bool IsDenseFloat() const { return pattern == LayerPattern::kDense && !int8; }
};
std::string Name(LayerPattern pattern);  // "dense", "2:4", "paired 2:4"

// By weight initializer; a layer that is not named is dense and float.
using Assignment = std::map<std::string, LayerSetting>;

LayerSetting SettingOf(const Assignment& assignment, const std::string& layer);
int64_t CountInt8(const Assignment& assignment);
int64_t CountSparse(const Assignment& assignment);

}  // namespace tamis
