#include "src/compiler/plan/plan_key.h"

#include <fmt/format.h>

#include "src/base/hash.h"
#include "src/kernels/kernel_revision.h"
#include "src/kernels/problem.h"
#include "src/tuner/tuner.h"

namespace tamis {

Result<DescribedPlan> DescribePlan(const Graph& concrete, const PlanPoint& point, int threads) {
  DescribedPlan described;
  for (const NodeId id : concrete.NodeIds()) {
    const Node& node = concrete.node(id);
    if (!IsConcrete(concrete, node)) continue;
    TAMIS_ASSIGN_OR_RETURN(Problem problem, MakeProblem(concrete, node, threads));
    described.problems.emplace(NameInPlan(concrete, node), std::move(problem));
  }
  std::string text;
  const auto add_kernel = [&](const std::string& kernel) {
    text += fmt::format(" {}/{:x}", kernel, KernelRevision(kernel));
  };
  for (const NodePlan& node : point.nodes) {
    const auto found = described.problems.find(node.node);
    if (found == described.problems.end()) continue;
    text += "\n" + TimingCache::Key(found->second);
    add_kernel(node.kernel);
    for (const Candidate& candidate : node.candidates) {
      if (candidate.seconds > 0) add_kernel(candidate.kernel);  // one of them takes its place
    }
    described.differs = described.differs || NeedsTwoFour(node.kernel, found->second);
  }
  for (const BlockPlan& block : point.blocks) {
    text += "\nblock";
    for (const std::string& layer : block.layers) text += " " + layer;
    for (const std::string& kernel : block.kernels) add_kernel(kernel);
    described.differs = true;
  }
  described.key = HexString(Hash64(text)) + HexString(Hash64(text, 1));
  return described;
}

}  // namespace tamis
