#include "src/compiler/optimize/optimize_coverage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

namespace tamis {
namespace {

ValueRecord Record(const std::string& name, bool input, double growth) {
  ValueRecord record;
  record.name = name;
  record.input = input;
  record.samples = 64;
  record.low = -1;
  record.high = 2;
  record.growth = growth;
  record.bins.assign(ValueRecord::kBins, 3);
  return record;
}

TEST(CoverageHtmlTest, InputsComeFirstAndThenWhatWidenedMost) {
  const std::vector<ValueRecord> records = {Record("settled", false, 0.01), Record("wide", false, 0.4),
                                            Record("x<1>", true, 0)};
  const std::string html = CoverageHtml("ranges have settled", records);
  EXPECT_NE(html.find("<p>ranges have settled</p>"), std::string::npos) << html;
  const size_t input = html.find("x&lt;1&gt;, input"), wide = html.find(">wide<"), settled = html.find(">settled<");
  ASSERT_NE(input, std::string::npos) << html;
  ASSERT_NE(settled, std::string::npos) << html;
  EXPECT_LT(input, wide);
  EXPECT_LT(wide, settled);
  EXPECT_NE(html.find("class=\"no\">40.0"), std::string::npos) << html;
  EXPECT_NE(html.find("class=\"yes\">1.0"), std::string::npos) << html;
  EXPECT_EQ(html.find("more, all of them"), std::string::npos);
}

TEST(CoverageHtmlTest, LongTablesSayWhatTheyLeaveOut) {
  std::vector<ValueRecord> records;
  for (int i = 0; i < 100; ++i) records.push_back(Record(fmt::format("v{}", i), false, i / 100.0));
  const std::string html = CoverageHtml("", records);
  EXPECT_NE(html.find("40 more, all of them widened less"), std::string::npos);
  EXPECT_EQ(html.find(">v39<"), std::string::npos);
}

TEST(CoverageHtmlTest, NothingRecordedIsSaid) {
  EXPECT_NE(CoverageHtml("", {}).find("keeps no record"), std::string::npos);
}

}  // namespace
}  // namespace tamis
