#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Counts = std::map<std::string, int>;
using Ints = std::vector<int64_t>;

const std::vector<Pass> kPass = {{"merge_convolutions", MergeConvolutions}};

ValueId Norm(TestGraph& t, ValueId x, int64_t channels) {
  return t.Op("BatchNormalization", {x, t.Weight({channels}, 0.5f, 2), t.Weight({channels}), t.Weight({channels}),
                                     t.Weight({channels}, 0.2f, 3)});
}

// As RepVGG has it: three by three, one by one and the identity, each with its norm.
TEST(MergeConvolutions, BranchesOfOneBlock) {
  for (const int64_t group : {1, 2, 6}) {
    TestGraph t;
    const ValueId x = t.Input("x", {Dim::Symbol("n"), 6, 7, 5});
    const ValueId large = t.Op("Conv", {x, t.Weight({6, 6 / group, 3, 3}), t.Weight({6})},
                               {{"pads", Ints{1, 1, 1, 1}}, {"group", group}});
    const ValueId point = t.Op("Conv", {x, t.Weight({6, 6 / group, 1, 1})}, {{"group", group}});
    t.Output(t.Op("Relu", {t.Op("Add", {t.Op("Add", {point, large}), Norm(t, x, 6)})}));
    const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({2, 6, 7, 5}, 1)}});
    EXPECT_EQ(CountOps(after), (Counts{{"Conv", 1}, {"Relu", 1}})) << group << " groups";
  }
}

TEST(MergeConvolutions, StridesAndUnevenKernels) {
  TestGraph t;
  const ValueId x = t.Input("x", {2, 4, 9, 8});
  const ValueId wide = t.Op("Conv", {x, t.Weight({5, 4, 5, 3})}, {{"pads", Ints{2, 1, 2, 1}}, {"strides", Ints{2, 2}}});
  const ValueId high =
      t.Op("Conv", {x, t.Weight({5, 4, 3, 1}), t.Weight({5})}, {{"pads", Ints{1, 0, 1, 0}}, {"strides", Ints{2, 2}}});
  t.Output(t.Op("Add", {wide, high}));
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({2, 4, 9, 8}, 2)}});
  EXPECT_EQ(CountOps(after), (Counts{{"Conv", 1}}));
}

TEST(MergeConvolutions, KeepsWhatIsNoSumOfOneKernel) {
  TestGraph t;
  const ValueId x = t.Input("x", {2, 4, 9, 8}), z = t.Input("z", {2, 4, 9, 8});
  const auto conv = [&](ValueId from, const Dims& weight, const Ints& pads, const Ints& strides) {
    return t.Op("Conv", {from, t.Weight(weight)}, {{"pads", pads}, {"strides", strides}});
  };
  const Ints none = {0, 0, 0, 0}, around = {1, 1, 1, 1}, one = {1, 1};
  t.Output(t.Op("Add", {conv(x, {4, 4, 1, 1}, none, one), conv(z, {4, 4, 1, 1}, none, one)}));  // two operands
  t.Output(t.Op("Add", {conv(x, {4, 4, 3, 1}, {1, 0, 1, 0}, one), conv(x, {4, 4, 1, 3}, {0, 1, 0, 1}, one)}));
  const ValueId read = conv(x, {4, 4, 3, 3}, around, one);  // by two
  t.Output(t.Op("Add", {read, conv(x, {4, 4, 1, 1}, none, one)}));
  t.Output(t.Op("Relu", {read}));
  ValueId pruned = t.Weight({4, 4, 3, 3});
  for (int64_t i = 0; i < 144; i += 2) t.graph.value(pruned).constant->Data<float>()[i] = 0;
  t.Output(t.Op("Add", {t.Op("Conv", {x, pruned}, {{"pads", around}}), conv(x, {4, 4, 1, 1}, none, one)}));
  const Graph after = RewriteAndCompare(
      t.graph, kPass, {{"x", RandomTensor({2, 4, 9, 8}, 3)}, {"z", RandomTensor({2, 4, 9, 8}, 4)}}, 0);
  EXPECT_EQ(CountOps(after), (Counts{{"Conv", 8}, {"Add", 4}, {"Relu", 1}}));
}

}  // namespace
}  // namespace tamis
