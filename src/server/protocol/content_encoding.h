// Content-Encoding of a request body.
#pragma once

#include <string>
#include <string_view>

#include "tamis/status.h"

namespace tamis {

bool KnownContentEncoding(std::string_view encoding);  // identity, gzip, x-gzip, deflate
// The decoded body. Stops with an error as soon as it would be longer than `max_bytes`. Concatenated gzip members are
// one body; bytes behind the end are an error.
Result<std::string> DecodeContent(std::string_view encoding, std::string_view body, size_t max_bytes, bool* too_large);

}  // namespace tamis
