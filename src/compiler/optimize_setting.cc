#include "src/compiler/optimize_setting.h"

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

LayerSetting SettingOf(const Assignment& assignment, const std::string& layer) {
  const auto found = assignment.find(layer);
  return found == assignment.end() ? LayerSetting() : found->second;
}

int64_t CountInt8(const Assignment& assignment) {
  return std::count_if(assignment.begin(), assignment.end(), [](const auto& layer) { return layer.second.int8; });
}

int64_t CountSparse(const Assignment& assignment) {
  return std::count_if(assignment.begin(), assignment.end(),
                       [](const auto& layer) { return layer.second.pattern != LayerPattern::kDense; });
}

}  // namespace tamis
