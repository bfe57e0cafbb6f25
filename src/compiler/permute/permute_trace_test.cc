// Networks of many kinds with every class of channels in a random order: they compute what they computed before.
#include <gtest/gtest.h>

#include "src/compiler/permute/permute_test_shuffle.h"

namespace tamis {
namespace {

ValueId Conv(TestGraph& g, ValueId x, int64_t in, int64_t out, int64_t kernel, int64_t group = 1) {
  const int64_t pad = kernel / 2;
  return g.Op("Conv", {x, g.Weight({out, in / group, kernel, kernel}), g.Weight({out})},
              {{"group", group}, {"pads", std::vector<int64_t>{pad, pad, pad, pad}}});
}

ValueId BatchNorm(TestGraph& g, ValueId x, int64_t channels) {
  return g.Op("BatchNormalization",
              {x, g.Weight({channels}), g.Weight({channels}), g.Weight({channels}), g.Weight({channels}, 0.5F, 2)});
}

ValueId Dense(TestGraph& g, ValueId x, int64_t in, int64_t out) {
  return g.Op("Add", {g.Op("MatMul", {x, g.Weight({in, out})}), g.Weight({out})});
}

TEST(PermuteTrace, ResidualNetworkWithSqueezeAndExcitation) {
  TestGraph g;
  const ValueId image = g.Input("image", {Dim::Symbol("batch"), 3, 6, 6});
  const ValueId stem = g.Op("Relu", {BatchNorm(g, Conv(g, image, 3, 8, 3), 8)});
  const ValueId inner = g.Op("PRelu", {Conv(g, stem, 8, 12, 3), g.Weight({12, 1, 1})});
  const ValueId pooled = g.Op("GlobalAveragePool", {inner});
  const ValueId scale = g.Op("Sigmoid", {Conv(g, g.Op("Relu", {Conv(g, pooled, 12, 5, 1)}), 5, 12, 1)});
  const ValueId sum = g.Op("Add", {Conv(g, g.Op("Mul", {inner, scale}), 12, 8, 3), stem});
  const ValueId wide = Conv(
      g,
      g.Op("MaxPool", {sum}, {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}}),
      8, 16, 1);
  const ValueId vector = g.Op("Flatten", {g.Op("ReduceMean", {wide}, {{"axes", std::vector<int64_t>{2, 3}}})});
  g.Output(g.Op("Gemm", {vector, g.Weight({10, 16}), g.Weight({10})}, {{"transB", int64_t{1}}}));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{5, 1}, {8, 1}, {10, 1}, {12, 1}, {16, 1}}));
}

TEST(PermuteTrace, DepthwiseAndGroupedConvolutions) {
  TestGraph g;
  const ValueId image = g.Input("image", {2, 3, 5, 5});
  const ValueId stem = g.Op("Clip", {Conv(g, image, 3, 8, 1), g.Scalar(0), g.Scalar(6)});
  const ValueId twice = Conv(g, Conv(g, stem, 8, 8, 3, 8), 8, 16, 3, 8);  // two outputs for each input
  const ValueId grouped = Conv(g, twice, 16, 12, 3, 4);                   // four groups of 4 inputs and 3 outputs
  g.Output(Conv(g, grouped, 12, 2, 1));
  // Channels 0 and 1 of the stem make the first group's four inputs, and so on; the output has two.
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{2, 5}, {3, 4}}));
}

TEST(PermuteTrace, GroupNormAndTransposedConvolution) {
  TestGraph g(21);
  const ValueId image = g.Input("image", {2, 3, 4, 4});
  const ValueId normed = g.Op("GroupNormalization", {Conv(g, image, 3, 12, 3), g.Weight({12}), g.Weight({12})},
                              {{"num_groups", int64_t{3}}});
  const ValueId up = g.Op("ConvTranspose", {normed, g.Weight({12, 6, 2, 2}), g.Weight({6})},
                          {{"strides", std::vector<int64_t>{2, 2}}});
  const ValueId instance = g.Op("InstanceNormalization", {up, g.Weight({6}), g.Weight({6})});
  g.Output(Conv(g, instance, 6, 1, 1));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{4, 3}, {6, 1}}));
}

TEST(PermuteTrace, DenselyConnectedBlocks) {
  TestGraph g;
  ValueId x = Conv(g, g.Input("image", {2, 3, 4, 4}), 3, 6, 3);
  int64_t width = 6;
  for (int layer = 0; layer < 3; ++layer) {
    const ValueId fresh = Conv(g, g.Op("Relu", {BatchNorm(g, x, width)}), width, 5, 3);
    x = g.Op("Concat", {x, fresh}, {{"axis", int64_t{1}}});
    width += 5;
  }
  g.Output(Conv(g, x, width, 1, 1));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{5, 3}, {6, 1}}));
}

