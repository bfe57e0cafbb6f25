#include "src/base/json_writer.h"

namespace tamis {
namespace {

// Length of the UTF-8 sequence at the start of `text`; 0 if there is none (overlong and surrogates included).
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead < 0x80                   ? 1
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (length < 3) return length;
  const unsigned second = byte(1);
  const bool bad = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) ||
                   (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90);
  return bad ? 0 : length;
}

}  // namespace

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
    } else if (const size_t length = SequenceLength(value); length > 0) {
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
