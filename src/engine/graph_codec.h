// Graphs to and from FlatBuffers. Used by the writer and the reader of engine files only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "src/engine/engine_generated.h"
#include "src/engine/weight_table.h"
#include "src/ir/graph.h"

namespace tamis {

// Writes graphs of one engine into one buffer. Encode the fused graph first: what its weights say of their origins lets
// the unfused graph refer to them.
class GraphEncoder {
 public:
  GraphEncoder(flatbuffers::FlatBufferBuilder* builder, WeightTable* weights) : fbb_(*builder), weights_(*weights) {}
  // Without dead nodes and values.
  Result<flatbuffers::Offset<fb::Graph>> Encode(const Graph& graph);
  // False once a constant was stored only in a narrower type, as its fused weight.
  bool exact() const { return exact_; }

 private:
  struct FusedWeight {
    int32_t index;
    Tensor tensor;
    WeightTransform transform;
    Pattern pattern;
  };
  Result<flatbuffers::Offset<fb::Graph>> EncodeCompact(const Graph& graph);
  Result<flatbuffers::Offset<fb::Value>> EncodeValue(const Value& value);
  Result<flatbuffers::Offset<fb::Node>> EncodeNode(const Node& node);
  Result<flatbuffers::Offset<fb::Attribute>> EncodeAttribute(const std::string& name, const Attribute& attribute);
  Result<flatbuffers::Offset<fb::Constant>> EncodeTensor(const std::string& name, const Tensor& tensor, Pattern pattern,
                                                         const WeightOrigin* origin);
  flatbuffers::Offset<fb::Type> EncodeType(const Type& type);
  flatbuffers::Offset<fb::Dim> EncodeDim(const Dim& dim);
  // The fused weight that holds `tensor` in another order or a narrower type; nullptr if there is none.
  const FusedWeight* FindFused(const std::string& name, const Tensor& tensor);

  // The weight of a wider variant that rounds to `tensor`; nullptr if there is none.
  const FusedWeight* FindWide(const WeightOrigin& origin, const Tensor& tensor, Pattern pattern);

  flatbuffers::FlatBufferBuilder& fbb_;
  WeightTable& weights_;
  std::multimap<std::string, FusedWeight> fused_;  // by the initializer they come from
  bool exact_ = true;
};

// The tensor that a stored constant means, and its content hash (0 if it has none). `name` is for messages.
using LoadConstant = std::function<Result<Tensor>(const fb::Constant&, const std::string& name, uint64_t* hash)>;

// Checks every number before it is used; a graph returned has passed Graph::Verify. `metadata_bytes` bounds the memory
// that the graph may take. Errors are kUser and say what is wrong; the caller adds the file.
Result<Graph> DecodeGraph(const fb::Graph& graph, uint64_t metadata_bytes, const LoadConstant& load);

}  // namespace tamis
