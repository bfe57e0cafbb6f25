// Text inside XML 1.0.
#pragma once

#include <string>
#include <string_view>

namespace tamis {

// For element content and quoted attributes: markup and quotes as references, and so tabs and line ends, which a parser
// would otherwise make blanks of in attributes. What XML 1.0 can't hold (other control characters, bytes that are not
// UTF-8) becomes U+FFFD.
std::string XmlEscape(std::string_view text);

}  // namespace tamis
