#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPasses = {
    {"make_linear", MakeLinear}, {"make_channels_last", MakeChannelsLast}, {"fuse_epilogue", FuseEpilogue}};
const Feeds kFeeds = {{"x", RandomTensor({3, 8}, 1, -3, 3)}};
using Counts = std::map<std::string, int>;

struct Chain {
  TestGraph t;
  ValueId x = t.Input("x", {Dim::Symbol("n"), 8});
  ValueId Product(ValueId from) { return t.Op("MatMul", {from, t.Weight({8, 8})}); }
  Counts Run(ValueId output, double tolerance = 1e-5) {
    t.Output(output);
    after = RewriteAndCompare(t.graph, kPasses, kFeeds, tolerance);
    return CountOps(after);
  }
  Graph after;
};

TEST(FuseEpilogue, Activations) {
  const std::vector<std::pair<std::string, std::string>> names = {
      {"Relu", "Relu"}, {"Sigmoid", "Sigmoid"}, {"Tanh", "Tanh"}, {"HardSwish", "HardSwish"}, {"Gelu", "Gelu"}};
  for (const auto& [op, activation] : names) {
    Chain c;
    EXPECT_EQ(c.Run(c.t.Op(op, {c.Product(c.x)})), (Counts{{"tamis.Linear", 1}})) << op;
    EXPECT_EQ(c.after.node(0).String("activation", ""), activation);
  }
  Chain tanh;
  EXPECT_EQ(tanh.Run(tanh.t.Op("Gelu", {tanh.Product(tanh.x)}, {{"approximate", std::string("tanh")}})),
            (Counts{{"tamis.Linear", 1}}));
  EXPECT_EQ(tanh.after.node(0).String("activation", ""), "GeluTanh");
  Chain clip;
  EXPECT_EQ(clip.Run(clip.t.Op("Clip", {clip.Product(clip.x), clip.t.Scalar(-1), clip.t.Scalar(2)})),
            (Counts{{"tamis.Linear", 1}}));
  EXPECT_EQ(clip.after.node(0).Float("clip_max", 0), 2);
  Chain crossed;
  EXPECT_EQ(crossed.Run(crossed.t.Op("Clip", {crossed.Product(crossed.x), crossed.t.Scalar(2), crossed.t.Scalar(-2)})),
            (Counts{{"tamis.Linear", 1}, {"Clip", 1}}));
  Chain silu;
  const ValueId p = silu.Product(silu.x);
  EXPECT_EQ(silu.Run(silu.t.Op("Mul", {silu.t.Op("Sigmoid", {p}), p})), (Counts{{"tamis.Linear", 1}}));
  EXPECT_EQ(silu.after.node(0).String("activation", ""), "Silu");
}

TEST(FuseEpilogue, ActivationsWithParameters) {
  struct Given {
    std::string op;
    Attributes attributes;
    std::string activation;
    float alpha, beta;
  };
  const std::vector<Given> all = {{"LeakyRelu", {{"alpha", 0.2f}}, "LeakyRelu", 0.2f, 0},
                                  {"LeakyRelu", {}, "LeakyRelu", 0.01f, 0},
                                  {"Elu", {{"alpha", 0.7f}}, "Elu", 0.7f, 0},
                                  {"HardSigmoid", {}, "HardSigmoid", 0.2f, 0.5f},
                                  {"Swish", {{"alpha", 1.702f}}, "Swish", 1.702f, 0},
                                  {"Mish", {}, "Mish", 0, 0}};
  for (const Given& given : all) {
    Chain c;
    EXPECT_EQ(c.Run(c.t.Op(given.op, {c.Product(c.x)}, given.attributes)), (Counts{{"tamis.Linear", 1}})) << given.op;
    EXPECT_EQ(c.after.node(0).String("activation", ""), given.activation);
    EXPECT_EQ(c.after.node(0).Float("alpha", 0), given.alpha);
    EXPECT_EQ(c.after.node(0).Float("beta", 0), given.beta);
  }
  Chain twice;  // the second activation stays
  EXPECT_EQ(twice.Run(twice.t.Op("LeakyRelu", {twice.t.Op("Elu", {twice.Product(twice.x)})})),
            (Counts{{"tamis.Linear", 1}, {"LeakyRelu", 1}}));
}

TEST(FuseEpilogue, BiasResidualActivationInThisOrder) {
  Chain c;
  TestGraph& t = c.t;
  const ValueId biased = t.Op("Add", {c.Product(c.x), t.Weight({8})});
  EXPECT_EQ(c.Run(t.Op("Relu", {t.Op("Add", {c.x, biased})})), (Counts{{"tamis.Linear", 1}}));
  EXPECT_EQ(c.after.node(0).inputs.size(), 4u);
}

TEST(FuseEpilogue, SecondBiasIsAdded) {
  Chain c;
  const ValueId once = c.t.Op("Add", {c.Product(c.x), c.t.Weight({8})});
  EXPECT_EQ(c.Run(c.t.Op("Add", {once, c.t.Weight({1, 8})})), (Counts{{"tamis.Linear", 1}}));
}

TEST(FuseEpilogue, LaterProducerTakesTheResidual) {
  Chain c;
  const ValueId first = c.Product(c.x);
  const ValueId second = c.Product(c.t.Op("Exp", {c.x}));
  EXPECT_EQ(c.Run(c.t.Op("Add", {first, second})), (Counts{{"tamis.Linear", 2}, {"Exp", 1}}));
  EXPECT_EQ(c.after.node(2).inputs.size(), 4u);
  EXPECT_EQ(c.after.node(0).inputs.size(), 2u);
}

TEST(FuseEpilogue, Convolution) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 4, 5, 5});
  const ValueId y = t.Op("Relu", {t.Op("Conv", {x, t.Weight({4, 4, 1, 1})})});
  const ValueId z = t.Op("Conv", {y, t.Weight({4, 4, 1, 1})});
  t.Output(t.Op("Relu", {t.Op("Add", {t.Op("Add", {z, t.Weight({4, 1, 1})}), y})}));
  const Graph after = RewriteAndCompare(t.graph, kPasses, {{"x", RandomTensor({2, 4, 5, 5}, 2)}});
  EXPECT_EQ(CountOps(after), (Counts{{"tamis.ChannelsLastConv", 2}, {"Transpose", 2}}));
}

TEST(FuseEpilogue, NotPastAnActivationOrASecondReader) {
  {
    Chain c;
    EXPECT_EQ(c.Run(c.t.Op("Add", {c.t.Op("Relu", {c.Product(c.x)}), c.t.Weight({8})}))["Add"], 1);
  }
  {
    Chain c;
    const ValueId p = c.Product(c.x);
    c.t.Output(p);
    EXPECT_EQ(c.Run(c.t.Op("Relu", {p}))["Relu"], 1);
  }
  {
    Chain c;
    const ValueId p = c.Product(c.x);
    EXPECT_EQ(c.Run(c.t.Op("Add", {p, p}))["Add"], 1);
  }
  {
    Chain c;  // broadcasting grows the result
    EXPECT_EQ(c.Run(c.t.Op("Add", {c.Product(c.x), c.t.Op("Exp", {c.t.Weight({2, 1, 8})})}))["Add"], 1);
  }
}

}  // namespace
}  // namespace tamis
