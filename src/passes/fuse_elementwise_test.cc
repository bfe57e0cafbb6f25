#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"fuse_elementwise", FuseElementwise}};
using Counts = std::map<std::string, int>;

struct Builder {
  TestGraph t;
  ValueId x = t.Input("x", {Dim::Symbol("n"), 6, 5});
  Counts Run(ValueId output, double tolerance = 1e-6) {
    t.Output(output);
    after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({3, 6, 5}, 1, 0.25f, 2)}}, tolerance);
    return CountOps(after);
  }
  Graph after;
};

TEST(FuseElementwise, OneWalkForAChain) {
  Builder b;
  const ValueId scaled = b.t.Op("Mul", {b.x, b.t.Weight({6, 1}, 0.5f, 1)});
  const ValueId shifted = b.t.Op("Add", {b.t.Op("Exp", {scaled}), b.t.Scalar(2)});
  const ValueId root = b.t.Op("Sqrt", {b.t.Op("Sub", {b.t.Scalar(9), b.t.Op("Div", {shifted, b.t.Scalar(-4)})})});
  EXPECT_EQ(b.Run(b.t.Op("Clip", {root, b.t.Scalar(3.2f), kNoValue})), (Counts{{"tamis.ElementwiseChain", 1}}));
}

// What is left of a batch norm that no product takes, and the residual behind it; gated values that are summed.
TEST(FuseElementwise, SixOperands) {
  Builder norm;
  const ValueId shifted = norm.t.Op("Add", {norm.t.Op("Mul", {norm.x, norm.t.Weight({6, 1})}), norm.t.Weight({6, 1})});
  EXPECT_EQ(norm.Run(norm.t.Op("Add", {shifted, norm.t.Weight({6, 5})})), (Counts{{"tamis.ElementwiseChain", 1}}));
  Builder gates;
  std::vector<ValueId> gated = {gates.t.Op("Mul", {gates.x, gates.t.Weight({6, 1})})};
  for (int i = 0; i < 2; ++i) gated.push_back(gates.t.Op("Mul", {gates.t.Weight({6, 5}), gates.t.Weight({5})}));
  const ValueId sum = gates.t.Op("Add", {gates.t.Op("Add", {gated[0], gated[1]}), gated[2]});
  const Counts counts = gates.Run(sum);
  EXPECT_EQ(counts.at("tamis.ElementwiseChain"), 1);
}

TEST(FuseElementwise, AValueThatIsReadTwiceInside) {
  Builder b;
  const ValueId sum = b.t.Op("Add", {b.x, b.t.Weight({5})});
  const ValueId gate = b.t.Op("Sigmoid", {b.t.Op("Mul", {sum, sum})});
  EXPECT_EQ(b.Run(b.t.Op("Mul", {b.t.Op("Pow", {sum, b.t.Scalar(2)}), gate})), (Counts{{"tamis.ElementwiseChain", 1}}));
}

TEST(FuseElementwise, EveryOperatorThatIsAStep) {
  for (const char* op : {"Relu", "Tanh", "Sigmoid", "HardSwish", "Erf", "Exp", "Sqrt", "Neg", "Abs", "Mish", "Softplus",
                         "Softsign", "Reciprocal", "Gelu", "HardSigmoid", "LeakyRelu", "Elu", "Selu", "Celu"}) {
    SCOPED_TRACE(op);
    Builder b;
    const ValueId shifted = b.t.Op("Sub", {b.x, b.t.Weight({5}, 0, op == std::string("Sqrt") ? 0.1f : 2)});
    EXPECT_EQ(b.Run(b.t.Op(op, {shifted}), 1e-5), (Counts{{"tamis.ElementwiseChain", 1}}));
  }
}

TEST(FuseElementwise, WhatEndsAChain) {
  Builder read;  // another node reads what is between
  const ValueId between = read.t.Op("Exp", {read.x});
  read.t.Output(read.t.Op("ReduceSum", {between}));
  EXPECT_EQ(read.Run(read.t.Op("Neg", {between})), (Counts{{"Exp", 1}, {"Neg", 1}, {"ReduceSum", 1}}));
  Builder grown;  // the second operator makes it larger
  const ValueId row = grown.t.Op("Exp", {grown.t.Weight({5})});
  EXPECT_EQ(grown.Run(grown.t.Op("Add", {grown.x, row})), (Counts{{"Exp", 1}, {"Add", 1}}));
  Builder alone;
  EXPECT_EQ(alone.Run(alone.t.Op("Neg", {alone.x})), (Counts{{"Neg", 1}}));
  Builder many;  // more operands than a walk reads: two chains
  ValueId sum = many.x;
  for (int i = 0; i < 8; ++i) sum = many.t.Op("Add", {sum, many.t.Weight({6, 5})});
  const Counts counts = many.Run(sum);
  EXPECT_EQ(counts.at("tamis.ElementwiseChain"), 2);
  Builder integers;
  const ValueId n = integers.t.Op("Cast", {integers.x}, {{"to", static_cast<int64_t>(DType::kInt64)}});
  const ValueId doubled = integers.t.Op("Add", {integers.t.Op("Add", {n, n}), n});
  EXPECT_EQ(integers.Run(doubled).count("tamis.ElementwiseChain"), 0u);
}

}  // namespace
}  // namespace tamis
