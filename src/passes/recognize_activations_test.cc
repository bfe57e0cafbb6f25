#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"recognize_activations", RecognizeActivations}};
const Feeds kFeeds = {{"x", RandomTensor({3, 64}, 5, -6, 6)}};

struct Builder {
  TestGraph t;
  ValueId x = t.Input("x", {Dim::Symbol("n"), 64});
  ValueId C(float value) { return t.Scalar(value); }
  ValueId Mul(ValueId a, ValueId b) { return t.Op("Mul", {a, b}); }
  ValueId Add(ValueId a, ValueId b) { return t.Op("Add", {a, b}); }
  ValueId Div(ValueId a, ValueId b) { return t.Op("Div", {a, b}); }
  ValueId Clip(ValueId a, float low, float high) { return t.Op("Clip", {a, C(low), C(high)}); }
  std::map<std::string, int> Run(ValueId output, double tolerance = 2e-6) {
    t.Output(output);
    after = RewriteAndCompare(t.graph, kPass, kFeeds, tolerance);
    return CountOps(after);
  }
  Graph after;
};

TEST(RecognizeActivations, GeluWithErf) {
  for (int variant = 0; variant < 5; ++variant) {
    SCOPED_TRACE(variant);
    Builder b;
    const ValueId scaled = variant % 2 == 0 ? b.Div(b.x, b.C(1.41421356f)) : b.Mul(b.C(0.70710678f), b.x);
    const ValueId erf = b.t.Op("Erf", {scaled});
    ValueId y = kNoValue;
    if (variant == 0) y = b.Mul(b.Mul(b.x, b.Add(erf, b.C(1))), b.C(0.5f));
    if (variant == 1) y = b.Mul(b.Mul(b.C(0.5f), b.x), b.Add(b.C(1), erf));
    if (variant == 2) y = b.Mul(b.x, b.Mul(b.Add(erf, b.C(1)), b.C(0.5f)));
    if (variant == 3) y = b.Div(b.Mul(b.Add(b.C(1), erf), b.x), b.C(2));
    if (variant == 4) y = b.Mul(b.x, b.Add(b.C(0.5f), b.Mul(b.C(0.5f), erf)));
    EXPECT_EQ(b.Run(y), (std::map<std::string, int>{{"Gelu", 1}}));
    EXPECT_EQ(b.after.node(0).String("approximate", ""), "none");
  }
}

TEST(RecognizeActivations, GeluWithTanh) {
  for (bool factored : {false, true}) {
    Builder b;
    const ValueId cubic = factored ? b.Mul(b.x, b.Add(b.C(1), b.Mul(b.Mul(b.C(0.044715f), b.x), b.x)))
                                   : b.Add(b.x, b.Mul(b.C(0.044715f), b.t.Op("Pow", {b.x, b.C(3)})));
    const ValueId tanh = b.t.Op("Tanh", {b.Mul(cubic, b.C(0.7978845608f))});
    EXPECT_EQ(b.Run(b.Mul(b.Mul(b.C(0.5f), b.x), b.Add(b.C(1), tanh))), (std::map<std::string, int>{{"Gelu", 1}}));
    EXPECT_EQ(b.after.node(0).String("approximate", ""), "tanh");
  }
}

// x/2 * erfc(-x / sqrt(2)), with erfc as 1 - erf.
TEST(RecognizeActivations, GeluOfTheNegativeArgument) {
  Builder b;
  const ValueId erf = b.t.Op("Erf", {b.Mul(b.t.Op("Neg", {b.x}), b.C(0.70710678f))});
  EXPECT_EQ(b.Run(b.Mul(b.Mul(b.x, b.C(0.5f)), b.t.Op("Sub", {b.C(1), erf}))),
            (std::map<std::string, int>{{"Gelu", 1}}));
  Builder wrong;  // the sign of the argument must fit that of the term
  const ValueId positive = wrong.t.Op("Erf", {wrong.Mul(wrong.x, wrong.C(0.70710678f))});
  EXPECT_EQ(wrong.Run(wrong.Mul(wrong.Mul(wrong.x, wrong.C(0.5f)), wrong.t.Op("Sub", {wrong.C(1), positive})))["Gelu"],
            0);
}

TEST(RecognizeActivations, SwishAndGeluWithSigmoid) {
  for (const float alpha : {1.0f, 1.702f, -0.5f}) {
    Builder b;
    const ValueId argument = alpha == 1 ? b.x : b.Mul(b.C(alpha), b.x);
    EXPECT_EQ(b.Run(b.Mul(b.t.Op("Sigmoid", {argument}), b.x)), (std::map<std::string, int>{{"Swish", 1}}));
    EXPECT_FLOAT_EQ(b.after.node(0).Float("alpha", 0), alpha);
  }
  Builder b;
  const ValueId cubic = b.Mul(b.x, b.Add(b.C(1.5957691f), b.Mul(b.C(0.07135481f), b.Mul(b.x, b.x))));
  EXPECT_EQ(b.Run(b.Mul(b.x, b.t.Op("Sigmoid", {cubic}))), (std::map<std::string, int>{{"Gelu", 1}}));
  EXPECT_EQ(b.after.node(0).String("approximate", ""), "tanh");
}

