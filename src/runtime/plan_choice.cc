#include "src/runtime/plan_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis {
namespace {

// How far two bindings are apart: the sum of the logarithms of the ratios.
double Distance(const Binding& a, const Binding& b) {
  double distance = 0;
  for (const auto& [symbol, size] : a) {
    const auto other = b.find(symbol);
    if (other == b.end()) continue;
    distance += std::abs(std::log(static_cast<double>(std::max<int64_t>(size, 1))) -
                         std::log(static_cast<double>(std::max<int64_t>(other->second, 1))));
  }
  return distance;
}

const PlanPoint* NearestPoint(const Plan& plan, const Binding& binding, double* distance) {
  const PlanPoint* nearest = nullptr;
  *distance = std::numeric_limits<double>::infinity();
  for (const PlanPoint& point : plan.points) {
    const double here = Distance(binding, point.binding);
    if (here < *distance) {
      *distance = here;
      nearest = &point;
    }
  }
  return nearest;
}

bool Holds(const Profile& profile, const Binding& binding) {
  return std::all_of(binding.begin(), binding.end(), [&](const auto& bound) {
    const auto range = profile.find(bound.first);
    return range == profile.end() || range->second.Holds(bound.second);
  });
}

// Every dimension outside the profile, "; " between them.
std::string Violations(const Graph& graph, const Profile& profile, const std::vector<Dims>& inputs) {
  std::string text;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& value = graph.value(graph.inputs[i]);
    for (size_t axis = 0; axis < value.type.shape.size(); ++axis) {
      if (value.type.shape[axis].IsConstant()) continue;
      const std::string symbol = value.type.shape[axis].ToString();
      const auto range = profile.find(symbol);
      if (range == profile.end() || axis >= inputs[i].size()) continue;
      const int64_t size = inputs[i][axis];
      if (range->second.Holds(size)) continue;
      text += fmt::format("{}input '{}', dimension {} ('{}') is {}, outside {} to {}", text.empty() ? "" : "; ",
                          value.name, axis, symbol, size, range->second.min, range->second.max);
    }
  }
  return text;
}

}  // namespace

const PlanPoint* NearestPoint(const Plan& plan, const Binding& binding) {
  double distance = 0;
  return NearestPoint(plan, binding, &distance);
}

const Plan* ChoosePlan(const std::vector<Plan>& plans, const PlanQuery& query, const Binding& binding) {
  const Plan* best = nullptr;
  bool best_threads = false;
  double best_distance = 0;
  for (const Plan& plan : plans) {
    if (!plan.measured || plan.variant != query.variant || plan.device != query.device) continue;
    if (!Holds(plan.profile, binding)) continue;
    const bool threads = plan.threads == query.threads;
    double distance = 0;
    NearestPoint(plan, binding, &distance);
    if (best == nullptr || threads > best_threads || (threads == best_threads && distance < best_distance)) {
      best = &plan;
      best_threads = threads;
      best_distance = distance;
    }
  }
  return best;
}

uint64_t StrictestWorkspaceLimit(const std::vector<Plan>& plans, int variant) {
  uint64_t limit = 0;
  for (const Plan& plan : plans) {
    if (plan.variant != variant || plan.workspace_limit == 0) continue;
    limit = limit == 0 ? plan.workspace_limit : std::min(limit, plan.workspace_limit);
  }
  return limit;
}

KernelWish WishOf(const Plan& plan, const Binding& binding) {
  const PlanPoint* nearest = NearestPoint(plan, binding);
  return nearest == nullptr ? KernelWish() : WishOf(nearest->nodes);
}

KernelWish WishOf(const std::vector<NodePlan>& nodes) {
  std::map<std::string, std::string> kernels;
  for (const NodePlan& node : nodes) kernels[node.node] = node.kernel;
  return [kernels = std::move(kernels)](const std::string& node) {
    const auto found = kernels.find(node);
    return found == kernels.end() ? std::string() : found->second;
  };
}

std::vector<BlockSpec> BlocksOf(const PlanPoint& point) {
  std::vector<BlockSpec> blocks;
  for (const BlockPlan& block : point.blocks) blocks.push_back({block.layers, block.kernels});
  return blocks;
}

std::vector<BlockSpec> BlocksOf(const Plan& plan, const Binding& binding) {
  const PlanPoint* nearest = NearestPoint(plan, binding);
  return nearest == nullptr ? std::vector<BlockSpec>() : BlocksOf(*nearest);
}

MicroBatchSpec MicroBatchesOf(const PlanPoint& point) {
  return {point.micro_batches.entries, point.micro_batches.results};
}

MicroBatchSpec MicroBatchesOf(const Plan& plan, const Binding& binding) {
  const PlanPoint* nearest = NearestPoint(plan, binding);
  return nearest == nullptr ? MicroBatchSpec() : MicroBatchesOf(*nearest);
}

Status CheckProfiles(const Graph& graph, const std::vector<Profile>& profiles, const std::vector<Dims>& inputs) {
  std::string text;
  for (size_t i = 0; i < profiles.size(); ++i) {
    const std::string problems = Violations(graph, profiles[i], inputs);
    if (problems.empty()) return {};
    text += profiles.size() == 1 ? problems : fmt::format("{}profile {}: {}", i == 0 ? "" : "; ", i, problems);
  }
  if (text.empty()) return {};
  return UserError("{}{}. `tamis build` makes engines for other shapes (--profile)",
                   profiles.size() == 1 ? "" : "no profile of the engine takes this request: ", text);
}

}  // namespace tamis
