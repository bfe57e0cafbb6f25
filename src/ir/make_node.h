#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

// A node that is in no graph yet.
inline Node MakeNode(std::string op, std::string_view domain, std::vector<ValueId> inputs, std::vector<ValueId> outputs,
                     std::map<std::string, Attribute> attributes = {}, std::string name = "") {
  Node node;
  node.op = std::move(op);
  node.domain = std::string(domain);
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  node.attributes = std::move(attributes);
  node.name = std::move(name);
  return node;
}

}  // namespace tamis