TEST(RecognizeActivations, SigmoidOfAnotherArgumentStays) {
  const std::map<std::string, int> shifted = {{"Add", 1}, {"Sigmoid", 1}, {"Mul", 1}};
  Builder b;
  EXPECT_EQ(b.Run(b.Mul(b.x, b.t.Op("Sigmoid", {b.Add(b.x, b.C(1))}))), shifted);
  Builder gate;  // of another value
  const ValueId other = gate.t.Op("Exp", {gate.x});
  EXPECT_EQ(gate.Run(gate.Mul(gate.x, gate.t.Op("Sigmoid", {other})), 1e-5)["Sigmoid"], 1);
}

TEST(RecognizeActivations, Mish) {
  for (const bool spelt : {false, true}) {
    Builder b;
    const ValueId softplus = spelt ? b.t.Op("Log", {b.Add(b.t.Op("Exp", {b.x}), b.C(1))}) : b.t.Op("Softplus", {b.x});
    EXPECT_EQ(b.Run(b.Mul(b.x, b.t.Op("Tanh", {softplus}))), (std::map<std::string, int>{{"Mish", 1}}));
  }
  Builder b;  // twice the logarithm
  const ValueId twice = b.t.Op("Log", {b.Add(b.t.Op("Exp", {b.x}), b.C(2))});
  EXPECT_EQ(b.Run(b.Mul(b.x, b.t.Op("Tanh", {twice})))["Mish"], 0);
}

TEST(RecognizeActivations, HardSwishAndHardSigmoid) {
  {
    Builder b;
    EXPECT_EQ(b.Run(b.Div(b.Mul(b.x, b.Clip(b.Add(b.x, b.C(3)), 0, 6)), b.C(6))),
              (std::map<std::string, int>{{"HardSwish", 1}}));
  }
  {
    Builder b;
    EXPECT_EQ(b.Run(b.Mul(b.Div(b.Clip(b.Add(b.C(3), b.x), 0, 6), b.C(6)), b.x)),
              (std::map<std::string, int>{{"HardSwish", 1}}));
  }
  {
    Builder b;
    const ValueId h = b.t.Op("HardSigmoid", {b.x}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}});
    EXPECT_EQ(b.Run(b.Mul(b.x, h)), (std::map<std::string, int>{{"HardSwish", 1}}));
  }
  {
    Builder b;
    EXPECT_EQ(b.Run(b.Div(b.Clip(b.Add(b.x, b.C(3)), 0, 6), b.C(6))), (std::map<std::string, int>{{"HardSigmoid", 1}}));
  }
}

TEST(RecognizeActivations, NotWhatOnlyLooksAlike) {
  {
    Builder b;  // the sigmoid approximation of Gelu is another function
    EXPECT_EQ(b.Run(b.Mul(b.x, b.t.Op("Sigmoid", {b.Mul(b.x, b.C(1.702f))})))["Gelu"], 0);
  }
  {
    Builder b;  // erf of x, not of x / sqrt(2)
    EXPECT_EQ(b.Run(b.Mul(b.Mul(b.x, b.Add(b.t.Op("Erf", {b.x}), b.C(1))), b.C(0.5f)))["Gelu"], 0);
  }
  {
    Builder b;  // another value than the one inside erf
    const ValueId erf = b.t.Op("Erf", {b.Mul(b.x, b.C(0.70710678f))});
    EXPECT_EQ(b.Run(b.Mul(b.Mul(b.t.Op("Exp", {b.x}), b.Add(erf, b.C(1))), b.C(0.5f)))["Gelu"], 0);
  }
  {
    Builder b;  // clip(x + 3, 0, 5)
    EXPECT_EQ(b.Run(b.Div(b.Mul(b.x, b.Clip(b.Add(b.x, b.C(3)), 0, 5)), b.C(6)))["HardSwish"], 0);
  }
  {
    Builder b;  // erf's value is read elsewhere
    const ValueId erf = b.t.Op("Erf", {b.Mul(b.x, b.C(0.70710678f))});
    b.t.Output(erf);
    EXPECT_EQ(b.Run(b.Mul(b.Mul(b.x, b.Add(erf, b.C(1))), b.C(0.5f)))["Gelu"], 0);
  }
}

}  // namespace
}  // namespace tamis
