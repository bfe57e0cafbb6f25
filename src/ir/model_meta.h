// What a model file says of itself beside the network: who made it, what it is for, and properties of the maker's own
// (class names, strides, licences). Tamis reads none of it; it is handed on to what is made of the model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tamis/status.h"

namespace tamis {

struct ModelMeta {
  std::string producer_name, producer_version;
  std::string domain, description;
  std::string graph_description;  // its name is Graph::name
  int64_t version = 0;
  // Each key once, in the file's order.
  std::vector<std::pair<std::string, std::string>> properties;

  bool operator==(const ModelMeta&) const = default;
  std::string Producer() const;  // "pytorch 2.4.0"
  // Replaces a property's value where it stands, or appends the property.
  void Set(std::string_view key, std::string_view value);
  // Of all that is written. kUser beyond what CheckMetaSize takes.
  Status CheckSize() const;
};

// Readers bound what a file makes them keep, and writers write nothing that a reader refuses. A tokenizer or a label
// set in a property takes a few MB; no exporter is known to write more than some dozens of properties.
inline constexpr uint64_t kMaxMetaProperties = 65536;
inline constexpr uint64_t kMaxMetaBytes = uint64_t{64} << 20;
// `bytes`: of all strings together.
Status CheckMetaSize(uint64_t properties, uint64_t bytes);

}  // namespace tamis
