#include "src/ir/model_meta.h"

#include <algorithm>

namespace tamis {

std::string ModelMeta::Producer() const {
  return producer_version.empty() ? producer_name : producer_name + " " + producer_version;
}

void ModelMeta::Set(std::string_view key, std::string_view value) {
  const auto found = std::find_if(properties.begin(), properties.end(), [&](const auto& p) { return p.first == key; });
  if (found == properties.end()) {
    properties.emplace_back(key, value);
  } else {
    found->second = value;
  }
}

Status ModelMeta::CheckSize() const {
  uint64_t bytes =
      producer_name.size() + producer_version.size() + domain.size() + description.size() + graph_description.size();
  for (const auto& [key, value] : properties) bytes += key.size() + value.size();
  return CheckMetaSize(properties.size(), bytes);
}

Status CheckMetaSize(uint64_t properties, uint64_t bytes) {
  if (properties <= kMaxMetaProperties && bytes <= kMaxMetaBytes) return {};
  return UserError("the model's metadata are {} properties and {} bytes; at most {} and {} are supported", properties,
                   bytes, kMaxMetaProperties, kMaxMetaBytes);
}

}  // namespace tamis
