#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPasses = {{"make_channels_last", MakeChannelsLast}, {"simplify_views", SimplifyViews}};
using Ints = std::vector<int64_t>;

TEST(MakeChannelsLast, ResidualBlockKeepsTwoBoundaryTransposes) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 3, 9, 8});
  ValueId y = t.Op("Relu", {t.Op("Conv", {x, t.Weight({4, 3, 3, 3}), t.Weight({4})},
                                 {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}})});
  y = t.Op("MaxPool", {y}, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{1, 1}}, {"pads", Ints{1, 1, 1, 1}}});
  const ValueId z =
      t.Op("Conv", {y, t.Weight({4, 1, 3, 3})}, {{"group", int64_t{4}}, {"auto_pad", std::string("SAME_UPPER")}});
  y = t.Op("Add", {t.Op("Mul", {t.Weight({1, 4, 1, 1}), z}), y});
  y = t.Op("Concat", {y, t.Op("Add", {y, t.Weight({4, 1, 1})})}, {{"axis", int64_t{1}}});
  y = t.Op("Pad", {y, t.Ints({0, 1, 0, 2, 0, 0, 1, 0})});
  y = t.Op("AveragePool", {y}, {{"kernel_shape", Ints{2, 2}}, {"count_include_pad", int64_t{1}}});
  t.Output(y);
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 3, 9, 8}, 1)}});
  auto counts = CountOps(after);
  EXPECT_EQ(counts["Transpose"], 2);
  EXPECT_EQ(counts["tamis.ChannelsLastConv"], 2);
  EXPECT_EQ(counts["tamis.ChannelsLastMaxPool"], 1);
  EXPECT_EQ(counts["tamis.ChannelsLastAveragePool"], 1);
  EXPECT_EQ(counts["Conv"] + counts["MaxPool"] + counts["AveragePool"], 0);
}

TEST(MakeChannelsLast, WeightsKnowTheirOrigin) {
  TestGraph t;
  const ValueId x = t.Input("x", {1, 3, 5, 5});
  const ValueId w = t.Weight({3, 3, 3, 3});
  const std::string name = t.graph.value(w).name;
  t.Output(t.Op("Conv", {t.Op("Conv", {x, w}), w}));
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({1, 3, 5, 5}, 2)}});
  std::vector<ValueId> weights;
  for (NodeId id : after.NodeIds()) {
    if (after.node(id).IsTamis("ChannelsLastConv")) weights.push_back(after.node(id).inputs[1]);
  }
  ASSERT_EQ(weights.size(), 2u);
  EXPECT_EQ(weights[0], weights[1]);
  ASSERT_TRUE(after.value(weights[0]).origin.has_value());
  EXPECT_EQ(after.value(weights[0]).origin->initializer, name);
  EXPECT_EQ(after.value(weights[0]).origin->transform, WeightTransform::kOihwToOhwi);
}

TEST(MakeChannelsLast, HeadsNeedNoTransposeBack) {
  for (int variant = 0; variant < 4; ++variant) {
    SCOPED_TRACE(variant);
    TestGraph t;
    const Dim n = Dim::Symbol("n");
    ValueId y = t.Op("Conv", {t.Input("x", {n, 3, 6, 6}), t.Weight({5, 3, 3, 3})});
    if (variant == 0) y = t.Op("Flatten", {t.Op("GlobalAveragePool", {y})});
    if (variant == 1) y = t.Op("ReduceMean", {y}, {{"axes", Ints{2, 3}}, {"keepdims", int64_t{0}}});
    if (variant == 2) y = t.Op("Squeeze", {t.Op("ReduceMean", {y}, {{"axes", Ints{-1, -2}}}), t.Ints({2, 3})});
    if (variant == 3) y = t.Op("Reshape", {t.Op("GlobalAveragePool", {y}), t.Ints({-1, 5})});
    t.Output(t.Op("Gemm", {y, t.Weight({5, 7})}));
    const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 3, 6, 6}, 3)}});
    auto counts = CountOps(after);
    EXPECT_EQ(counts["Transpose"], 1);
    EXPECT_EQ(counts["Reshape"], 0);
    EXPECT_EQ(counts["tamis.ChannelsLastGlobalAveragePool"], 1);
  }
}

TEST(MakeChannelsLast, SqueezeAndExcite) {
  TestGraph t;
  const ValueId x = t.Op("Conv", {t.Input("x", {Dim::Symbol("n"), 3, 6, 6}), t.Weight({8, 3, 3, 3})});
  ValueId gate = t.Op("Relu", {t.Op("Conv", {t.Op("GlobalAveragePool", {x}), t.Weight({2, 8, 1, 1}), t.Weight({2})})});
  gate = t.Op("HardSigmoid", {t.Op("Conv", {gate, t.Weight({8, 2, 1, 1})})});
  t.Output(t.Op("Mul", {x, gate}));
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 3, 6, 6}, 4)}});
  EXPECT_EQ(CountOps(after)["Transpose"], 2);
}

