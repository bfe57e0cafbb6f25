// Paired 2:4 within a panel: outputs that keep elements of the same positions lie half a panel apart, so that what is
// picked out of x for one vector of outputs serves the other as well.
#pragma once

#include <cstdint>

namespace tamis {

inline constexpr int64_t kPanelLanes = 32;

// Which lane each output of a panel gets: the partners found among its `lanes` outputs lie in lanes i and i + 16, and
// those that have none share theirs with lanes that no output fills. `masks` is [lanes][groups], as FindPartners takes
// them; partners' become their union. `order` has kPanelLanes elements. False, and nothing of use in `order`, where too
// many outputs have no partner.
bool OrderInPairs(uint8_t* masks, int64_t lanes, int64_t groups, int32_t* order);

}  // namespace tamis
