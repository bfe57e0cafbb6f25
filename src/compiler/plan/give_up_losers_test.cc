#include "src/compiler/plan/give_up_losers.h"

#include <gtest/gtest.h>

#include "src/compiler/plan/plan_pair.h"
#include "src/kernels/problem.h"
#include "src/ops/op_def.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// Two products in a row with 2:4 weights.
Graph Products() {
  Graph graph;
  graph.opsets[""] = 17;
  ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {16, 64}));
  graph.inputs = {x};
  for (const char* name : {"first", "second"}) {
    Tensor weight(DType::kFloat32, {64, 64});
    for (int64_t i = 0; i < weight.NumElements(); ++i) weight.Data<float>()[i] = i % 4 < 2 ? 0.5f : 0.0f;
    const ValueId constant = graph.AddConstant(std::string(name) + ".weight", std::move(weight));
    graph.value(constant).pattern = Pattern::kTwoFour;
    Node node;
    node.op = "Linear";
    node.domain = std::string(kTamisDomain);
    node.inputs = {x, constant};
    node.outputs = {graph.AddValue(name)};
    node.attributes = {{"output_dtype", static_cast<int64_t>(DType::kFloat32)}};
    const NodeId id = graph.AddNode(std::move(node));
    const Status status = InferNode(graph, id);
    EXPECT_TRUE(status.ok()) << status.message();
    x = graph.node(id).outputs[0];
  }
  graph.outputs = {x};
  return graph;
}

// A plan that computes both by the reference kernel for 2:4 weights, which loses to any kernel for dense ones that is
// written with vectors.
class GiveUp : public ::testing::Test {
 protected:
  GiveUp() : graph_(Products()), tuner_({}) {}
  void SetUp() override {
    if (Cpu().isa == Isa::kX86_64) GTEST_SKIP() << "the reference is the only kernel";
    const auto concrete = Specialize(graph_, {{16, 64}});
    ASSERT_TRUE(concrete.ok()) << concrete.status().message();
    const auto tuned = tuner_.Tune(std::span(&*concrete, 1));
    ASSERT_TRUE(tuned.ok()) << tuned.status().message();
    for (const TunedNode& node : tuned->front()) {
      NodePlan& plan = point_.nodes.emplace_back();
      plan.node = node.node;
      for (const TimedKernel& timed : node.candidates) {
        plan.candidates.push_back({timed.kernel, timed.seconds, timed.reason});
      }
      plan.kernel = kSlow;
    }
    ASSERT_EQ(point_.nodes.size(), 2u);
  }
  std::vector<GivenUp> Look(PlanPoint* point, int* measurements) {
    auto given_up = GiveUpLosers(graph_, tuner_, 1, point, [&] { ++*measurements; });
    EXPECT_TRUE(given_up.ok()) << given_up.status().message();
    return std::move(given_up).value();
  }

  static constexpr const char* kSlow = "gemm24_reference";
  Graph graph_;
  Tuner tuner_;
  PlanPoint point_;
};

TEST_F(GiveUp, KernelsThatLoseInTheirPlace) {
  PlanPoint again = point_;
  int measurements = 0;
  const auto given_up = Look(&point_, &measurements);
  EXPECT_EQ(measurements, 1);
  ASSERT_EQ(given_up.size(), 2u);
  for (const GivenUp& loser : given_up) {
    EXPECT_FALSE(loser.block);
    EXPECT_GE(loser.ratio, 1);
  }
  for (const NodePlan& node : point_.nodes) EXPECT_NE(node.kernel, kSlow);

  // The tuner remembers, for this very plan only.
  const auto known = Look(&again, &measurements);
  EXPECT_EQ(measurements, 1);
  ASSERT_EQ(known.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(known[i].node, given_up[i].node);
    EXPECT_EQ(again.nodes[i].kernel, point_.nodes[i].kernel);
  }
  // What is left is the dense plan: there is nothing to look at.
  EXPECT_TRUE(Look(&again, &measurements).empty());
  EXPECT_EQ(measurements, 1);
}

TEST_F(GiveUp, PairsCompareEveryLayerWithItsDenseKernel) {
  point_.nodes[1].kernel.clear();  // the cost model's choice
  const auto pair = MakePlanPair(graph_, point_, graph_, tuner_, 1);
  ASSERT_TRUE(pair.ok()) << pair.status().message();
  ASSERT_NE(*pair, nullptr);
  ThreadPool pool(1);
  const auto layers = CompareLayers(**pair, pool, {.seconds = 0, .least = 4, .most = 4});
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  ASSERT_GE(layers->differing.size(), 1u);
  EXPECT_EQ(layers->differing[0].node, point_.nodes[0].node);
  EXPECT_EQ(layers->differing[0].chosen_kernel, kSlow);
  EXPECT_NE(layers->differing[0].dense_kernel, kSlow);
  EXPECT_EQ(layers->differing.size() + static_cast<size_t>(layers->same.count), 2u);
}

}  // namespace
}  // namespace tamis
