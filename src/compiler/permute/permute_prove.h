// The proof that a network computes the same with its channels in another order.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "src/compiler/permute/permute_apply.h"
#include "src/compiler/permute/permute_trace.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

struct ClassOrder {
  const ChannelClass* atoms = nullptr;
  std::vector<int32_t> order;
};

struct ProvenOrders {
  Graph graph;                          // with the orders that hold
  std::vector<std::string> given_back;  // by order: why it was given back; empty if it holds
  // Largest difference of the outputs over their largest magnitude, and what rounding explains.
  double error = 0, bound = 0;
};

// Runs both networks in f32. If outputs differ by more than the bound, every order is tried alone, and those that fail,
// or all if the rest fails together, are left out. Only f32 outputs are compared: others follow from rounding in ways
// of their own.
Result<ProvenOrders> ProveOrders(const Graph& graph, const ChannelTrace& trace, std::span<const ClassOrder> orders,
                                 const NamedTensors& batch, int threads);

}  // namespace tamis
