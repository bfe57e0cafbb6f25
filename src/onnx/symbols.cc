#include "src/onnx/symbols.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace tamis {
namespace {

std::string Sanitize(const std::string& text) {
  constexpr size_t kMaxBytes = 80;
  constexpr std::string_view kAllowed = "_.:-#";
  std::string name = text.substr(0, kMaxBytes);
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && kAllowed.find(c) == std::string_view::npos) c = '_';
  }
  // A name that starts with a digit or '-' would read as a number.
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) || name[0] == '-') name.insert(0, "dim_");
  return name;
}

}  // namespace

std::string Symbols::Unique(std::string base) {
  std::string name = base;
  for (int i = 2; !taken_.insert(name).second; ++i) name = base + "_" + std::to_string(i);
  return name;
}

Dim Symbols::FromParam(const std::string& param) {
  std::string& name = by_param_[param];
  if (name.empty()) name = Unique(Sanitize(param));
  return Dim::Symbol(name);
}

Dim Symbols::Fresh(const std::string& value_name, int axis) {
  return Dim::Symbol(Unique(Sanitize(value_name) + "_dim" + std::to_string(axis)));
}

}  // namespace tamis
