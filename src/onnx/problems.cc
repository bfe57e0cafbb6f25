#include "src/onnx/problems.h"

#include <algorithm>

namespace tamis {
namespace {

constexpr size_t kMaxNameBytes = 160;
constexpr size_t kMaxLines = 200;

// Bytes of the well-formed UTF-8 sequence that `text` starts with; 0 if there is none or it is a control character.
size_t PrintableBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return byte(0) >= 0x20 && byte(0) != 0x7f ? 1 : 0;
  const size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (byte(0) == 0xc2 && byte(1) < 0xa0) return 0;  // C1 control characters
  return length;
}

}  // namespace

std::string Quote(std::string_view name) {
  std::string text = "'";
  size_t i = 0;
  while (i < name.size() && i < kMaxNameBytes) {
    const size_t bytes = PrintableBytes(name.substr(i));
    if (bytes == 0) {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(name[i]));
      ++i;
    } else {
      text += name.substr(i, bytes);
      i += bytes;
    }
  }
  if (i < name.size()) text += "...";
  return text + "'";
}

std::string QuoteList(const std::vector<std::string>& names, size_t limit) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), limit); ++i) text += (i ? ", " : "") + Quote(names[i]);
  if (names.size() > limit) text += fmt::format(" and {} more", names.size() - limit);
  return text;
}

bool Problems::Add(const Status& status) {
  if (status.ok()) return false;
  if (status.kind() == ErrorKind::kUser) {
    problems_.push_back(status.message());
  } else if (other_.ok()) {
    other_ = status;
  }
  return true;
}

Status Problems::ToStatus() const {
  if (!other_.ok()) return other_;
  std::vector<std::string> lines = problems_;
  for (const auto& [what, users] : shared_) lines.push_back(what + "; needed by " + QuoteList(users));
  if (lines.empty()) return {};
  std::string text = lines.size() == 1 ? "" : fmt::format("{} problems:\n", lines.size());
  for (size_t i = 0; i < std::min(lines.size(), kMaxLines); ++i) text += (i ? "\n" : "") + lines[i];
  if (lines.size() > kMaxLines) text += fmt::format("\n... and {} more", lines.size() - kMaxLines);
  return Status(ErrorKind::kUser, text);
}

}  // namespace tamis
