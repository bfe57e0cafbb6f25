#include "src/onnx/symbols.h"

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

Dim Symbols::FromParam(const std::string& param) {
  std::string& name = by_param_[param];
  if (name.empty()) name = taken_.Unique(Sanitize(param));
  return Dim::Symbol(name);
}

Dim Symbols::Fresh(const std::string& value_name, int axis) {
  return Dim::Symbol(taken_.Unique(Sanitize(value_name) + "_dim" + std::to_string(axis)));
}

}  // namespace tamis
