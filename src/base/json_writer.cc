#include "src/base/json_writer.h"

#include "src/base/utf8.h"

namespace tamis {

JsonWriter& JsonWriter::String(std::string_view value) {
  static constexpr char kHex[] = "0123456789abcdef";
  Separate();
  text_.push_back('"');
  while (!value.empty()) {
    const char c = value[0];
    const auto code = static_cast<unsigned char>(c);
    size_t used = 1;
    if (c == '"' || c == '\\') {
      text_ += {'\\', c};
    } else if (c == '\n') {
      text_ += "\\n";
    } else if (code < 0x20 || code == 0x7f) {
      text_ += "\\u00";
      text_ += {kHex[code >> 4], kHex[code & 15]};
    } else if (const size_t length = Utf8Length(value); length > 0) {
      text_.append(value.substr(0, length));
      used = length;
    } else {
      text_ += "\\ufffd";
    }
    value.remove_prefix(used);
  }
  text_.push_back('"');
  return *this;
}

std::string JsonQuote(std::string_view text) {
  JsonWriter json;
  json.String(text);
  return json.Take();
}

}  // namespace tamis
