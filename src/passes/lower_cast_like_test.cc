#include "src/passes/test_graph.h"

namespace tamis {
namespace {

TEST(LowerCastLike, IsACastOfTheTypeThatItTakesOver) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 5});
  t.Output(t.Op("Mul", {x, t.Op("CastLike", {t.Ints({3}), x})}));
  t.Output(t.Op("CastLike", {x, t.Ints({1})}));
  const Graph after =
      RewriteAndCompare(t.graph, {{"lower_cast_like", LowerCastLike}}, {{"x", RandomTensor({2, 5}, 1)}});
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Cast", 2}, {"Mul", 1}}));
  // What is constant folds, which it does not while the other operand is read.
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, {{"lower_cast_like", LowerCastLike}, {"fold_constants", FoldConstants}},
                                       {{"x", RandomTensor({2, 5}, 1)}})),
            (std::map<std::string, int>{{"Cast", 1}, {"Mul", 1}}));
}

TEST(LowerCastLike, KeepsHowSmallFloatsTakeValues) {
  TestGraph t(19);
  const ValueId x = t.Input("x", {4});
  const ValueId like = t.graph.AddConstant("like", Tensor(DType::kFloat8E4M3, {1}));
  const ValueId small = t.Op("CastLike", {x, like}, {{"saturate", int64_t{0}}});
  t.Output(t.Op("Cast", {small}, {{"to", int64_t{1}}}));
  Tensor values(DType::kFloat32, {4});
  for (int64_t i = 0; i < 4; ++i) values.Data<float>()[i] = static_cast<float>(i) * 0.4f;
  const Graph after = RewriteAndCompare(t.graph, {{"lower_cast_like", LowerCastLike}}, {{"x", values}});
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"Cast", 2}}));
}

}  // namespace
}  // namespace tamis
