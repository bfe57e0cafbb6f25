// The IR: values and nodes in a topologically ordered list.
//
// Ids are indices that stay valid until Compact(). A removed node keeps its slot with `removed` set. Control flow is
// regions: a region's body is a graph of its own, and what it reads from outside is listed in `captures`, in the order
// of the body's last inputs. A graph is not synchronised; share it read-only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "src/ir/type.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

using ValueId = int32_t;
using NodeId = int32_t;
constexpr ValueId kNoValue = -1;  // an omitted optional input or output
constexpr NodeId kNoNode = -1;

// Domain of the operators that passes make and ONNX does not have (Linear, ChannelsLastConv, Attention, ...).
inline constexpr std::string_view kTamisDomain = "tamis";

using Attribute = std::variant<int64_t, float, std::string, Tensor, std::vector<int64_t>, std::vector<float>,
                               std::vector<std::string>>;

// How a constant was derived from an initializer of the unfused graph, so that pruned weights can be written back.
enum class WeightTransform : uint8_t {
  kNone,          // same elements, same order
  kTransposed2D,  // [K, N] became [N, K]
  kOihwToOhwi,    // [O, I, R, S] became [O, R, S, I]
};
struct WeightOrigin {
  std::string initializer;  // name of the value in the unfused graph
  WeightTransform transform = WeightTransform::kNone;
  // The constant is these rows of the transformed weight (first axis); row_end = 0: all of them.
  int64_t row_begin = 0;
  int64_t row_end = 0;
};

// Which elements of a weight may be non-zero. Always along the last axis, in groups of four consecutive elements that
// start at a multiple of four; a last group of fewer than four counts as padded with zeros.
enum class Pattern : uint8_t {
  kDense,
  kTwoFour,  // at most two of four are non-zero
};
std::string_view Name(Pattern pattern);  // "dense", "2:4"

// What passes look at most comes first, here and in Node: on large graphs they wait for memory.
struct Value {
  std::string name;
  NodeId producer = kNoNode;          // kNoNode: graph input or constant
  Pattern pattern = Pattern::kDense;  // constants only; set by the detect_patterns pass
  Type type;
  std::optional<Tensor> constant;            // an initializer or a folded result
  std::optional<std::vector<Dim>> contents;  // small integer tensors: the elements, symbolically
  std::optional<WeightOrigin> origin;        // constants only
  uint64_t constant_hash = 0;                // HashTensor(*constant) if known, 0 if not
  bool IsConstant() const { return constant.has_value(); }
};

class Graph;

struct Region {
  std::string name;  // "then_branch", "body"
  std::unique_ptr<Graph> body;
  std::vector<ValueId> captures;
};

struct Node {
  bool removed = false;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::string op;
  std::string domain;  // "" is ai.onnx
  std::vector<Region> regions;
  std::map<std::string, Attribute> attributes;
  std::string name;  // as the file had it; for people only, nothing may depend on it

  bool Is(std::string_view o, std::string_view d = "") const { return op == o && domain == d; }
  bool IsTamis(std::string_view o) const { return Is(o, kTamisDomain); }
  ValueId input(size_t i) const { return i < inputs.size() ? inputs[i] : kNoValue; }

  int64_t Int(const std::string& key, int64_t fallback) const;
  float Float(const std::string& key, float fallback) const;
  std::string String(const std::string& key, const std::string& fallback) const;
  std::vector<int64_t> Ints(const std::string& key, const std::vector<int64_t>& fallback = {}) const;
  std::vector<float> Floats(const std::string& key) const;
  const Tensor* TensorAttribute(const std::string& key) const;
  bool Has(const std::string& key) const { return attributes.count(key) != 0; }
};

class Graph {
 public:
  Graph() = default;
  Graph(Graph&&) = default;
  Graph& operator=(Graph&&) = default;
  Graph Clone() const;  // constants are shared, everything else is copied

  std::string name;
  std::map<std::string, int64_t> opsets;  // domain -> version
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<std::string> input_docs;

  int64_t Opset(const std::string& domain = "") const;

  size_t NumValues() const { return values_.size(); }
  size_t NumNodeSlots() const { return nodes_.size(); }
  size_t NumNodes() const;  // without removed ones
  Value& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  const Value& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  Node& node(NodeId id) { return nodes_[static_cast<size_t>(id)]; }
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }

  ValueId AddValue(std::string value_name, Type type = {});
  ValueId AddConstant(std::string value_name, Tensor tensor);
  // Appends; the caller keeps the order topological or calls Sort(). Sets the producers of `node.outputs`.
  NodeId AddNode(Node node);
  void RemoveNode(NodeId id);
  void ReplaceAllUses(ValueId from, ValueId to);  // nodes' inputs, captures and graph outputs
  // Ids of live nodes in order.
  std::vector<NodeId> NodeIds() const;
  // Users by value, once for each use; graph outputs are not users. Rebuilt on call: O(nodes).
  std::vector<std::vector<NodeId>> Users() const;
  bool IsOutput(ValueId id) const;
  // The constant behind an input of a node; nullptr if it is omitted or not constant.
  const Tensor* ConstantInput(const Node& node, size_t i) const;
  // A name not used by any value yet, from `base`.
  std::string FreshName(const std::string& base);

  // Stable topological order of live nodes; removes dead slots. An error names the values on a cycle.
  Status Sort();
  // Drops nodes whose results nobody reads, and values nobody mentions (ids change).
  void Compact();
  // Checks the structure: ids in range, one producer a value, order topological, names of inputs and outputs unique.
  Status Verify() const;
  // One node a line, for people and tests.
  std::string ToString() const;

 private:
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  int64_t fresh_counter_ = 0;
};

}  // namespace tamis
