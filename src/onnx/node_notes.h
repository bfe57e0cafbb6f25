// What a file says of a node beside its name: exporters write there which line of the source it comes from. Tamis reads
// none of it; it goes on into what is written as ONNX again.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tamis {

struct NodeNote {
  std::string description;                                      // doc_string
  std::vector<std::pair<std::string, std::string>> properties;  // metadata_props
  bool operator==(const NodeNote&) const = default;
};
// By the name of the node's first output, which outlives rewrites that keep the value.
using NodeNotes = std::map<std::string, NodeNote>;

}  // namespace tamis
