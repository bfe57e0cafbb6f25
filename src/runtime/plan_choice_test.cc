#include "src/runtime/plan_choice.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

Graph TokenGraph() {
  Graph graph;
  for (const char* name : {"ids", "mask"}) {
    graph.inputs.push_back(
        graph.AddValue(name, Type::Tensor(DType::kInt64, {Dim::Symbol("batch"), Dim::Symbol("sequence"), 4})));
  }
  return graph;
}

Profile Bounded(DimRange batch, DimRange sequence) {
  batch.bounded = sequence.bounded = true;
  return {{"batch", batch}, {"sequence", sequence}};
}

Plan Measured(std::string device, int threads, Profile profile, Binding point, int variant = 0) {
  Plan plan;
  plan.device = std::move(device);
  plan.threads = threads;
  plan.profile = std::move(profile);
  plan.measured = true;
  plan.variant = variant;
  plan.points.push_back({std::move(point), {{"y", "kernel", 1, {}}}});
  return plan;
}

TEST(CheckProfiles, NamesEveryDimensionAndItsBounds) {
  const Graph graph = TokenGraph();
  const Dims dims = {9, 300, 4};
  const Status status = CheckProfiles(graph, {Bounded({1, 1, 8}, {16, 64, 128})}, {dims, dims});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.kind(), ErrorKind::kUser);
  for (const char* text : {"input 'ids', dimension 0 ('batch') is 9, outside 1 to 8",
                           "input 'ids', dimension 1 ('sequence') is 300, outside 16 to 128",
                           "input 'mask', dimension 1 ('sequence') is 300"}) {
    EXPECT_NE(status.message().find(text), std::string::npos) << status.message();
  }
}

TEST(CheckProfiles, OneOfSeveralIsEnough) {
  const Graph graph = TokenGraph();
  const std::vector<Profile> profiles = {Bounded({1, 1, 1}, {1, 64, 128}), Bounded({2, 8, 32}, {1, 16, 64})};
  const Dims second = {32, 64, 4}, neither = {32, 128, 4};
  EXPECT_TRUE(CheckProfiles(graph, profiles, {second, second}).ok());
  const Status status = CheckProfiles(graph, profiles, {neither, neither});
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("profile 0: input 'ids', dimension 0 ('batch') is 32"), std::string::npos);
  EXPECT_NE(status.message().find("profile 1: input 'ids', dimension 1 ('sequence') is 128"), std::string::npos);
}

TEST(CheckProfiles, RangesNobodyGaveBindNothing) {
  const Graph graph = TokenGraph();
  const Dims dims = {1000, 1000, 4};
  EXPECT_TRUE(CheckProfiles(graph, {{{"batch", {1, 1, 2, false}}}}, {dims, dims}).ok());
  EXPECT_TRUE(CheckProfiles(graph, {}, {dims, dims}).ok());
}

TEST(StrictestWorkspaceLimit, IsThatOfTheVariantsPlans) {
  std::vector<Plan> plans(4);
  plans[1].workspace_limit = 300, plans[2].workspace_limit = 200, plans[3].workspace_limit = 100;
  plans[3].variant = 1;
  EXPECT_EQ(StrictestWorkspaceLimit(plans, 0), 200u);
  EXPECT_EQ(StrictestWorkspaceLimit(plans, 1), 100u);
  EXPECT_EQ(StrictestWorkspaceLimit(plans, 2), 0u);
}

TEST(ChoosePlan, ByDeviceThenProfileThenThreadsThenDistance) {
  const Profile narrow = Bounded({1, 1, 4}, {1, 32, 64}), wide = Bounded({1, 8, 64}, {1, 128, 512});
  const std::vector<Plan> plans = {
      Measured("a", 2, narrow, {{"batch", 1}, {"sequence", 32}}),
      Measured("a", 2, wide, {{"batch", 8}, {"sequence", 128}}),
      Measured("b", 2, wide, {{"batch", 8}, {"sequence", 128}}),
      Measured("a", 4, narrow, {{"batch", 1}, {"sequence", 32}}),
      Measured("a", 2, narrow, {{"batch", 1}, {"sequence", 32}}, 1),
  };
  const Binding small = {{"batch", 1}, {"sequence", 30}}, large = {{"batch", 32}, {"sequence", 100}};
  EXPECT_EQ(ChoosePlan(plans, {"a", 2, 0}, small), &plans[0]);
  EXPECT_EQ(ChoosePlan(plans, {"a", 2, 0}, large), &plans[1]);
  EXPECT_EQ(ChoosePlan(plans, {"b", 2, 0}, small), &plans[2]);
  EXPECT_EQ(ChoosePlan(plans, {"a", 4, 0}, small), &plans[3]);
  EXPECT_EQ(ChoosePlan(plans, {"a", 4, 0}, large), &plans[1]);  // other threads rather than none
  EXPECT_EQ(ChoosePlan(plans, {"a", 2, 1}, small), &plans[4]);
  EXPECT_EQ(ChoosePlan(plans, {"a", 2, 1}, large), nullptr);
  EXPECT_EQ(ChoosePlan(plans, {"c", 2, 0}, small), nullptr);
  EXPECT_EQ(WishOf(plans[0], small)("y"), "kernel");
  EXPECT_EQ(WishOf(plans[0], small)("z"), "");
}

}  // namespace
}  // namespace tamis
