#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Ints = std::vector<int64_t>;

const std::vector<Pass> kPasses = {{"make_channels_last", MakeChannelsLast},
                                   {"activate_parts", ActivateParts},
                                   {"fuse_epilogue", FuseEpilogue},
                                   {"remove_dead", RemoveDead}};

struct Parts {
  TestGraph t;
  ValueId x = t.Input("x", {Dim::Symbol("n"), 4, 5, 6});

  ValueId Conv(int64_t kernel, int64_t outputs) {
    return t.Op("Conv", {x, t.Weight({outputs, 4, kernel, kernel}), t.Weight({outputs})},
                {{"pads", Ints(4, kernel / 2)}});
  }
  ValueId Joined(std::vector<ValueId> parts, int64_t axis = 1) {
    return t.Op("Concat", std::move(parts), {{"axis", axis}});
  }
  std::map<std::string, int> Run(ValueId output) {
    t.Output(output);
    return CountOps(RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 4, 5, 6}, 1)}}));
  }
};

TEST(ActivateParts, EachConvolutionTakesTheActivation) {
  for (const char* activation : {"Relu", "HardSwish", "Sigmoid"}) {
    Parts p;
    const ValueId a = p.Conv(3, 6), joined = p.Joined({a, p.Conv(1, 3)});
    const auto counts = p.Run(p.t.Op(activation, {joined}));
    EXPECT_EQ(counts.at("tamis.ChannelsLastConv"), 2) << activation;
    EXPECT_EQ(counts.at("Concat"), 1) << activation;
    EXPECT_EQ(counts.count(activation), 0u) << activation;
  }
}

// Along any axis, and with the bounds of a Clip.
TEST(ActivateParts, OfRowsOfPixels) {
  Parts p;
  const ValueId a = p.Conv(3, 6), joined = p.Joined({a, p.Conv(1, 6)}, -1);
  const auto counts = p.Run(p.t.Op("Clip", {joined, p.t.Scalar(0), p.t.Scalar(1)}));
  EXPECT_EQ(counts.at("tamis.ChannelsLastConv"), 2);
  EXPECT_EQ(counts.count("Clip"), 0u);
}

TEST(ActivateParts, WhatStays) {
  for (const int what : {0, 1, 2, 3, 4}) {
    Parts p;
    ValueId a = p.Conv(3, 4);
    const ValueId b = p.Conv(1, 4);
    if (what == 0) p.t.Output(a);                             // a part that is read as it is
    if (what == 1) a = p.x;                                   // a part of no convolution
    if (what == 2) a = p.t.Op("Sigmoid", {a});                // a part that has an activation
    const ValueId joined = p.Joined({a, what == 3 ? a : b});  // a part that stands there twice
    if (what == 4) p.t.Output(p.t.Op("Exp", {joined}));       // what is joined is read as it is
    const auto counts = p.Run(p.t.Op("Relu", {joined}));
    EXPECT_EQ(counts.at("Relu"), 1) << what;
  }
}

}  // namespace
}  // namespace tamis
