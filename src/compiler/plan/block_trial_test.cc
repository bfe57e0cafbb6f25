#include "src/compiler/plan/block_trial.h"

#include <gtest/gtest.h>

#include "src/kernels/problem.h"
#include "src/ops/op_def.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

constexpr double kMicro = 1e-6;
// Kernels that run by rows.
const std::string kConv = Cpu().isa == Isa::kAvx512 ? "conv_f32_avx512" : "conv_f32_avx2";
const std::string kDepthwise = Cpu().isa == Isa::kAvx512 ? "depthwise_avx512" : "depthwise_avx2";

// Three layers in a row: expand, filters, project.
Graph Layers() {
  Graph graph;
  graph.opsets[""] = 17;
  ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {1, 8, 8, 16}));
  graph.inputs = {x};
  const auto conv = [&](Dims weight, int64_t group, int64_t pad, const std::string& name) {
    Tensor elements(DType::kFloat32, weight);
    for (float& w : elements.Span<float>()) w = 0.25f;
    Node node;
    node.op = "ChannelsLastConv";
    node.domain = std::string(kTamisDomain);
    node.inputs = {x, graph.AddConstant(name + ".weight", std::move(elements))};
    node.outputs = {graph.AddValue(name)};
    node.attributes = {{"group", group},
                       {"strides", std::vector<int64_t>{1, 1}},
                       {"dilations", std::vector<int64_t>{1, 1}},
                       {"pads", std::vector<int64_t>{pad, pad, pad, pad}},
                       {"output_dtype", static_cast<int64_t>(DType::kFloat32)}};
    const NodeId id = graph.AddNode(std::move(node));
    const Status status = InferNode(graph, id);
    EXPECT_TRUE(status.ok()) << status.message();
    x = graph.node(id).outputs[0];
  };
  conv({32, 1, 1, 16}, 1, 0, "expand");
  conv({32, 3, 3, 1}, 32, 1, "filters");
  conv({16, 1, 1, 32}, 1, 0, "project");
  graph.outputs = {x};
  return graph;
}

// The trial with times that the cache knows, so that nothing is measured.
class BlockTrial : public ::testing::Test {
 protected:
  BlockTrial() : graph_(Layers()), concrete_(Specialize(graph_, {{1, 8, 8, 16}}).value()), tuner_({}) {
    point_.nodes = {{"expand", kConv, 100 * kMicro, {{kConv, 100 * kMicro, ""}}},
                    {"filters", kDepthwise, 100 * kMicro, {{kDepthwise, 100 * kMicro, ""}}},
                    {"project", kConv, 100 * kMicro, {{kConv, 100 * kMicro, ""}}}};
  }
  void SetUp() override {
    if (Cpu().isa == Isa::kX86_64) GTEST_SKIP() << "the kernels need AVX2";
  }
  void Record(const std::vector<std::string>& names, const std::vector<std::string>& kernels, double micros) {
    std::vector<Problem> layers;
    for (const std::string& name : names) {
      for (const NodeId id : concrete_.NodeIds()) {
        const Node& node = concrete_.node(id);
        if (NameInPlan(concrete_, node) == name) layers.push_back(MakeProblem(concrete_, node, 1).value());
      }
    }
    tuner_.RecordBlock(layers, kernels, micros * kMicro, 1);
  }
  std::vector<BlockVerdict> Choose() {
    const auto begin = [] { ADD_FAILURE() << "measures what is known"; };
    auto verdicts = ChooseBlocks(graph_, tuner_, 1, &point_, begin);
    EXPECT_TRUE(verdicts.ok()) << verdicts.status().message();
    return std::move(verdicts).value();
  }

  Graph graph_, concrete_;
  Tuner tuner_;
  PlanPoint point_;
};

