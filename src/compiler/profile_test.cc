#include "src/compiler/profile.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

Graph TokenGraph() {
  Graph graph;
  for (const char* name : {"ids", "mask"}) {
    graph.inputs.push_back(
        graph.AddValue(name, Type::Tensor(DType::kInt64, {Dim::Symbol("batch"), Dim::Symbol("sequence")})));
  }
  return graph;
}

TEST(ParseDims, TakesShapesAndNothingElse) {
  EXPECT_EQ(*ParseDims("1x3x224x224"), (Dims{1, 3, 224, 224}));
  for (const char* text : {"", "x", "1x", "1x-3", "a", "1x2 ", "99999999999999999999", "9999999999x9999999999"}) {
    EXPECT_FALSE(ParseDims(text).ok()) << text;
  }
}

TEST(MakeProfile, OneInputBindsTheSharedSymbols) {
  InputRanges ranges;
  ASSERT_TRUE(ParseProfile("ids=1x16:1x128:32x256", &ranges).ok());
  const auto profile = MakeProfile(TokenGraph(), ranges);
  ASSERT_TRUE(profile.ok()) << profile.status().message();
  EXPECT_EQ(profile->at("sequence").opt, 128);
  EXPECT_EQ(profile->at("batch").max, 32);
  EXPECT_EQ(TuningPoints(*profile).size(), 3u);
  EXPECT_EQ(TuningPoints(*profile).front().at("sequence"), 128);
}

TEST(MakeProfile, TrtexecShapesMeanTheSame) {
  InputRanges ours, theirs;
  ASSERT_TRUE(ParseProfile("ids=1x16:1x128:32x256", &ours).ok());
  ASSERT_TRUE(ParseShapes("ids:1x16", "ids:1x128", "ids:32x256", &theirs).ok());
  EXPECT_EQ(MakeProfile(TokenGraph(), ours)->at("batch").max, MakeProfile(TokenGraph(), theirs)->at("batch").max);
}

TEST(MakeProfile, EveryContradictionIsNamed) {
  InputRanges ranges;
  ASSERT_TRUE(ParseProfile("ids=1x128:1x16:1x256", &ranges).ok());
  ASSERT_TRUE(ParseProfile("other=1x1", &ranges).ok());
  const auto profile = MakeProfile(TokenGraph(), ranges);
  ASSERT_FALSE(profile.ok());
  EXPECT_NE(profile.status().message().find("min <= opt <= max"), std::string::npos);
  EXPECT_NE(profile.status().message().find("no input 'other'"), std::string::npos);
}

TEST(ParseProfile, TwoProfilesOfOneInputAreRefused) {
  InputRanges ranges;
  ASSERT_TRUE(ParseProfile("ids=1x16", &ranges).ok());
  EXPECT_FALSE(ParseProfile("ids=1x32", &ranges).ok());
  EXPECT_FALSE(ParseProfile("ids=1x16:1x32", &ranges).ok());
}

}  // namespace
}  // namespace tamis
