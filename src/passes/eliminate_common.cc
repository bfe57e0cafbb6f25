// eliminate_common: of nodes with the same operator, attributes and operands only the first stays. Small constants
// count as the same operand when their elements are, because exporters repeat shapes and scalars; the constants
// themselves are left alone, so that initializers keep their names.
#include <bit>
#include <functional>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

constexpr size_t kSmallConstantBytes = 256;

void Put(std::string* key, std::string_view bytes) {
  const size_t size = bytes.size();
  key->append(reinterpret_cast<const char*>(&size), sizeof(size)).append(bytes);
}

template <class T>
void PutNumbers(std::string* key, const std::vector<T>& numbers) {
  Put(key, {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T)});
}

void PutTensor(std::string* key, const Tensor& tensor) {
  *key += 't';
  *key += static_cast<char>(tensor.dtype());
  PutNumbers(key, tensor.dims());
  Put(key, {reinterpret_cast<const char*>(tensor.raw()), tensor.NumBytes()});
}

void PutAttribute(std::string* key, const Attribute& attribute) {
  *key += std::to_string(attribute.index());
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Tensor>) {
          PutTensor(key, value);
        } else if constexpr (std::is_same_v<T, std::string>) {
          Put(key, value);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          for (const std::string& text : value) Put(key, text);
        } else if constexpr (std::is_arithmetic_v<T>) {
          PutNumbers(key, std::vector<T>{value});
        } else {
          PutNumbers(key, value);
        }
      },
      attribute);
}

// What two nodes must have in common, into `key`, whose room is used again.
void WriteKey(const Graph& graph, const Node& node, std::string* key_of_node) {
  std::string& key = *key_of_node;
  key.clear();
  Put(&key, node.op);
  Put(&key, node.domain);
  key += std::to_string(node.outputs.size());
  for (ValueId output : node.outputs) key += output == kNoValue ? '-' : '+';
  for (const auto& [name, attribute] : node.attributes) {
    Put(&key, name);
    PutAttribute(&key, attribute);
  }
  for (ValueId input : node.inputs) {
    const bool small = input != kNoValue && graph.value(input).IsConstant() &&
                       BitSize(graph.value(input).constant->dtype()) > 0 &&
                       graph.value(input).constant->NumBytes() <= kSmallConstantBytes;
    if (small) {
      PutTensor(&key, *graph.value(input).constant);
    } else {
      key += 'v';
      key.append(reinterpret_cast<const char*>(&input), sizeof(input));
    }
  }
}

// Nodes by the hashes of their keys, without the keys, which would be as large as the graph.
class FirstNodes {
 public:
  explicit FirstNodes(const Graph& graph) : graph_(graph), slots_(std::bit_ceil(2 * graph.NumNodeSlots() + 1)) {}

  // The first node that is like `id` and still there; `id` itself if there is none.
  NodeId Find(NodeId id) {
    WriteKey(graph_, graph_.node(id), &key_);
    const uint64_t hash = std::hash<std::string>()(key_);
    size_t place = hash & (slots_.size() - 1);
    for (; slots_[place].node != kNoNode; place = (place + 1) & (slots_.size() - 1)) {
      if (slots_[place].hash != hash) continue;
      const Node& other = graph_.node(slots_[place].node);
      if (other.removed) break;
      WriteKey(graph_, other, &other_key_);
      if (key_ == other_key_) return slots_[place].node;
    }
    slots_[place] = {hash, id};
    return id;
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    NodeId node = kNoNode;
  };
  const Graph& graph_;
  std::vector<Slot> slots_;
  std::string key_, other_key_;
};

}  // namespace

Status EliminateCommon(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  FirstNodes first(graph);
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (node.removed || !node.regions.empty() || IsRandom(node)) continue;
    const NodeId found = first.Find(id);
    if (found == id) continue;
    const std::vector<ValueId> outputs = node.outputs;
    const std::vector<ValueId> same = graph.node(found).outputs;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue) rewriter.ReplaceUses(outputs[i], same[i]);
    }
  }
  return {};
}

}  // namespace tamis
