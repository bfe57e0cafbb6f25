#include "src/compiler/permute/permute_prove.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/base/freed_memory.h"
#include "src/compiler/measure/compare.h"
#include "src/compiler/plan/untuned_session.h"
#include "src/ir/constant_store.h"

namespace tamis {
namespace {

// Products in f32 whose terms are added in another order differ by about eps sqrt(K) of their magnitude, and the
// layers' differences add up. Norms and residuals enlarge them: eight times that.
double RoundingBound(const Graph& graph) {
  double sum = 1;
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    const Tensor* weight = graph.ConstantInput(node, 1);
    if (weight == nullptr || weight->rank() < 2 || !(node.Is("Conv") || node.Is("MatMul") || node.Is("Gemm"))) continue;
    const int64_t outputs = node.Is("Conv") || node.Int("transB", 0) != 0 ? weight->dim(0) : weight->dim(-1);
    sum += std::sqrt(static_cast<double>(weight->NumElements()) / static_cast<double>(std::max<int64_t>(1, outputs)));
  }
  return 8 * static_cast<double>(std::numeric_limits<float>::epsilon()) * sum;
}

Result<NamedTensors> Answers(const Graph& graph, const NamedTensors& batch, int threads) {
  const FreedMemoryReturned returned;
  Network network;
  network.graph = graph.Clone();
  TAMIS_ASSIGN_OR_RETURN(const auto session, UntunedSession(network, threads));
  return session->Run(batch);
}

// The largest relative difference of any output; infinite if one is no number any more.
Result<double> Difference(const NamedTensors& expected, const NamedTensors& found) {
  double largest = 0;
  for (const auto& [name, tensor] : expected) {
    if (tensor.dtype() != DType::kFloat32) continue;
    OutputComparison comparison;
    TAMIS_RETURN_IF_ERROR(comparison.Add(found.at(name), tensor));
    const double error = comparison.MaxRelativeError();
    largest = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(largest, error);
  }
  return largest;
}

Graph Permuted(const Graph& graph, const ChannelTrace& trace, std::span<const ClassOrder* const> orders) {
  ChannelSources sources = UnmovedChannels(trace.spaces());
  for (const ClassOrder* order : orders) MoveAtoms(*order->atoms, order->order, &sources);
  Graph permuted = graph.Clone();
  ApplySources(trace, sources, permuted);
  ConstantStore().Keep(permuted);
  ConstantStore::Rest(graph);
  return permuted;
}

}  // namespace

Result<ProvenOrders> ProveOrders(const Graph& graph, const ChannelTrace& trace, std::span<const ClassOrder> orders,
                                 const NamedTensors& batch, int threads) {
  ProvenOrders proven;
  proven.bound = RoundingBound(graph);
  proven.given_back.resize(orders.size());
  TAMIS_ASSIGN_OR_RETURN(const NamedTensors expected, Answers(graph, batch, threads));
  const auto error_of = [&](std::span<const ClassOrder* const> some) -> Result<double> {
    TAMIS_ASSIGN_OR_RETURN(const NamedTensors found, Answers(Permuted(graph, trace, some), batch, threads));
    return Difference(expected, found);
  };
  std::vector<const ClassOrder*> kept;
  for (const ClassOrder& order : orders) kept.push_back(&order);
  TAMIS_ASSIGN_OR_RETURN(proven.error, error_of(kept));
  if (proven.error > proven.bound) {
    kept.clear();
    for (size_t i = 0; i < orders.size(); ++i) {
      const ClassOrder* const alone = &orders[i];
      TAMIS_ASSIGN_OR_RETURN(const double error, error_of({&alone, 1}));
      if (error <= proven.bound) {
        kept.push_back(alone);
      } else {
        proven.given_back[i] = fmt::format("given back: the dense network's outputs changed by {:.2g}", error);
      }
    }
    TAMIS_ASSIGN_OR_RETURN(proven.error, error_of(kept));
  }
  if (proven.error > proven.bound) {
    kept.clear();
    proven.error = 0;
    for (std::string& reason : proven.given_back) {
      if (reason.empty()) reason = "given back: together with others it changes the dense network's outputs";
    }
  }
  proven.graph = Permuted(graph, trace, kept);
  return proven;
}

}  // namespace tamis
