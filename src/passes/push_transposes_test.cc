#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Counts = std::map<std::string, int>;
using Ints = std::vector<int64_t>;

const std::vector<Pass> kPasses = {{"push_transposes", PushTransposes}, {"simplify_views", SimplifyViews}};

struct Turned {
  TestGraph t{17};
  ValueId x = t.Input("x", {2, 3, 4, 5});
  Feeds feeds = {{"x", RandomTensor({2, 3, 4, 5}, 1)}};
  ValueId Turn(ValueId from, Ints perm) { return t.Op("Transpose", {from}, {{"perm", std::move(perm)}}); }
  ValueId There(ValueId from) { return Turn(from, {0, 2, 3, 1}); }
  ValueId Back(ValueId from) { return Turn(from, {0, 3, 1, 2}); }
  Counts Run(ValueId output) {
    t.Output(output);
    return CountOps(RewriteAndCompare(t.graph, kPasses, feeds));
  }
};

TEST(PushTransposes, CancelBehindElementwiseNodes) {
  Turned c;
  TestGraph& t = c.t;
  const ValueId scaled = t.Op("Mul", {c.There(c.x), t.Weight({3})});   // along what was axis 1
  const ValueId shifted = t.Op("Add", {scaled, t.Weight({4, 1, 3})});  // of a lower rank
  const ValueId sum = t.Op("Add", {t.Op("Relu", {shifted}), c.There(t.Op("Neg", {c.x}))});
  EXPECT_EQ(c.Run(c.Back(t.Op("Div", {sum, t.Scalar(2)}))),
            (Counts{{"Mul", 1}, {"Add", 2}, {"Relu", 1}, {"Neg", 1}, {"Div", 1}}));
}

TEST(PushTransposes, CancelBehindSoftmaxReductionsConcatAndPad) {
  Turned c;
  TestGraph& t = c.t;
  const ValueId p = t.Op("Softmax", {c.There(c.x)}, {{"axis", int64_t{-1}}});
  const ValueId joined = t.Op("Concat", {p, c.There(t.Op("Abs", {c.x}))}, {{"axis", int64_t{3}}});
  const ValueId padded = t.Op("Pad", {joined, t.Ints({0, 1, 0, 0, 0, 0, 2, 1})});
  const ValueId mean = t.Op("ReduceMean", {padded}, {{"axes", Ints{1, 2}}});
  EXPECT_EQ(c.Run(c.Back(mean)), (Counts{{"Softmax", 1}, {"Abs", 1}, {"Concat", 1}, {"Pad", 1}, {"ReduceMean", 1}}));
}

TEST(PushTransposes, NormsWhoseLastAxisStays) {
  Turned c;
  TestGraph& t = c.t;
  const ValueId n = t.Op("LayerNormalization", {c.Turn(c.x, {0, 2, 1, 3}), t.Weight({5}), t.Weight({5})});
  EXPECT_EQ(c.Run(c.Turn(n, {0, 2, 1, 3})), (Counts{{"LayerNormalization", 1}}));

  Turned other;
  const ValueId m = other.t.Op("LayerNormalization", {other.There(other.x), other.t.Weight({3}), other.t.Weight({3})});
  EXPECT_EQ(other.Run(other.Back(m)), (Counts{{"LayerNormalization", 1}, {"Transpose", 2}}));
}

TEST(PushTransposes, NoneIsAddedWhereOneIsReadTwiceOrMeetsAnother) {
  Turned c;
  TestGraph& t = c.t;
  const ValueId turned = c.There(c.x);
  t.Output(turned);
  EXPECT_EQ(c.Run(t.Op("Relu", {turned})), (Counts{{"Transpose", 1}, {"Relu", 1}}));

  Turned square;
  TestGraph& s = square.t;
  const ValueId y = s.Input("y", {2, 4, 5, 3});
  square.feeds["y"] = RandomTensor({2, 4, 5, 3}, 2);
  EXPECT_EQ(square.Run(s.Op("Add", {square.There(square.x), y})), (Counts{{"Transpose", 1}, {"Add", 1}}));
}

// Channels behind pixels, cut into heads, tokens before elements: one copy. Read in between: two.
TEST(SimplifyViews, ATransposeForSeveral) {
  for (const bool read : {false, true}) {
    Turned c;
    TestGraph& t = c.t;
    const ValueId y = t.Input("y", {2, 3, 4, 6});
    const ValueId first = c.Back(y);
    if (read) t.Output(t.Op("Softmax", {first}, {{"axis", int64_t{-1}}}));
    const ValueId heads = t.Op("Reshape", {first, t.Ints({2, 3, 2, 12})});
    t.Output(t.Op("Softmax", {c.Turn(heads, {0, 1, 3, 2})}, {{"axis", int64_t{-1}}}));
    const Graph after = RewriteAndCompare(t.graph, {{"simplify_views", SimplifyViews}},
                                          {{"x", c.feeds["x"]}, {"y", RandomTensor({2, 3, 4, 6}, 2)}});
    EXPECT_EQ(CountOps(after)["Transpose"], read ? 2 : 1);
  }
}

// And back, with an axis that is joined of two.
TEST(SimplifyViews, ATransposeForThree) {
  Turned c;
  TestGraph& t = c.t;
  const ValueId y = t.Input("y", {2, 3, 4, 6});
  const ValueId cut = t.Op("Reshape", {c.Back(y), t.Ints({2, 3, 2, 12})});
  const ValueId turned = c.Turn(cut, {0, 2, 1, 3});
  const ValueId image = c.There(t.Op("Reshape", {turned, t.Ints({2, 6, 3, 4})}));
  t.Output(t.Op("Exp", {image}));
  const Graph after = RewriteAndCompare(t.graph, {{"simplify_views", SimplifyViews}},
                                        {{"x", c.feeds["x"]}, {"y", RandomTensor({2, 3, 4, 6}, 2)}});
  EXPECT_EQ(CountOps(after)["Transpose"], 1);
}

// A batch that is no number stays an axis.
TEST(SimplifyViews, SeveralTransposesOfUnknownSizes) {
  TestGraph t{17};
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 3, Dim::Symbol("w"), 6});
  const auto turn = [&](ValueId from, Ints perm) { return t.Op("Transpose", {from}, {{"perm", std::move(perm)}}); };
  const ValueId heads = t.Op("Reshape", {turn(x, {0, 3, 1, 2}), t.Ints({0, 3, 2, -1})});
  t.Output(t.Op("Exp", {turn(heads, {0, 1, 3, 2})}));
  const Graph after =
      RewriteAndCompare(t.graph, {{"simplify_views", SimplifyViews}}, {{"x", RandomTensor({2, 3, 4, 6}, 2)}});
  EXPECT_EQ(CountOps(after)["Transpose"], 1);
}

}  // namespace
}  // namespace tamis
