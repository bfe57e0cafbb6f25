#include "src/compiler/optimize/optimize_candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "src/compiler/prune/prune_test_graphs.h"

namespace tamis {
namespace {

constexpr int64_t kWidth = 32;

class OutlineTest : public testing::Test {
 protected:
  OutlineTest() : random_(11) {
    GraphPair graphs;
    graphs.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(kWidth)});
    for (const auto& [from, to] : {std::pair("x", "a"), std::pair("a", "b"), std::pair("b", "c")}) {
      AddDense(graphs, from, to, RandomTensor({kWidth, kWidth}, random_), true, random_);
    }
    graphs.simplified.outputs = {ValueNamed(graphs.simplified, "c")};
    EXPECT_TRUE(InferShapes(graphs.simplified).ok());
    network_.file = "three.onnx";
    network_.hash = "three";
    network_.graph = std::move(graphs.simplified);
    auto made = Candidates::Make(network_, {{{"x", RandomTensor({16, kWidth}, random_)}}}, PruneOptions{},
                                 QuantizeOptions{}, std::make_shared<ThreadPool>(1));
    EXPECT_TRUE(made.ok()) << made.status().message();
    if (made.ok()) candidates_ = std::move(made).value();
  }
  const Tensor& Weight(const Graph& graph, const std::string& name) {
    const ValueId id = ValueNamed(graph, name);
    EXPECT_NE(id, kNoValue) << name;
    EXPECT_TRUE(graph.value(id).constant) << name;
    return *graph.value(id).constant;
  }

  std::mt19937 random_;
  Network network_;
  std::unique_ptr<Candidates> candidates_;
};

// The positions that an output keeps, with a check that what is kept is as it was and is two of every four.
std::vector<int64_t> Kept(const Tensor& before, const Tensor& after, int64_t output) {
  std::vector<int64_t> kept;
  for (int64_t group = 0; group < kWidth; group += 4) {
    int count = 0;
    for (int64_t k = group; k < group + 4; ++k) {
      const float value = after.Data<float>()[k * kWidth + output];
      if (value == 0) continue;
      EXPECT_EQ(value, before.Data<float>()[k * kWidth + output]);
      kept.push_back(k);
      ++count;
    }
    EXPECT_EQ(count, 2);
  }
  return kept;
}

TEST_F(OutlineTest, HasEveryLayersPatternByMagnitude) {
  ASSERT_NE(candidates_, nullptr);
  const Assignment assignment = {{"a.weight", {LayerPattern::kTwoFour, LayerType::kFull}},
                                 {"b.weight", {LayerPattern::kPaired, LayerType::kFull}}};
  const auto outline = candidates_->Outline(assignment);
  ASSERT_TRUE(outline.ok()) << outline.status().message();
  const Tensor &a = Weight(network_.graph, "a.weight"), &ours = Weight(*outline, "a.weight");
  for (int64_t output = 0; output < kWidth; ++output) {
    const std::vector<int64_t> kept = Kept(a, ours, output);
    for (int64_t k = 0; k < kWidth; ++k) {
      if (std::find(kept.begin(), kept.end(), k) != kept.end()) continue;
      for (const int64_t other : kept) {  // of its group: both are at least as large
        if (other / 4 != k / 4) continue;
        EXPECT_GE(std::fabs(a.Data<float>()[other * kWidth + output]), std::fabs(a.Data<float>()[k * kWidth + output]));
      }
    }
  }
  // Outputs keep the same positions two by two.
  std::vector<std::vector<int64_t>> masks;
  for (int64_t output = 0; output < kWidth; ++output) {
    masks.push_back(Kept(Weight(network_.graph, "b.weight"), Weight(*outline, "b.weight"), output));
  }
  std::sort(masks.begin(), masks.end());
  for (size_t i = 0; i < masks.size(); i += 2) EXPECT_EQ(masks[i], masks[i + 1]) << i;
  // What the assignment doesn't name, and the network itself, are as they were.
  const Tensor &c = Weight(network_.graph, "c.weight"), &c_outline = Weight(*outline, "c.weight");
  EXPECT_TRUE(std::equal(c.Span<float>().begin(), c.Span<float>().end(), c_outline.Span<float>().begin()));
  EXPECT_EQ(std::count(a.Span<float>().begin(), a.Span<float>().end(), 0.0F), 0);
}

TEST_F(OutlineTest, GivesInt8LayersCodes) {
  ASSERT_NE(candidates_, nullptr);
  const auto count = [](const Graph& graph) {
    const std::vector<NodeId> nodes = graph.NodeIds();
    return std::count_if(nodes.begin(), nodes.end(),
                         [&](NodeId id) { return graph.node(id).op == "DequantizeLinear"; });
  };
  const auto float_only = candidates_->Outline({{"a.weight", {LayerPattern::kTwoFour, LayerType::kFull}}});
  ASSERT_TRUE(float_only.ok());
  EXPECT_EQ(count(*float_only), 0);
  const auto both = candidates_->Outline({{"b.weight", {LayerPattern::kTwoFour, LayerType::kInt8}}});
  ASSERT_TRUE(both.ok()) << both.status().message();
  EXPECT_GE(count(*both), 2);  // of the layer's input and of its weight
}

}  // namespace
}  // namespace tamis