TEST(MakeChannelsLast, PatchEmbeddingBecomesAReshape) {
  TestGraph t;
  const Dim n = Dim::Symbol("n");
  ValueId y = t.Op("Conv", {t.Input("x", {n, 3, 8, 8}), t.Weight({6, 3, 4, 4})}, {{"strides", Ints{4, 4}}});
  y = t.Op("Transpose", {t.Op("Reshape", {y, t.Ints({0, 6, 4})})}, {{"perm", Ints{0, 2, 1}}});
  t.Output(y);
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 3, 8, 8}, 5)}});
  EXPECT_EQ(CountOps(after),
            (std::map<std::string, int>{{"Transpose", 1}, {"tamis.ChannelsLastConv", 1}, {"Reshape", 1}}));
}

TEST(MakeChannelsLast, LoneBatchNormAndOneDimension) {
  TestGraph t;
  ValueId y = t.Input("x", {Dim::Symbol("n"), 4, 16});
  y = t.Op("BatchNormalization", {y, t.Weight({4}), t.Weight({4}), t.Weight({4}), t.Weight({4}, 0.5f, 2)});
  t.Output(t.Op("Conv", {t.Op("Relu", {y}), t.Weight({5, 4, 3})}, {{"pads", Ints{2, 0}}}));
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 4, 16}, 6)}});
  auto counts = CountOps(after);
  EXPECT_EQ(counts["Transpose"], 2);
  EXPECT_EQ(counts["BatchNormalization"], 0);
}

TEST(MakeChannelsLast, LeavesConvolutionsWhosePadsAreNotKnown) {
  TestGraph t;
  const ValueId x = t.Input("x", {1, 3, Dim::Symbol("h"), 8});
  t.Output(
      t.Op("Conv", {x, t.Weight({2, 3, 3, 3})}, {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}));
  t.Output(t.Op("Conv", {x, t.Input("w", {2, 3, 3, 3})}));
  const Feeds feeds = {{"x", RandomTensor({1, 3, 8, 8}, 7)}, {"w", RandomTensor({2, 3, 3, 3}, 8)}};
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPasses, feeds))["Conv"], 2);
}

// The decoder of a U-Net: enlarged by a transposed convolution and by Resize, joined with what came before.
TEST(MakeChannelsLast, TransposedConvolutionsAndResizesStayInside) {
  for (bool by_sizes : {false, true}) {
    TestGraph t;
    const Dim batch = by_sizes ? Dim(2) : Dim::Symbol("n");
    const ValueId x = t.Input("x", {batch, 3, 8, 6});
    const ValueId first = t.Op("Conv", {x, t.Weight({4, 3, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
    const ValueId small = t.Op("MaxPool", {first}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    const ValueId up = t.Op("ConvTranspose", {small, t.Weight({4, 5, 2, 2}), t.Weight({5})}, {{"strides", Ints{2, 2}}});
    const ValueId none = t.graph.AddConstant("none", Tensor(DType::kFloat32, {0}));
    ValueId sized = kNoValue;
    const Attributes linear = {{"mode", std::string("linear")}};
    if (by_sizes) {
      sized = t.Op("Resize", {small, kNoValue, kNoValue, t.Ints({2, 4, 8, 6})}, linear);
    } else {
      const ValueId scales = t.graph.AddConstant("scales", Tensor(DType::kFloat32, {4}));
      const float values[] = {1, 1, 2, 2};
      std::copy_n(values, 4, t.graph.value(scales).constant->Data<float>());
      sized = t.Op("Resize", {small, none, scales}, linear);
    }
    const ValueId joined = t.Op("Concat", {first, up, sized}, {{"axis", int64_t{1}}});
    t.Output(t.Op("Conv", {t.Op("Relu", {joined}), t.Weight({2, 13, 1, 1})}));
    const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 3, 8, 6}, 5)}});
    auto counts = CountOps(after);
    // The enlarging one is a product whose rows are put in order.
    EXPECT_EQ(counts["Transpose"], 3);
    EXPECT_EQ(counts["tamis.ChannelsLastConvTranspose"], 0);
    EXPECT_EQ(counts["Resize"], 1);
    EXPECT_EQ(counts["tamis.ChannelsLastConv"], 3);
  }
}

TEST(MakeChannelsLast, TilesOfUnevenKernels) {
  TestGraph t;
  const ValueId x = t.Input("x", {2, 4, 3, 5});
  const ValueId bare = t.Op("ConvTranspose", {x, t.Weight({4, 6, 2, 3})}, {{"strides", Ints{2, 3}}});
  t.Output(t.Op("ConvTranspose", {bare, t.Weight({6, 5, 3, 1}), t.Weight({5})}, {{"strides", Ints{3, 1}}}));
  t.Output(t.Op("ConvTranspose", {x, t.Weight({4, 6, 3, 3})}, {{"strides", Ints{2, 2}}}));  // tiles that overlap
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 4, 3, 5}, 10)}});
  auto counts = CountOps(after);
  EXPECT_EQ(counts["tamis.ChannelsLastConv"], 2);
  EXPECT_EQ(counts["tamis.ChannelsLastConvTranspose"], 1);
}