TEST(PermuteTrace, ShuffledHalves) {
  TestGraph g;
  ValueId x = Conv(g, g.Input("image", {2, 3, 4, 4}), 3, 16, 1);
  for (int unit = 0; unit < 2; ++unit) {
    const auto halves = g.Ops("Split", {x}, 2, {{"axis", int64_t{1}}});
    const ValueId branch = Conv(g, Conv(g, Conv(g, halves[1], 8, 8, 1), 8, 8, 3, 8), 8, 8, 1);
    const ValueId joined = g.Op("Concat", {halves[0], branch}, {{"axis", int64_t{1}}});
    const ValueId cut = g.Op("Reshape", {joined, g.Ints({2, 2, 8, 4, 4})});
    x = g.Op("Reshape",
             {g.Op("Transpose", {cut}, {{"perm", std::vector<int64_t>{0, 2, 1, 3, 4}}}), g.Ints({2, 16, 4, 4})});
  }
  g.Output(Conv(g, x, 16, 1, 1));
  // Whole: what goes into a branch, what is inside one, and what the last one makes. What passes by or is made before
  // another unit is cut in two there.
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{4, 4}, {8, 4}}));
}

TEST(PermuteTrace, FlattenedImageBeforeAProduct) {
  TestGraph g;
  const ValueId conv = Conv(g, g.Input("image", {Dim::Symbol("batch"), 3, 4, 4}), 3, 8, 3);
  const ValueId rows = g.Op("Flatten", {conv});
  const ValueId last =
      g.Op("Reshape", {g.Op("Transpose", {conv}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}}), g.Ints({0, 128})});
  g.Output(g.Op("Add", {Dense(g, rows, 128, 4), Dense(g, last, 128, 4)}));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{4, 1}, {8, 1}}));
}

