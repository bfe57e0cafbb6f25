// Concat nodes that a loop runs on their own earlier result: a list that grows. Copying it every time would take time
// that grows with the square of the iterations.
#pragma once

#include <optional>
#include <span>

#include "src/ir/graph.h"
#include "src/runtime/buffer_pool.h"

namespace tamis {

// Of one node in one run. A result lies in a block that has room behind it, and what is added to it later is written
// there. Elements never change once they are written, so that it doesn't matter who still holds an earlier result.
class Appender {
 public:
  // The Concat of `operands` if the first one is this node's latest result and lies in front of all others in memory
  // (no axis before the one of `node` has more than one element). Nothing where it is not so, or if the operands do not
  // fit together.
  std::optional<Tensor> Append(const Node& node, std::span<const Tensor* const> operands, BufferPool& buffers);
  // What the node gave where Append gave nothing.
  void Note(const Tensor& result) { latest_ = result.raw(); }

 private:
  const std::byte* latest_ = nullptr;
  Tensor block_;     // bytes
  size_t used_ = 0;  // of the block
};

}  // namespace tamis
