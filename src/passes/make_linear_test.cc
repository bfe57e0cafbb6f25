#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"make_linear", MakeLinear}};

TEST(MakeLinear, MatMulWithBias) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("b"), Dim::Symbol("s"), 8});
  const ValueId w = t.Weight({8, 5});
  const std::string name = t.graph.value(w).name;
  t.Output(t.Op("Add", {t.Op("MatMul", {x, w}), t.Weight({5})}));
  t.Output(t.Op("Add", {t.Weight({1, 1, 5}), t.Op("MatMul", {x, w})}));
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({2, 3, 8}, 1)}});
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"tamis.Linear", 2}}));
  const Value& weight = after.value(after.node(0).inputs[1]);
  EXPECT_EQ(weight.constant->dims(), (Dims{5, 8}));
  ASSERT_TRUE(weight.origin.has_value());
  EXPECT_EQ(weight.origin->initializer, name);
  EXPECT_EQ(weight.origin->transform, WeightTransform::kTransposed2D);
  EXPECT_EQ(after.node(0).inputs[1], after.node(1).inputs[1]) << "a shared weight stays shared";
}

TEST(MakeLinear, Gemm) {
  for (int64_t transposed : {0, 1}) {
    TestGraph t;
    const ValueId x = t.Input("x", {Dim::Symbol("b"), 8});
    const ValueId w = t.Weight(transposed ? Dims{5, 8} : Dims{8, 5});
    t.Output(t.Op("Gemm", {x, w, t.Weight({5})}, {{"transB", transposed}}));
    t.Output(t.Op("Gemm", {x, w, t.Weight({1, 5})}, {{"transB", transposed}}));
    t.Output(t.Op("Gemm", {x, w}, {{"transB", transposed}}));
    const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({3, 8}, 2)}});
    EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"tamis.Linear", 3}}));
    const Value& weight = after.value(after.node(0).inputs[1]);
    EXPECT_EQ(weight.constant->dims(), (Dims{5, 8}));
    EXPECT_EQ(weight.origin->transform, transposed ? WeightTransform::kNone : WeightTransform::kTransposed2D);
  }
}

TEST(MakeLinear, OtherAddendsStayAdds) {
  TestGraph t;
  const ValueId x = t.Input("x", {3, 8});
  t.Output(t.Op("Gemm", {x, t.Weight({8, 5}), t.Input("c", {3, 5})}));
  t.Output(t.Op("Gemm", {x, t.Weight({8, 5}), t.Weight({3, 1})}));
  t.Output(t.Op("Add", {t.Op("MatMul", {x, t.Weight({8, 5})}), t.Weight({2, 3, 5})}));
  const Feeds feeds = {{"x", RandomTensor({3, 8}, 3)}, {"c", RandomTensor({3, 5}, 4)}};
  const Graph after = RewriteAndCompare(t.graph, kPass, feeds);
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"tamis.Linear", 3}, {"Add", 3}}));
}

TEST(MakeLinear, NotOtherProducts) {
  TestGraph t;
  const ValueId x = t.Input("x", {3, 8}), y = t.Input("y", {8, 3});
  t.Output(t.Op("MatMul", {x, y}));
  t.Output(t.Op("MatMul", {t.Weight({2, 3}), x}));
  t.Output(t.Op("MatMul", {x, t.Weight({2, 8, 4})}));
  t.Output(t.Op("Gemm", {y, t.Weight({8, 4})}, {{"transA", int64_t{1}}}));
  const Feeds feeds = {{"x", RandomTensor({3, 8}, 5)}, {"y", RandomTensor({8, 3}, 6)}};
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPass, feeds))["tamis.Linear"], 0);
}

TEST(MakeLinear, BiasIsLeftToOtherReaders) {
  TestGraph t;
  const ValueId product = t.Op("MatMul", {t.Input("x", {3, 8}), t.Weight({8, 5})});
  t.Output(t.Op("Add", {product, t.Weight({5})}));
  t.Output(t.Op("Relu", {product}));
  const Graph after = RewriteAndCompare(t.graph, kPass, {{"x", RandomTensor({3, 8}, 7)}});
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"tamis.Linear", 1}, {"Add", 1}, {"Relu", 1}}));
}

}  // namespace
}  // namespace tamis