// One head of exporters' spellings: q, k and v from one product, cut by Split or by a lookup.
ValueId FusedAttention(TestGraph& g, ValueId x, int64_t width, int64_t heads, bool by_split) {
  const int64_t head = width / heads;
  const ValueId qkv = Dense(g, x, width, 3 * width);
  ValueId parts[3];
  if (by_split) {
    const auto split = g.Ops("Split", {qkv, g.Ints({width, width, width})}, 3, {{"axis", int64_t{2}}});
    for (int i = 0; i < 3; ++i) {
      const ValueId cut = g.Op("Reshape", {split[static_cast<size_t>(i)], g.Ints({0, 0, heads, head})});
      parts[i] = g.Op("Transpose", {cut}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    }
  } else {
    const ValueId cut = g.Op("Reshape", {qkv, g.Ints({0, 0, 3, heads, head})});
    const ValueId turned = g.Op("Transpose", {cut}, {{"perm", std::vector<int64_t>{2, 0, 3, 1, 4}}});
    for (int64_t i = 0; i < 3; ++i) parts[i] = g.Op("Gather", {turned, g.Index(i)}, {{"axis", int64_t{0}}});
  }
  const ValueId keys = g.Op("Transpose", {parts[1]}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  const ValueId scores =
      g.Op("Softmax", {g.Op("Mul", {g.Op("MatMul", {parts[0], keys}), g.Scalar(0.5F)})}, {{"axis", int64_t{-1}}});
  const ValueId mixed =
      g.Op("Transpose", {g.Op("MatMul", {scores, parts[2]})}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  return Dense(g, g.Op("Reshape", {mixed, g.Ints({0, 0, width})}), width, width);
}

ValueId LayerNormInParts(TestGraph& g, ValueId x, int64_t width) {
  const Attributes last = {{"axes", std::vector<int64_t>{-1}}};
  const ValueId centred = g.Op("Sub", {x, g.Op("ReduceMean", {x}, last)});
  const ValueId variance = g.Op("ReduceMean", {g.Op("Pow", {centred, g.Scalar(2)})}, last);
  const ValueId unit = g.Op("Div", {centred, g.Op("Sqrt", {g.Op("Add", {variance, g.Scalar(1e-5F)})})});
  return g.Op("Add", {g.Op("Mul", {unit, g.Weight({width})}), g.Weight({width})});
}

TEST(PermuteTrace, VisionTransformer) {
  for (const bool by_split : {false, true}) {
    SCOPED_TRACE(by_split);
    TestGraph g;
    const ValueId image = g.Input("image", {Dim::Symbol("batch"), 3, 4, 4});
    const ValueId patches =
        g.Op("Conv", {image, g.Weight({12, 3, 2, 2}), g.Weight({12})}, {{"strides", std::vector<int64_t>{2, 2}}});
    const ValueId tokens =
        g.Op("Transpose", {g.Op("Reshape", {patches, g.Ints({0, 12, -1})})}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
    const ValueId batch = g.Op("Slice", {g.Op("Shape", {image}), g.Ints({0}), g.Ints({1})});
    const ValueId shape = g.Op("Concat", {batch, g.Ints({1, 12})}, {{"axis", int64_t{0}}});
    const ValueId token = g.Op("Expand", {g.Weight({1, 1, 12}), shape});
    ValueId x = g.Op("Add", {g.Op("Concat", {token, tokens}, {{"axis", int64_t{1}}}), g.Weight({1, 5, 12})});
    x = g.Op("Add",
             {x, FusedAttention(g, g.Op("LayerNormalization", {x, g.Weight({12}), g.Weight({12})}), 12, 2, by_split)});
    const ValueId hidden = Dense(g, LayerNormInParts(g, x, 12), 12, 20);
    const ValueId gelu = g.Op("Mul", {hidden, g.Op("Add", {g.Op("Erf", {hidden}), g.Scalar(1)})});
    x = g.Op("Add", {x, Dense(g, gelu, 20, 12)});
    g.Output(Dense(g, g.Op("Gather", {x, g.Index(0)}, {{"axis", int64_t{1}}}), 12, 4));
    // The stream, the hidden channels, in each of two heads queries with keys, and values, and the output.
    EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{4, 1}, {6, 4}, {12, 1}, {20, 1}}));
  }
}

TEST(PermuteTrace, DecoderWithSharedHeadsAndGates) {
  TestGraph g(23);
  const Dim batch = Dim::Symbol("batch"), tokens = Dim::Symbol("tokens");
  const ValueId ids = g.Input("ids", {batch, tokens}, DType::kInt64);
  const ValueId x = g.Op("Gather", {g.Weight({7, 8}), ids});
  const ValueId normed = g.Op("RMSNormalization", {x, g.Weight({8})});
  const auto heads = [&](ValueId value, int64_t count) {
    return g.Op("Transpose", {g.Op("Reshape", {value, g.Ints({0, 0, count, 4})})},
                {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  };
  const auto rotated = [&](ValueId value) {
    const ValueId low = g.Op("Slice", {value, g.Ints({0}), g.Ints({2}), g.Ints({3})});
    const ValueId high = g.Op("Slice", {value, g.Ints({2}), g.Ints({4}), g.Ints({3})});
    const ValueId turned = g.Op("Concat", {g.Op("Neg", {high}), low}, {{"axis", int64_t{-1}}});
    return g.Op("Add", {g.Op("Mul", {value, g.Weight({4})}), g.Op("Mul", {turned, g.Weight({4})})});
  };
  // Two heads of keys and values serve four of queries.
  const auto repeated = [&](ValueId value) {
    const ValueId shape = g.Op("Concat",
                               {g.Op("Slice", {g.Op("Shape", {value}), g.Ints({0}), g.Ints({1})}), g.Ints({2, 2}),
                                g.Op("Slice", {g.Op("Shape", {value}), g.Ints({2}), g.Ints({3})}), g.Ints({4})},
                               {{"axis", int64_t{0}}});
    const ValueId wide = g.Op("Expand", {g.Op("Unsqueeze", {value, g.Ints({2})}), shape});
    return g.Op("Reshape", {wide, g.Ints({0, 4, -1, 4})});
  };
  const ValueId q = rotated(heads(g.Op("MatMul", {normed, g.Weight({8, 16})}), 4));
  const ValueId k = repeated(rotated(heads(g.Op("MatMul", {normed, g.Weight({8, 8})}), 2)));
  const ValueId v = repeated(heads(g.Op("MatMul", {normed, g.Weight({8, 8})}), 2));
  const ValueId scores =
      g.Op("Softmax", {g.Op("MatMul", {q, g.Op("Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}})})});
  const ValueId mixed = g.Op("Transpose", {g.Op("MatMul", {scores, v})}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  const ValueId flat = g.Op("Reshape", {mixed, g.Ints({0, 0, 16})});
  const ValueId sum = g.Op("Add", {x, g.Op("MatMul", {flat, g.Weight({16, 8})})});
  const auto gated =
      g.Ops("Split", {g.Op("MatMul", {sum, g.Weight({8, 22})}), g.Ints({11, 11})}, 2, {{"axis", int64_t{-1}}});
  const ValueId hidden = g.Op("Mul", {g.Op("Mul", {gated[0], g.Op("Sigmoid", {gated[0]})}), gated[1]});
  g.Output(g.Op("MatMul", {g.Op("Add", {sum, g.Op("MatMul", {hidden, g.Weight({11, 8})})}), g.Weight({8, 7})}));
  // The stream, the gated channels, the values of each head, and the output; queries and keys are rotated, so each has
  // its place.
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{4, 2}, {7, 1}, {8, 1}, {11, 1}}));
}

// Windows of a feature map: rolled, padded, and every four pixels' channels behind one another.
TEST(PermuteTrace, ChannelsLastWithPaddingAndMergedPixels) {
  TestGraph g;
  const ValueId x = Dense(g, g.Input("x", {2, 3, 4, 3}), 3, 8);
  const ValueId low = g.Op("Slice", {x, g.Ints({0}), g.Ints({1}), g.Ints({1})});
  const ValueId high = g.Op("Slice", {x, g.Ints({1}), g.Ints({3}), g.Ints({1})});
  const ValueId rolled = g.Op("Concat", {high, low}, {{"axis", int64_t{1}}});
  const ValueId padded = g.Op("Pad", {rolled, g.Ints({0, 0, 0, 0, 0, 1, 0, 0}), g.Scalar(0)});
  std::vector<ValueId> pixels;
  for (const int64_t i : {0, 1}) {
    const ValueId rows = g.Op("Slice", {padded, g.Ints({i}), g.Ints({4}), g.Ints({1}), g.Ints({2})});
    for (const int64_t j : {0, 1}) {
      pixels.push_back(g.Op("Slice", {rows, g.Ints({j}), g.Ints({4}), g.Ints({2}), g.Ints({2})}));
    }
  }
  const ValueId merged = g.Op("Concat", pixels, {{"axis", int64_t{-1}}});
  g.Output(Dense(g, g.Op("LayerNormalization", {merged, g.Weight({32}), g.Weight({32})}), 32, 4));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{4, 1}, {8, 1}}));
}

TEST(PermuteTrace, MatrixOnTheLeft) {
  TestGraph g;
  const ValueId x = g.Input("x", {3, 5});
  const ValueId hidden = g.Op("Relu", {g.Op("Add", {g.Op("MatMul", {g.Weight({8, 3}), x}), g.Weight({8, 1})})});
  g.Output(g.Op("MatMul", {g.Weight({2, 8}), hidden}));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{2, 1}, {8, 1}}));
}