TEST_F(BlockTrial, TakesTheBlocksThatLeaveLeastTime) {
  Record({"expand", "filters"}, {kConv, kDepthwise}, 170);
  Record({"filters", "project"}, {kDepthwise, kConv}, 120);
  Record({"expand", "filters", "project"}, {kConv, kDepthwise, kConv}, 250);
  const auto verdicts = Choose();
  ASSERT_EQ(verdicts.size(), 3u);
  ASSERT_EQ(point_.blocks.size(), 1u);
  EXPECT_EQ(point_.blocks[0].layers, (std::vector<std::string>{"filters", "project"}));
  EXPECT_EQ(point_.blocks[0].kernels, (std::vector<std::string>{kDepthwise, kConv}));
  EXPECT_NEAR(point_.Seconds(), 220 * kMicro, 1e-12);
  for (const BlockVerdict& verdict : verdicts) {
    EXPECT_EQ(verdict.chosen, verdict.block.layers.size() == 2 && verdict.block.layers[1] == "project");
    EXPECT_EQ(verdict.reason.find("other blocks") == std::string::npos, verdict.chosen) << verdict.reason;
  }
}

TEST_F(BlockTrial, TakesNoneThatGainLessThanTheNoise) {
  Record({"expand", "filters"}, {kConv, kDepthwise}, 199);
  Record({"filters", "project"}, {kDepthwise, kConv}, 230);
  Record({"expand", "filters", "project"}, {kConv, kDepthwise, kConv}, 297);
  EXPECT_EQ(Choose().size(), 3u);
  EXPECT_TRUE(point_.blocks.empty());
  EXPECT_NEAR(point_.Seconds(), 300 * kMicro, 1e-12);
}

// The fastest kernel of a layer may be one that needs all rows at once; blocks then have the fastest that does not.
TEST_F(BlockTrial, TakesKernelsThatRunByRows) {
  NodePlan& project = point_.nodes[2];
  project.kernel = "conv_onednn";
  project.seconds = 80 * kMicro;
  project.candidates.insert(project.candidates.begin(), {"conv_onednn", 80 * kMicro, ""});
  Record({"expand", "filters"}, {kConv, kDepthwise}, 199);
  Record({"filters", "project"}, {kDepthwise, kConv}, 199);
  Record({"expand", "filters", "project"}, {kConv, kDepthwise, kConv}, 210);
  EXPECT_EQ(Choose().size(), 3u);
  ASSERT_EQ(point_.blocks.size(), 1u);
  EXPECT_EQ(point_.blocks[0].kernels[2], kConv);
  EXPECT_NEAR(point_.blocks[0].layer_seconds, 280 * kMicro, 1e-12);
}

TEST_F(BlockTrial, MeasuresWhatIsNotKnownAndKeepsIt) {
  int measurements = 0;
  const auto choose = [&] {
    const auto verdicts = ChooseBlocks(graph_, tuner_, 1, &point_, [&] { ++measurements; });
    EXPECT_TRUE(verdicts.ok());
    std::vector<std::pair<bool, double>> found;
    for (const BlockVerdict& verdict : *verdicts) found.emplace_back(verdict.chosen, verdict.block.seconds);
    return found;
  };
  const auto first = choose(), second = choose();
  EXPECT_EQ(measurements, 1);
  EXPECT_EQ(first, second);
  ASSERT_EQ(first.size(), 3u);
  for (const auto& [chosen, seconds] : first) EXPECT_GT(seconds, 0);
}

TEST_F(BlockTrial, TriesNothingWhereThatTakesLong) {
  for (NodePlan& node : point_.nodes) {
    node.seconds = 4;
    node.candidates[0].seconds = 4;
  }
  const auto verdicts = Choose();
  ASSERT_EQ(verdicts.size(), 3U);
  EXPECT_TRUE(point_.blocks.empty());
  for (const BlockVerdict& verdict : verdicts) {
    EXPECT_EQ(verdict.reason, "not measured: one run takes 12.0 s, and it would take 12 at least");
  }
}

}  // namespace
}  // namespace tamis
