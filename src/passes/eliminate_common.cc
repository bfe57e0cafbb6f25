// eliminate_common: of nodes with the same operator, attributes and operands only the first stays. Small constants
// count as the same operand when their elements are, because exporters repeat shapes and scalars; the constants
// themselves are left alone, so that initializers keep their names.
#include <unordered_map>

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

std::string KeyOf(const Graph& graph, const Node& node) {
  std::string key;
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
  return key;
}

}  // namespace

Status EliminateCommon(Graph& graph, const PassOptions&) {
  Rewriter rewriter(graph);
  std::unordered_map<std::string, NodeId> first;
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (node.removed || !node.regions.empty() || IsRandom(node)) continue;
    const auto [found, inserted] = first.emplace(KeyOf(graph, node), id);
    if (inserted || graph.node(found->second).removed) {
      found->second = id;
      continue;
    }
    const std::vector<ValueId> outputs = node.outputs;
    const std::vector<ValueId> same = graph.node(found->second).outputs;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue) rewriter.ReplaceUses(outputs[i], same[i]);
    }
  }
  return graph.Sort();
}

}  // namespace tamis
