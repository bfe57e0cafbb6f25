// Which nodes compute every entry of axis 0 from the same entry of their operands alone, so that parts of a batch give
// the same results one after another as all of it at once.
#pragma once

#include <cstdint>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

// What a batch cut into `parts` equal parts means for each value of a graph with concrete shapes.
class BatchEntries {
 public:
  enum class Kind : uint8_t {
    kWhole,  // the same for every part: constants, and what follows from them and from inputs that are not cut
    kCut,    // part i is the i-th of `parts` equal runs of axis 0, and follows from part i of what it is computed from
    kUnknown,  // may depend on several parts
  };

  // Graph inputs whose axis 0 has `batch` entries are cut, others whole. `parts` divides `batch`.
  BatchEntries(const Graph& concrete, int64_t batch, int64_t parts);

  Kind Of(ValueId id) const { return kinds_[static_cast<size_t>(id)]; }

 private:
  Kind OfResult(const Graph& graph, const Node& node, ValueId result) const;

  int64_t parts_;
  std::vector<Kind> kinds_;
};

}  // namespace tamis
