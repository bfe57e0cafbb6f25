#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Counts = std::map<std::string, int>;
using Ints = std::vector<int64_t>;

const std::vector<Pass> kPasses = {{"recognize_group_norm", RecognizeGroupNorm},
                                   {"make_channels_last", MakeChannelsLast},
                                   {"fuse_epilogue", FuseEpilogue}};
const Feeds kFeeds = {{"x", RandomTensor({2, 6, 5, 7}, 7)}};
Shape InputShape() {
  return {Dim::Symbol("b"), 6, 5, 7};
}

ValueId Conv(TestGraph& t, ValueId x, int64_t in, int64_t out) {
  return t.Op("Conv", {x, t.Weight({out, in, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
}

// GroupNorm(3, 6) as both exporters of torch write it, between convolutions and followed by SiLU.
TEST(RecognizeGroupNorm, ReshapedInstanceNormWithAffineAndSilu) {
  TestGraph t;
  const ValueId x = Conv(t, t.Input("x", InputShape()), 6, 6);
  const ValueId grouped = t.Op("Reshape", {x, t.Ints({0, 3, -1})});
  const ValueId ones = t.graph.AddConstant("ones", Tensor(DType::kFloat32, {3}));
  for (float& v : t.graph.value(ones).constant->Span<float>()) v = 1;
  const ValueId zeros = t.graph.AddConstant("zeros", Tensor(DType::kFloat32, {3}));
  const ValueId normal = t.Op("InstanceNormalization", {grouped, ones, zeros}, {{"epsilon", 1e-4f}});
  const ValueId back = t.Op("Reshape", {normal, t.Op("Shape", {x})});
  const ValueId y = t.Op("Add", {t.Op("Mul", {back, t.Weight({6, 1, 1})}), t.Weight({6, 1, 1})});
  t.Output(Conv(t, t.Op("Mul", {y, t.Op("Sigmoid", {y})}), 6, 4));
  const Graph after = RewriteAndCompare(t.graph, kPasses, kFeeds);
  EXPECT_EQ(CountOps(after),
            (Counts{{"tamis.ChannelsLastConv", 2}, {"tamis.ChannelsLastGroupNorm", 1}, {"Transpose", 2}}));
  for (NodeId id : after.NodeIds()) {
    if (!after.node(id).IsTamis("ChannelsLastGroupNorm")) continue;
    EXPECT_EQ(after.node(id).Int("num_groups", 0), 3);
    EXPECT_EQ(after.node(id).String("activation", ""), "Silu");
    EXPECT_FLOAT_EQ(after.node(id).Float("epsilon", 0), 1e-4f);
  }
}

TEST(RecognizeGroupNorm, InstanceNorm) {
  TestGraph t;
  const ValueId x = Conv(t, t.Input("x", InputShape()), 6, 6);
  t.Output(t.Op("Relu", {t.Op("InstanceNormalization", {x, t.Weight({6}), t.Weight({6})})}));
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPasses, kFeeds)),
            (Counts{{"tamis.ChannelsLastConv", 1}, {"tamis.ChannelsLastGroupNorm", 1}, {"Transpose", 2}}));
}

TEST(RecognizeGroupNorm, StaysWhereNoConvolutionIsNear) {
  TestGraph t;
  const ValueId x = t.Op("MatMul", {t.Input("x", InputShape()), t.Weight({7, 7})});
  const ValueId norm = t.Op("InstanceNormalization", {t.Op("Relu", {x}), t.Weight({6}), t.Weight({6})});
  const ValueId pool = t.Op("AveragePool", {norm}, {{"kernel_shape", Ints{2, 2}}});
  t.Output(t.Op("GlobalAveragePool", {t.Op("MaxPool", {pool}, {{"kernel_shape", Ints{3, 3}}})}));
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPasses, kFeeds)), (Counts{{"MatMul", 1},
                                                                           {"Relu", 1},
                                                                           {"InstanceNormalization", 1},
                                                                           {"AveragePool", 1},
                                                                           {"MaxPool", 1},
                                                                           {"GlobalAveragePool", 1}}));
}

TEST(RecognizeGroupNorm, GroupNormalizationOfBothOpsets) {
  for (int64_t opset : {18, 21}) {
    TestGraph t(opset);
    const int64_t parameters = opset == 18 ? 3 : 6;
    const ValueId x = t.Input("x", InputShape());
    const ValueId norm =
        t.Op("GroupNormalization", {x, t.Weight({parameters}), t.Weight({parameters})}, {{"num_groups", int64_t{3}}});
    t.Output(Conv(t, norm, 6, 2));
    EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPasses, kFeeds)),
              (Counts{{"tamis.ChannelsLastConv", 1}, {"tamis.ChannelsLastGroupNorm", 1}, {"Transpose", 2}}))
        << "opset " << opset;
  }
}

TEST(RecognizeGroupNorm, ComputedParametersStay) {
  TestGraph t;
  t.Output(t.Op("InstanceNormalization", {t.Input("x", InputShape()), t.Input("s", {6}), t.Weight({6})}));
  Feeds feeds = kFeeds;
  feeds["s"] = RandomTensor({6}, 8);
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPasses, feeds)), (Counts{{"InstanceNormalization", 1}}));
}

}  // namespace
}  // namespace tamis
