// A key for what is packed from attributes instead of a weight.
#pragma once

#include "src/base/hash.h"
#include "src/ir/graph.h"

namespace tamis {

// Of all attributes of the node, by name and value; never 0.
inline uint64_t HashAttributes(const Node& node) {
  uint64_t hash = Hash64(node.op);
  const auto add = [&hash](const auto& list) { hash = Hash64(list.data(), list.size() * sizeof(list[0]), hash); };
  for (const auto& [name, value] : node.attributes) {
    hash = Hash64(name, hash);
    std::visit(
        [&]<class T>(const T& v) {
          if constexpr (std::is_same_v<T, Tensor>) {
            hash ^= HashTensor(v);
          } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            for (const std::string& text : v) hash = Hash64(text, hash + text.size());
          } else if constexpr (std::is_arithmetic_v<T>) {
            hash = Hash64(&v, sizeof(v), hash);
          } else {
            add(v);
          }
        },
        value);
  }
  return hash == 0 ? 1 : hash;
}

}  // namespace tamis
