// Rewriter: a graph under rewriting, with use counts that stay right after every step.
//
// Patterns ask it who uses a value; rewrites go through it. A node whose results nobody reads any more is removed at
// once, together with what fed only that node, so that the counts a later pattern sees are those of the live graph.
// Graph outputs count as one use each and keep their names. Not synchronised; the graph must outlive the rewriter, and
// nobody else may change the graph meanwhile.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "src/ir/graph.h"
#include "src/ir/make_node.h"
#include "src/passes/hash_set.h"
#include "src/passes/pass.h"

namespace tamis {

class Rewriter {
 public:
  // Tells `options` of every edit.
  explicit Rewriter(Graph& graph, const PassOptions& options = {});

  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }
  // Reads by nodes, captures and graph outputs.
  int Uses(ValueId value) const;
  bool SingleUse(ValueId value) const { return Uses(value) == 1 && !IsOutput(value); }
  bool IsOutput(ValueId value) const {
    return static_cast<size_t>(value) < is_output_.size() && is_output_[static_cast<size_t>(value)];
  }
  // Whether every value between `leaves` and the node is read only on the way to the node, so that replacing the node
  // by one that reads the leaves leaves nothing of them behind. Operands that only say a shape or an index don't count.
  bool ConeIsPrivate(NodeId root, const std::vector<ValueId>& leaves) const;
  // Live nodes that read `value`, once for each read, in order.
  std::vector<NodeId> Users(ValueId value) const;

  // Puts `node` in the slot of `id`. It must write at least those outputs of the old node that are still read, and read
  // only values that are defined before the slot (or the caller sorts the graph at the end).
  void Replace(NodeId id, Node node);
  // Appends a node with one new output of this name and type; the caller sorts the graph at the end.
  ValueId Append(std::string op, std::string_view domain, std::vector<ValueId> inputs,
                 std::map<std::string, Attribute> attributes, const std::string& name, Type type = {});
  // Appends a node that defines values which exist already.
  NodeId Append(Node node);
  // Lets every reader of `from` read `to`. Where `from` is a graph output, the node that makes `to` takes over its
  // name; false, and nothing changed, if that can't be (`to` is an input, a constant, or an output of the graph
  // itself).
  bool ReplaceUses(ValueId from, ValueId to);
  // Changes one input of a node.
  void SetInput(NodeId id, size_t index, ValueId value);

  ValueId AddConstant(const std::string& base, Tensor tensor);
  // The constant `value` with other elements of any shape: in place (and under its name) where `value` has one reader,
  // otherwise a fresh constant. Returns the value to read.
  ValueId ChangedConstant(ValueId value, Tensor tensor);
  // `base`, or `base` with a number if that is taken.
  std::string FreeName(const std::string& base);

 private:
  void Edited() {
    if (edited_ != nullptr) *edited_ = true;
  }
  void Add(NodeId id, const Node& node);
  void Subtract(const Node& node);
  // Every read of `from` by a node becomes one of `to`.
  void MoveReads(ValueId from, ValueId to);
  void Drop(const std::vector<ValueId>& values);
  void Grow();

  // A list of readers, one for each value, in one array: a graph has more values than most rewrites touch.
  struct Reader {
    NodeId node;
    int32_t next;  // index in reader_pool_; kNoReader ends the list
  };
  static constexpr int32_t kNoReader = -1;
  void AddReader(ValueId value, NodeId node);

  Graph& graph_;
  bool* const edited_;
  std::vector<int> uses_;
  std::vector<bool> is_output_;  // no rewrite changes which values these are
  // Readers by value, each at least once; those that read it no longer are taken out when somebody asks.
  mutable std::vector<int32_t> first_reader_;
  mutable std::vector<Reader> reader_pool_;
  // Hashes of the names of the first named_ values. A name that is not there may be taken for one that is, which costs
  // FreeName a number.
  HashSet names_;
  size_t named_ = 0;
  std::unordered_map<std::string, int> last_number_;  // by base of FreeName
};

}  // namespace tamis
