#include "src/base/xml_escape.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

TEST(XmlEscape, MarkupBecomesReferences) {
  EXPECT_EQ(XmlEscape("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;");
  EXPECT_EQ(XmlEscape("one\ntwo\tthree\r"), "one&#10;two&#9;three&#13;");
}

TEST(XmlEscape, TextStaysAndOtherBytesAreReplaced) {
  EXPECT_EQ(XmlEscape("größe ✓"), "größe ✓");
  EXPECT_EQ(XmlEscape(std::string_view("a\0b\x1b", 4)),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
  EXPECT_EQ(XmlEscape("\xff\xc3"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(XmlEscape("\xef\xbf\xbf!"), "\xef\xbf\xbd!");
}

TEST(XmlEscape, NothingStaysNothing) {
  EXPECT_EQ(XmlEscape(""), "");
}

}  // namespace
}  // namespace tamis
