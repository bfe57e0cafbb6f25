#include "src/base/xml_escape.h"

#include "src/base/utf8.h"

namespace tamis {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// The reference for a character that must not stand as it is; empty for others.
std::string_view Reference(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&apos;";
    case '\t':
      return "&#9;";
    case '\n':
      return "&#10;";
    case '\r':
      return "&#13;";
    default:
      return {};
  }
}

}  // namespace

std::string XmlEscape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    size_t used = 1;
    const size_t length = Utf8Length(text);
    const std::string_view sequence = text.substr(0, length);
    if (const std::string_view reference = Reference(text[0]); !reference.empty()) {
      escaped += reference;
    } else if (length == 0 || (length == 1 && static_cast<unsigned char>(text[0]) < 0x20)) {
      escaped += kReplacement;
    } else if (sequence == "\xef\xbf\xbe" || sequence == "\xef\xbf\xbf") {  // U+FFFE, U+FFFF
      escaped += kReplacement;
      used = length;
    } else {
      escaped += sequence;
      used = length;
    }
    text.remove_prefix(used);
  }
  return escaped;
}

}  // namespace tamis
