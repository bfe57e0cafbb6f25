#include "src/compiler/samples/labels.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

TEST(Labels, SamplesAreCalledByTheirNumbersInTheData) {
  const std::vector<int64_t> labels = {0, 3, 1, -1}, samples = {10, 20, 30, 40};
  const Status all = CheckLabels(labels, 3, "scores", {});
  ASSERT_FALSE(all.ok());
  EXPECT_NE(all.message().find("2 of 4 labels are no class of output 'scores'"), std::string::npos) << all.message();
  EXPECT_NE(all.message().find("sample 1 has 3, sample 3 has -1"), std::string::npos) << all.message();
  const Status drawn = CheckLabels(labels, 3, "scores", {}, samples);
  ASSERT_FALSE(drawn.ok());
  EXPECT_NE(drawn.message().find("sample 20 has 3, sample 40 has -1"), std::string::npos) << drawn.message();
  EXPECT_TRUE(CheckLabels(labels, 4, "scores", {}).message().find("1 of 4 labels") != std::string::npos);
}

}  // namespace
}  // namespace tamis
