// Where the channels of a network's spaces lie: in its values and in its constants.
//
// Values are looked at in order. Products by a constant weight make channels, and everything else carries them on, ties
// them to others or, where nothing is known of it, holds them where they are.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/permute/permute_spaces.h"
#include "src/ir/graph.h"

namespace tamis {

// The channels of a space in a tensor: along these axes, row-major in the order of the axes, which need not ascend.
// Other axes hold no channels, and axes of one element are not listed.
struct ChannelLabel {
  SpaceId space = kNoSpace;
  std::vector<int64_t> axes;
  bool Has(int64_t axis) const;
  size_t PlaceOf(int64_t axis) const;  // in `axes`, which has it
};

// A constant that one node reads and that moves with a space.
struct ChannelBinding {
  enum class Role {
    kVector,   // a copy for one reader costs nothing: biases, scales
    kOutputs,  // of a weight
    kInputs,   // of a weight
  };
  NodeId node = kNoNode;
  size_t input = 0;
  Role role = Role::kVector;
  ChannelLabel label;     // in the constant
  int64_t first_row = 0;  // only these rows of axis 0, for the groups of a convolution; rows 0: all
  int64_t rows = 0;
  int32_t first_channel = 0;  // of the space, for the same: as many as the axis is long
};

// An output of the network whose channels may move: behind the network they are put back in their places.
struct TurnedOutput {
  size_t output = 0;  // of the graph's
  ChannelLabel label;
};

class ChannelTrace {
 public:
  // The graph must outlive the trace.
  explicit ChannelTrace(const Graph& graph);

  const Graph& graph() const { return graph_; }
  ChannelSpaces& spaces() { return spaces_; }
  const ChannelSpaces& spaces() const { return spaces_; }
  const std::vector<ChannelBinding>& bindings() const { return bindings_; }
  const std::vector<TurnedOutput>& outputs() const { return outputs_; }
  // Why the weight of a product has no space for its inputs; empty if it has one.
  const std::string& WhyUnlabelled(ValueId value) const;

  // For rules. nullptr where the value has no channels that are known (or is a constant).
  const ChannelLabel* Of(ValueId value) const;
  void Set(ValueId value, ChannelLabel label);
  // Its channels stay; nothing if it has none.
  void Pin(ValueId value, const std::string& reason);
  // Those of one input of a node, or of all: because of what the node does with them.
  void PinInput(NodeId id, size_t input, const std::string& what);
  void PinInputs(NodeId id, const std::string& what);
  void Bind(ChannelBinding binding);
  // The dimension of a value if it is constant, else -1.
  int64_t DimOf(ValueId value, int64_t axis) const;
  std::vector<int64_t> DimsOf(const ChannelLabel& label, ValueId value) const;
  // "Softmax 'name'", for reasons.
  static std::string NameOf(const Node& node);

  // The channels in these coordinates (one flag an axis of the label) can be told apart.
  void BinBy(const ChannelLabel& label, std::span<const int64_t> dims, const std::vector<bool>& coordinates);
  // An operand that is broadcast against channels which lie along these axes of a tensor of rank `rank`: a constant
  // moves along, channels are tied to channels, and what can't move holds them apart. False if it can't be seen that
  // the operand leaves the axes as long as they are: the caller pins.
  bool MeetOperand(NodeId id, size_t input, const ChannelLabel& label, std::span<const int64_t> dims, int64_t rank);

 private:
  void Visit(NodeId id);
  void MeetOutputs();
  void AgreeOnShared();

  const Graph& graph_;
  ChannelSpaces spaces_;
  std::vector<ChannelLabel> labels_;  // by value
  std::vector<std::string> why_;      // by value
  std::vector<ChannelBinding> bindings_;
  std::vector<TurnedOutput> outputs_;
};

// Calls f(flat, coordinates) for every element of a box.
template <class F>
void ForCoordinates(std::span<const int64_t> dims, const F& f) {
  int64_t total = 1;
  for (const int64_t d : dims) total *= d;
  std::vector<int64_t> at(dims.size(), 0);
  for (int64_t flat = 0; flat < total; ++flat) {
    f(flat, std::span<const int64_t>(at));
    for (size_t i = dims.size(); i-- > 0 && ++at[i] == dims[i];) at[i] = 0;
  }
}
// The place of coordinates in a box.
int64_t FlatIndex(std::span<const int64_t> dims, std::span<const int64_t> at);

}  // namespace tamis
