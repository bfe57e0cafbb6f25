#pragma once

#include <string_view>

namespace tamis {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace tamis
