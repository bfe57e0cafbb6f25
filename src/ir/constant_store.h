// A large network's constants on disk, so that it may stand in several forms (as it was, fused, pruned) and still take
// little memory: only what is read between two Rests counts.
#pragma once

#include <cstddef>
#include <memory>

#include "src/base/tensor_store.h"
#include "src/ir/graph.h"

namespace tamis {

// Not synchronised.
class ConstantStore {
 public:
  // Graphs whose constants take no more are left in memory.
  static constexpr size_t kInMemory = size_t{128} << 20;
  explicit ConstantStore(size_t in_memory = kInMemory) : in_memory_(in_memory) {}

  // Large constants of a large graph, bodies of regions not among them, lie on disk afterwards, at rest; they are there
  // for as long as a handle is. Where the disk has no room they stay as they are.
  void Keep(Graph& graph);
  // Constants that are on disk leave memory until they are read again.
  static void Rest(const Graph& graph);

 private:
  size_t in_memory_;
  std::shared_ptr<TensorStore> store_;
  bool full_ = false;
};

}  // namespace tamis
