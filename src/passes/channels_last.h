// The two orders of activations: ONNX's [batch, channels, spatial...] and channels last, [batch, spatial..., channels].
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "src/passes/rewriter.h"

namespace tamis {

std::vector<int64_t> ToChannelsLast(int64_t rank);    // perm of a Transpose: 0, 2, ..., rank - 1, 1
std::vector<int64_t> FromChannelsLast(int64_t rank);  // its inverse: 0, rank - 1, 1, ..., rank - 2
// Where an axis of the ONNX order is in the other.
int64_t ChannelsLastAxis(int64_t axis, int64_t rank);
Shape Permuted(const Shape& shape, const std::vector<int64_t>& perm);
// The elements in permuted order; any dtype of whole bytes.
Tensor Transposed(const Tensor& tensor, const std::vector<int64_t>& perm);

// Ends the name of a value that is the channels-last twin of the value without it; for tools, no pass looks at it.
inline constexpr std::string_view kChannelsLastSuffix = "_channels_last";

// Keeps for values of the graph their channels-last twin and makes it where it is missing.
class ChannelsLastTwins {
 public:
  explicit ChannelsLastTwins(Rewriter& rewriter) : rewriter_(rewriter) {}

  bool Has(ValueId value) const { return twins_.count(value) != 0; }
  void Set(ValueId value, ValueId twin) { twins_[value] = twin; }
  // The twin of a value of rank 3 or more; by a Transpose if there is none yet, or a permuted constant.
  ValueId Get(ValueId value);
  // The twin of an operand that broadcasts to `rank` dimensions: constants of a lower rank are aligned first, single
  // numbers stay as they are. nullopt for other values of a lower rank.
  std::optional<ValueId> GetBroadcast(ValueId operand, int64_t rank);
  // Appends `op` on channels-last operands and turns node `id` into the change back to the ONNX order, one for each of
  // its outputs.
  void Convert(NodeId id, std::string op, std::string_view domain, std::vector<ValueId> inputs,
               std::map<std::string, Attribute> attributes);

 private:
  ValueId Constant(ValueId value, int64_t rank);
  // A node that changes the order from `from` (of shape `shape`) by `perm`; a Reshape where that does.
  Node OrderChange(ValueId from, const Shape& shape, const std::vector<int64_t>& perm, ValueId output);

  Rewriter& rewriter_;
  std::map<ValueId, ValueId> twins_;
};

}  // namespace tamis
