#include "src/compiler/optimize/optimize_setting.h"

#include <algorithm>

namespace tamis {

std::string Name(LayerPattern pattern) {
  switch (pattern) {
    case LayerPattern::kDense:
      return "dense";
    case LayerPattern::kTwoFour:
      return "2:4";
    case LayerPattern::kPaired:
      break;
  }
  return "paired 2:4";
}

std::string Name(LayerType type) {
  switch (type) {
    case LayerType::kFull:
      return "f32";
    case LayerType::kBFloat16:
      return "bf16";
    case LayerType::kInt8:
      break;
  }
  return "int8";
}

std::string Name(const LayerSetting& setting) {
  if (setting.type == LayerType::kFull) return Name(setting.pattern);
  return setting.IsSparse() ? Name(setting.pattern) + " in " + Name(setting.type) : Name(setting.type);
}

LayerSetting SettingOf(const Assignment& assignment, const std::string& layer) {
  const auto found = assignment.find(layer);
  return found == assignment.end() ? LayerSetting() : found->second;
}

int64_t CountInt8(const Assignment& assignment) {
  return std::count_if(assignment.begin(), assignment.end(), [](const auto& layer) { return layer.second.IsInt8(); });
}

int64_t CountBFloat16(const Assignment& assignment) {
  return static_cast<int64_t>(LowLayers(assignment).size());
}

std::set<std::string> LowLayers(const Assignment& assignment) {
  std::set<std::string> layers;
  for (const auto& [name, setting] : assignment) {
    if (setting.type == LayerType::kBFloat16) layers.insert(name);
  }
  return layers;
}

int64_t CountSparse(const Assignment& assignment) {
  return std::count_if(assignment.begin(), assignment.end(), [](const auto& layer) { return layer.second.IsSparse(); });
}

}  // namespace tamis
