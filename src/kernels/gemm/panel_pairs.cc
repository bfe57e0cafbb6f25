#include "src/kernels/gemm/panel_pairs.h"

#include <vector>

#include "src/kernels/gemm/packed_columns.h"

namespace tamis {

bool OrderInPairs(uint8_t* masks, int64_t lanes, int64_t groups, int32_t* order) {
  const auto partner = FindPartners(masks, lanes, groups);
  std::vector<int32_t> alone;
  int32_t pairs = 0;
  for (int32_t i = 0; i < lanes; ++i) {
    const int32_t other = partner[static_cast<size_t>(i)];
    if (other < 0) alone.push_back(i);
    if (other <= i) continue;
    order[i] = pairs;
    order[other] = pairs++ + kPanelLanes / 2;
    for (int64_t g = 0; g < groups; ++g) {
      const auto both = static_cast<uint8_t>(masks[i * groups + g] | masks[other * groups + g]);
      masks[i * groups + g] = masks[other * groups + g] = both;
    }
  }
  if (pairs + static_cast<int64_t>(alone.size()) > kPanelLanes / 2) return false;
  for (const int32_t i : alone) order[i] = pairs++;
  for (auto lane = static_cast<int32_t>(lanes); lane < kPanelLanes; ++lane) order[lane] = lane;  // whatever
  return true;
}

}  // namespace tamis
