#include "src/passes/detect_patterns.h"

#include "src/passes/test_graph.h"

namespace tamis {
namespace {

// Two of each four non-zero, the last group of each row shorter if columns % 4 != 0.
Tensor TwoFour(Dims dims) {
  Tensor weight = RandomTensor(std::move(dims), 1, 0.5f, 1);
  for (int64_t i = 0; i < weight.NumElements(); ++i) {
    if (i % weight.dim(-1) % 4 < 2) weight.Data<float>()[i] = i % 3 == 0 ? -0.0f : 0.0f;
  }
  return weight;
}

Graph LinearOn(Tensor weight) {
  TestGraph t;
  const ValueId x = t.Input("x", {2, weight.dim(1)});
  t.Output(t.Op("Linear", {x, t.graph.AddConstant("w", std::move(weight))}, {}, kTamisDomain));
  return std::move(t.graph);
}

TEST(DetectPatterns, MarksWeightsThatHold) {
  for (int64_t columns : {8, 10, 16}) {
    Graph graph = LinearOn(TwoFour({6, columns}));
    ASSERT_TRUE(DetectPatterns(graph, {}).ok());
    EXPECT_EQ(graph.value(graph.node(0).inputs[1]).pattern, Pattern::kTwoFour) << columns;
    EXPECT_TRUE(PatternNotes(graph).empty());
  }
}

TEST(DetectPatterns, DenseStaysDense) {
  Graph graph = LinearOn(RandomTensor({6, 8}, 2));
  ASSERT_TRUE(DetectPatterns(graph, {}).ok());
  EXPECT_EQ(graph.value(graph.node(0).inputs[1]).pattern, Pattern::kDense);
  EXPECT_TRUE(PatternNotes(graph).empty());
}

TEST(DetectPatterns, NamesTheFirstBrokenGroup) {
  Tensor weight = TwoFour({10, 8});
  weight.Data<float>()[3 * 8 + 5] = 1;  // row 3, elements 4 to 7 now hold three
  const PatternCheck check = CheckTwoFour(weight);
  EXPECT_FALSE(check.holds);
  EXPECT_EQ(check.groups, 20);
  EXPECT_EQ(check.broken_groups, 1);
  EXPECT_EQ(check.first_broken, 7);
  Graph graph = LinearOn(weight);
  ASSERT_TRUE(DetectPatterns(graph, {}).ok());
  EXPECT_EQ(graph.value(graph.node(0).inputs[1]).pattern, Pattern::kDense);
  const auto notes = PatternNotes(graph);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("'w'"), std::string::npos) << notes[0];
  EXPECT_NE(notes[0].find("row 3, elements 4 to 7"), std::string::npos) << notes[0];
}

TEST(DetectPatterns, BFloat16AndEmpty) {
  const Tensor wide = TwoFour({4, 8});
  Tensor low(DType::kBFloat16, wide.dims());
  for (int64_t i = 0; i < wide.NumElements(); ++i) {
    low.Data<uint16_t>()[i] = wide.Data<float>()[i] == 0 ? 0x8000 : 0x3f80;
  }
  EXPECT_TRUE(CheckTwoFour(low).holds);
  EXPECT_EQ(CheckTwoFour(Tensor(DType::kFloat32, {0, 4})).groups, 0);
}

TEST(DetectPatterns, MarksInt8Products) {
  Tensor codes(DType::kInt8, {3, 8});
  for (int64_t i = 0; i < codes.NumElements(); ++i) codes.Data<int8_t>()[i] = i % 4 < 2 ? int8_t{-128} : int8_t{0};
  for (const bool holds : {true, false}) {
    if (!holds) codes.Data<int8_t>()[10] = 1;
    TestGraph t;
    const ValueId weight = t.graph.AddConstant("w", codes);
    const ValueId scale = t.graph.AddConstant("scale", RandomTensor({3}, 1));
    t.Output(t.Op("DynamicQuantizedLinear", {t.Input("x", {2, 8}), weight, scale}, {}, kTamisDomain));
    ASSERT_TRUE(DetectPatterns(t.graph, {}).ok());
    EXPECT_EQ(t.graph.value(weight).pattern, holds ? Pattern::kTwoFour : Pattern::kDense);
  }
}

}  // namespace
}  // namespace tamis
