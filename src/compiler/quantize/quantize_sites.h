// What of a network becomes int8: its products by constant weights, and the values that are read as codes.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/quantize/quantize.h"
#include "src/compiler/quantize/quantize_balance.h"
#include "src/ir/graph.h"

namespace tamis {

// A product with a constant weight.
struct QuantizeProduct {
  NodeId node = kNoNode;
  bool conv = false;
  bool outputs_first = false;  // the weight is [outputs][...], not [inputs][outputs]
  QuantizedLayer report;       // says whether it becomes int8, or why not
};

struct QuantizeSites {
  std::vector<QuantizeProduct> products;
  std::set<ValueId> tensors;  // activations that are read as codes
  std::set<ValueId> spatial;  // those of them that have channels along axis 1
};

// `keep`: weight initializers or node names that stay float; one that is no product is an error that lists them.
Result<QuantizeSites> FindQuantizeSites(const Graph& graph, std::span<const std::string> keep);

// The value whose codes a pool, or a view of pooled values, hands on as `value`; kNoValue otherwise.
ValueId CodesBefore(const Graph& graph, ValueId value);

// Activations that only matrix products read as codes.
std::vector<BalanceSite> FindBalanceSites(const Graph& graph, const QuantizeSites& sites);

}  // namespace tamis
