#include "src/compiler/plan/profile.h"

#include <gtest/gtest.h>

#include "src/ops/op_def.h"

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

TEST(MakeProfile, SequencesAndTensorsOfAnyRankAreRefusedByName) {
  Graph graph = TokenGraph();
  Type sequence;
  sequence.kind = Type::Kind::kSequence;
  sequence.element = std::make_shared<const Type>(Type::Tensor(DType::kFloat32, {Dim::Symbol("n")}));
  graph.inputs.push_back(graph.AddValue("pieces", sequence));
  graph.inputs.push_back(graph.AddValue("anything"));
  InputRanges ranges;
  ASSERT_TRUE(ParseProfile("pieces=1:2:3", &ranges).ok());
  ASSERT_TRUE(ParseProfile("anything=1x2", &ranges).ok());
  const auto profile = MakeProfile(graph, ranges);
  ASSERT_FALSE(profile.ok());
  EXPECT_EQ(profile.status().message(),
            "'anything' is a tensor of any number of dimensions, whose dimensions no profile bounds; leave it out; "
            "'pieces' is sequence(float32[n]), whose dimensions no profile bounds; leave it out");
  EXPECT_TRUE(MakeProfile(graph, {}).ok());
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

TEST(MakeProfile, ADimensionThatIsTakenForAnInputIsExplained) {
  InputRanges ranges;
  ASSERT_TRUE(ParseProfile("batch=1:4:8", &ranges).ok());
  const auto profile = MakeProfile(TokenGraph(), ranges);
  ASSERT_FALSE(profile.ok());
  EXPECT_NE(profile.status().message().find("'batch' is a dimension of 'ids', which is [batch, "), std::string::npos)
      << profile.status().message();
}

TEST(ParseProfile, TwoProfilesOfOneInputAreRefused) {
  InputRanges ranges;
  ASSERT_TRUE(ParseProfile("ids=1x16", &ranges).ok());
  EXPECT_FALSE(ParseProfile("ids=1x32", &ranges).ok());
  EXPECT_FALSE(ParseProfile("ids=1x16:1x32", &ranges).ok());
}

Result<std::vector<InputRanges>> Read(const std::vector<std::pair<std::string, std::string>>& flags) {
  ProfileFlags read;
  for (const auto& [flag, value] : flags) TAMIS_RETURN_IF_ERROR(read.Add(flag, value));
  return read.Take();
}

TEST(ProfileFlags, ANumberBeginsAProfile) {
  const auto profiles = Read({{"--profile", "1"},
                              {"--optShapes", "ids:4x16"},
                              {"--profile", "0"},
                              {"--minShapes", "ids:1x1"},
                              {"--maxShapes", "ids:1x512"},
                              {"--optShapes", "ids:1x64"}});
  ASSERT_TRUE(profiles.ok()) << profiles.status().message();
  ASSERT_EQ(profiles->size(), 2u);
  EXPECT_EQ((*profiles)[0].at("ids").max, (Dims{1, 512}));
  EXPECT_EQ((*profiles)[1].at("ids").opt, (Dims{4, 16}));
}

TEST(ProfileFlags, TheSyntaxOfOneProfileStays) {
  const auto profiles = Read({{"--profile", "ids=1x16:1x128:32x128"}, {"--profile", "mask=1x1"}});
  ASSERT_TRUE(profiles.ok()) << profiles.status().message();
  ASSERT_EQ(profiles->size(), 1u);
  EXPECT_EQ((*profiles)[0].size(), 2u);
  EXPECT_TRUE(Read({})->empty());
}

TEST(ProfileFlags, SaysWhatIsWrong) {
  const auto error = [](const auto& flags) { return Read(flags).status().message(); };
  using Flags = std::vector<std::pair<std::string, std::string>>;
  EXPECT_NE(error(Flags{{"--profile", "0"}, {"--profile", "0"}}).find("given twice"), std::string::npos);
  EXPECT_NE(error(Flags{{"--profile", "-1"}}).find("numbered from 0"), std::string::npos);
  EXPECT_NE(error(Flags{{"--profile", "2"}}).find("says nothing"), std::string::npos);
  EXPECT_NE(error(Flags{{"--optShapes", "a:1"}, {"--optShapes", "b:1"}}).find("--profile 1"), std::string::npos);
}

// `input` of this shape and a constant through one operator, shapes inferred.
Graph OneNode(const char* op, Shape input, Dims constant) {
  Graph graph;
  graph.opsets[""] = 17;
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, std::move(input)));
  graph.inputs.push_back(x);
  Node node;
  node.op = op;
  node.inputs = {x, graph.AddConstant("c", Tensor(DType::kFloat32, std::move(constant)))};
  node.outputs = {graph.AddValue("y")};
  graph.outputs = node.outputs;
  graph.AddNode(std::move(node));
  EXPECT_TRUE(InferShapes(graph).ok());
  return graph;
}

TEST(MakeProfile, AssumesSizesThatTheNetworkTakes) {
  const Dim n = Dim::Symbol("n"), s = Dim::Symbol("s"), h = Dim::Symbol("h"), w = Dim::Symbol("w");
  const auto range = [](const Graph& graph, const char* symbol) {
    const DimRange found = MakeProfile(graph, {})->at(symbol);
    return Dims{found.min, found.opt, found.max};
  };
  EXPECT_EQ(range(OneNode("Add", {n, s}, {1}), "s"), (Dims{16, 128, 128}));
  EXPECT_EQ(range(OneNode("Add", {n, s}, {1}), "n"), (Dims{1, 1, kMaxBatchOfCpu}));
  EXPECT_EQ(MakeProfile(OneNode("Add", {n, s}, {1}), {}, {.max_batch = kMaxBatchOfGpu})->at("n").max, kMaxBatchOfGpu);
  EXPECT_EQ(range(OneNode("Add", {n, s}, {64}), "s"), (Dims{16, 64, 64}));
  // Sound: a window of 400 samples.
  EXPECT_EQ(range(OneNode("Conv", {n, Dim(1), s}, {2, 1, 400}), "s"), (Dims{512, 512, 512}));
  EXPECT_EQ(range(OneNode("Add", {n, Dim(3), h, w}, {32, 32}), "h"), (Dims{32, 32, 32}));
  EXPECT_EQ(range(OneNode("Add", {n, s}, {77}), "s"), (Dims{1, 1, 1}));  // broadcast
  // Nothing is found: the usual size, for which the error will be told.
  EXPECT_EQ(range(OneNode("Conv", {n, Dim(1), s}, {2, 1, 99999}), "s"), (Dims{16, 128, 128}));
  // What the user gave stays.
  InputRanges ranges;
  ASSERT_TRUE(ParseProfile("x=1x70", &ranges).ok());
  EXPECT_EQ(MakeProfile(OneNode("Add", {n, s}, {64}), ranges)->at("s").opt, 70);
}

TEST(MakeProfile, OnlyWhatTheUserSaidBindsRequests) {
  InputRanges ranges;
  const auto open = MakeProfile(TokenGraph(), ranges);
  ASSERT_TRUE(open.ok());
  EXPECT_FALSE(open->at("batch").bounded);
  ASSERT_TRUE(ParseProfile("ids=1x16:1x128:32x256", &ranges).ok());
  EXPECT_TRUE(MakeProfile(TokenGraph(), ranges)->at("batch").bounded);
}

}  // namespace
}  // namespace tamis