// In one dimension the tiles lie in order, in two one size may be unknown beside the batch.
TEST(MakeChannelsLast, TilesOfRowsAndOfUnknownSizes) {
  TestGraph t;
  const Dim n = Dim::Symbol("n"), h = Dim::Symbol("h");
  const ValueId row = t.Input("row", {n, 4, 7}), image = t.Input("image", {n, 4, h, 6});
  t.Output(t.Op("ConvTranspose", {row, t.Weight({4, 3, 5}), t.Weight({3})}, {{"strides", Ints{5}}}));
  t.Output(t.Op("ConvTranspose", {image, t.Weight({4, 3, 2, 2})}, {{"strides", Ints{2, 2}}}));
  const Graph after = RewriteAndCompare(
      t.graph, kPasses, {{"row", RandomTensor({2, 4, 7}, 11)}, {"image", RandomTensor({2, 4, 5, 6}, 12)}});
  auto counts = CountOps(after);
  EXPECT_EQ(counts["tamis.ChannelsLastConv"], 2);
  EXPECT_EQ(counts["tamis.ChannelsLastConvTranspose"], 0);
}

// As YOLO's blocks have it: one half goes through convolutions, both are joined again.
TEST(MakeChannelsLast, PartsOfChannelsNeedNoTranspose) {
  for (const bool sliced : {false, true}) {
    TestGraph t;
    const ValueId x = t.Input("x", {Dim::Symbol("n"), 3, 8, 6});
    const ValueId whole = t.Op("Relu", {t.Op("Conv", {x, t.Weight({6, 3, 1, 1})})});
    ValueId first = kNoValue, second = kNoValue;
    if (sliced) {
      first = t.Op("Slice", {whole, t.Ints({0}), t.Ints({4}), t.Ints({1})});
      second = t.Op("Slice", {whole, t.Ints({0, 4}), t.Ints({9, 6})});
    } else {
      const std::vector<ValueId> parts = t.Ops("Split", {whole, t.Ints({4, 2})}, 2, {{"axis", int64_t{1}}});
      first = parts[0];
      second = parts[1];
    }
    const ValueId deeper = t.Op("Conv", {second, t.Weight({2, 2, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
    const ValueId joined = t.Op("Concat", {first, second, deeper}, {{"axis", int64_t{1}}});
    t.Output(t.Op("Conv", {joined, t.Weight({5, 8, 1, 1})}));
    const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 3, 8, 6}, 6)}});
    auto counts = CountOps(after);
    EXPECT_EQ(counts["Transpose"], 2) << "sliced " << sliced;
    EXPECT_EQ(counts["Split"], sliced ? 0 : 1);
    EXPECT_EQ(counts["Slice"], sliced ? 2 : 0);
  }
}

// As vision transformers with convolutions inside have it: tokens become an image, are convolved, and are tokens again.
TEST(MakeChannelsLast, TokensAreAnImageWithoutTransposes) {
  TestGraph t;
  const Dim n = Dim::Symbol("n");
  const ValueId tokens = t.Input("tokens", {n, 12, 5});
  const auto turned = [&](ValueId x) { return t.Op("Transpose", {x}, {{"perm", Ints{0, 2, 1}}}); };
  const ValueId image = t.Op("Reshape", {turned(tokens), t.Ints({0, 5, 4, 3})});
  const ValueId mixed =
      t.Op("Conv", {image, t.Weight({5, 1, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}, {"group", int64_t{5}}});
  const ValueId again = turned(t.Op("Reshape", {mixed, t.Ints({0, 5, 12})}));
  t.Output(t.Op("MatMul", {t.Op("Sigmoid", {again}), t.Weight({5, 4})}));
  // A head joins what was enlarged.
  const ValueId large =
      t.Op("Resize", {image, kNoValue, kNoValue, t.Ints({1, 5, 8, 6})}, {{"mode", std::string("linear")}});
  t.Output(turned(t.Op("Reshape", {t.Op("Conv", {large, t.Weight({2, 5, 1, 1})}), t.Ints({0, 2, 48})})));
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"tokens", RandomTensor({1, 12, 5}, 9)}});
  auto counts = CountOps(after);
  EXPECT_EQ(counts["Transpose"], 0);
  EXPECT_EQ(counts["tamis.ChannelsLastConv"], 2);
  EXPECT_EQ(counts["Resize"], 1);
}

}  // namespace
}  // namespace tamis
