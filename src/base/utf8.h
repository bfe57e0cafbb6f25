// Bytes that may or may not be text.
#pragma once

#include <cstddef>
#include <string_view>

namespace tamis {

// Length of the UTF-8 sequence at the start of `text`, which is not empty; 0 if there is none (overlong forms and
// surrogates are none).
size_t Utf8Length(std::string_view text);

}  // namespace tamis
