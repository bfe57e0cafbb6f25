#include "src/cli/model_meta_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "src/base/utf8.h"

namespace tamis {
namespace {

constexpr size_t kShownBytes = 80;  // with its name about a line of a terminal

// Quoted, so that a file's control characters do not reach the terminal; cut between characters.
std::string Short(std::string_view text) {
  if (text.size() <= kShownBytes) return JsonQuote(text);
  size_t shown = 0;
  while (shown < kShownBytes) shown += std::max<size_t>(Utf8Length(text.substr(shown)), 1);
  if (shown >= text.size()) return JsonQuote(text);
  return fmt::format("{}... ({} bytes)", JsonQuote(text.substr(0, shown)), text.size());
}

}  // namespace

std::string ModelMetaText(const ModelMeta& meta) {
  std::string text;
  const auto line = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) text += fmt::format("  {}: {}\n", name, Short(value));
  };
  line("description", meta.description);
  line("of the graph", meta.graph_description);
  line("domain", meta.domain);
  if (meta.version != 0) text += fmt::format("  model version: {}\n", meta.version);
  for (const auto& [key, value] : meta.properties) text += fmt::format("  property {}: {}\n", Short(key), Short(value));
  return text;
}

void WriteModelMeta(const ModelMeta& meta, const std::string& graph_name, JsonWriter* json) {
  json->BeginObject().Field("producer_name", meta.producer_name).Field("producer_version", meta.producer_version);
  json->Field("domain", meta.domain).Field("version", meta.version).Field("description", meta.description);
  json->Field("graph_name", graph_name).Field("graph_description", meta.graph_description);
  json->Key("properties").BeginObject();
  for (const auto& [key, value] : meta.properties) json->Field(key, value);
  json->EndObject().EndObject();
}

}  // namespace tamis
