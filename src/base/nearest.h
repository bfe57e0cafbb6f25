// What somebody probably meant.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tamis {

// Of `known` the word with the fewest typing errors (a character added, missing or wrong, two exchanged) between it and
// `word`; none if that is more than a third of it.
std::optional<std::string> Nearest(std::string_view word, std::span<const std::string> known);

}  // namespace tamis
