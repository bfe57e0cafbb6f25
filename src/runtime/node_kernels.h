// The kernels of one node whose operands' shapes are known only as it runs, kept by shapes.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "src/runtime/prepared_node.h"

namespace tamis {

// A node at one set of operand shapes.
struct ShapedNode {
  struct Output {
    DType dtype = DType::kUndefined;  // kUndefined: omitted
    Dims dims;
  };
  Graph scratch;                           // the node alone, with its constant operands
  std::unique_ptr<PreparedNode> prepared;  // null: the output is its first operand seen as other dimensions
  std::vector<Output> outputs;
};

// Thread-safe. Where the shapes of a node's outputs follow from its operands' shapes alone, these are the key. Where
// they need the elements of small operands too (a Reshape's target, a Slice's bounds), those are part of it. The kKept
// keys used last are kept.
class NodeKernels {
 public:
  static constexpr size_t kKept = 16;

  // `graph` must outlive this. `wish` names the kernel to take where it can compute the node; may be empty.
  NodeKernels(const Graph& graph, NodeId node, int threads, std::string wish, PackCache* cache);
  ~NodeKernels();

  // `operands` follow the node's inputs: null for an omitted one, the graph's own for constants. Null if the reference
  // evaluation is to run the node: shapes depend on data, there is no kernel, or shapes change with every call and the
  // operands are so small that preparing costs more than it gains.
  std::shared_ptr<const ShapedNode> Find(std::span<const Tensor* const> operands);
  // Whether the node's shapes were found to depend on more than small operands: no kernel can be prepared for it.
  bool DependsOnData();

 private:
  enum class KeyedBy : uint8_t { kUnknown, kShapes, kElements, kNothing };
  struct Entry {
    std::vector<int64_t> key;
    std::shared_ptr<const ShapedNode> shaped;  // null: to be evaluated
  };
  bool IsConstant(size_t input) const;
  std::vector<int64_t> KeyOf(std::span<const Tensor* const> operands, bool elements) const;
  // Null if an output's shape does not follow; an error if the operands do not fit the node.
  Result<std::unique_ptr<ShapedNode>> Shape(std::span<const Tensor* const> operands, bool elements) const;
  std::shared_ptr<const ShapedNode> Prepare(std::unique_ptr<ShapedNode> shaped) const;

  const Graph& graph_;
  const NodeId node_;
  const int threads_;
  const std::string wish_;
  PackCache* cache_;
  std::vector<uint64_t> hashes_;  // of constant operands
  size_t small_bytes_;            // operands whose evaluation takes less than preparing

  std::mutex mutex_;  // guards what follows
  KeyedBy keyed_by_ = KeyedBy::kUnknown;
  std::vector<Entry> entries_;  // most recent first
  int misses_in_a_row_ = 0;
};

}  // namespace tamis
