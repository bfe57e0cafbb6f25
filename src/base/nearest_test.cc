#include "src/base/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace tamis {
namespace {

TEST(Nearest, TypingErrorsAreForgiven) {
  const std::vector<std::string> known = {"--output", "--precision", "--profile", "--threads"};
  EXPECT_EQ(Nearest("--ouput", known), "--output");          // missing
  EXPECT_EQ(Nearest("--precisiion", known), "--precision");  // added
  EXPECT_EQ(Nearest("--thraeds", known), "--threads");       // exchanged
  EXPECT_EQ(Nearest("--profila", known), "--profile");       // wrong
}

TEST(Nearest, OtherWordsAreNotGuessedAt) {
  const std::vector<std::string> known = {"build", "bench", "gate"};
  EXPECT_EQ(Nearest("quantize", known), std::nullopt);
  EXPECT_EQ(Nearest("", known), std::nullopt);
  EXPECT_EQ(Nearest("x", known), std::nullopt);
  EXPECT_EQ(Nearest("build", {}), std::nullopt);
}

TEST(Nearest, OfSeveralTheNearest) {
  const std::vector<std::string> known = {"bunch", "bench"};
  EXPECT_EQ(Nearest("bensh", known), "bench");
}

}  // namespace
}  // namespace tamis