TEST(PermuteTrace, ASharedWeightStaysOne) {
  TestGraph g;
  const ValueId w = g.Weight({6, 6}), b = g.Weight({6});
  ValueId x = g.Op("MatMul", {g.Input("x", {2, 3}), g.Weight({3, 6})});
  for (int i = 0; i < 3; ++i) x = g.Op("Relu", {g.Op("Add", {g.Op("MatMul", {x, w}), b})});
  g.Output(g.Op("MatMul", {x, g.Weight({6, 2})}));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{2, 1}, {6, 1}}));
}

TEST(PermuteTrace, ASharedVectorIsCopiedForReadersThatMoveApart) {
  TestGraph g;
  const ValueId shared = g.Weight({6});
  const ValueId a = g.Op("Add", {g.Op("MatMul", {g.Input("x", {2, 3}), g.Weight({3, 6})}), shared});
  const ValueId b = g.Op("Add", {g.Op("MatMul", {a, g.Weight({6, 6})}), shared});
  g.Output(g.Op("MatMul", {b, g.Weight({6, 2})}));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{2, 1}, {6, 2}}));
}

TEST(PermuteTrace, WhatIsNotUnderstoodStays) {
  TestGraph g;
  const ValueId w = g.Weight({6, 8});
  const ValueId x = g.Op("MatMul", {g.Input("x", {2, 3}), g.Weight({3, 6})});
  const ValueId y = g.Op("CumSum", {g.Op("Relu", {x}), g.Index(1)});
  const ValueId z = g.Op("MatMul", {y, w});
  g.Output(z);
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{8, 1}}));  // what comes behind it
  ChannelTrace trace(g.graph);
  trace.spaces().FindClasses();
  EXPECT_EQ(trace.spaces().WhyFixed(0), "nothing is known of CumSum, which reads them");
  EXPECT_EQ(trace.WhyUnlabelled(y), "they come from CumSum, after which channels can't be told");
}

TEST(PermuteTrace, ChannelsThatAreToldApartStay) {
  TestGraph g;
  const ValueId x = g.Input("x", {2, 4, 3});
  const ValueId heads = g.Op("Reshape", {Dense(g, x, 3, 12), g.Ints({0, 0, 2, 6})});
  const ValueId scaled = g.Op("Mul", {heads, g.Weight({2, 1})});  // one scale a head
  const ValueId gated = g.Op("Mul", {scaled, g.Input("gate", {2, 4, 2, 1})});
  g.Output(Dense(g, g.Op("Reshape", {gated, g.Ints({0, 0, 12})}), 12, 2));
  EXPECT_EQ(ShuffleAndCompare(g.graph), (Sizes{{2, 1}, {6, 2}}));
}

}  // namespace
}  // namespace tamis
