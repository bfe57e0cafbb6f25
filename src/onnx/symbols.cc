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

std::string_view Mark(Symbols::Of of) {
  return of == Symbols::Of::kModelInput ? "" : "?";
}

}  // namespace

Dim Symbols::FromParam(const std::string& param, Of of) {
  std::string& name = by_param_[param];
  // Files that were written from a graph have the mark already.
  const std::string_view plain(param.data(), param.size() - (param.ends_with('?') ? 1 : 0));
  if (name.empty()) name = taken_.Unique(Sanitize(std::string(plain))) + std::string(Mark(of));
  return Dim::Symbol(name);
}

Dim Symbols::Fresh(const std::string& value_name, int axis, Of of) {
  const std::string name = taken_.Unique(Sanitize(value_name) + "_dim" + std::to_string(axis));
  return Dim::Symbol(name + std::string(Mark(of)));
}

}  // namespace tamis
