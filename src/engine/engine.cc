#include "src/engine/engine.h"

#include <algorithm>

namespace tamis {

std::vector<Profile> ProfilesOf(const std::vector<Plan>& plans) {
  std::vector<Profile> profiles;
  for (const Plan& plan : plans) {
    if (std::find(profiles.begin(), profiles.end(), plan.profile) == profiles.end()) profiles.push_back(plan.profile);
  }
  return profiles;
}

double PlanPoint::Seconds() const {
  double seconds = 0;
  for (const NodePlan& node : nodes) seconds += node.seconds;
  for (const BlockPlan& block : blocks) seconds += block.seconds - block.layer_seconds;
  return seconds;
}

}  // namespace tamis
