#include "src/passes/index_values.h"

#include "src/passes/test_graph.h"

namespace tamis {
namespace {

Tensor Counting(int64_t count) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(i);
  return Tensor::Int64s(values).Reshaped({1, count});
}

TEST(IndexValues, SlicesOfEveryOperatorSet) {
  using Ints = std::vector<int64_t>;
  for (int64_t opset : {9, 13}) {
    SCOPED_TRACE(opset);
    TestGraph t(opset);
    const ValueId places = t.graph.AddConstant("places", Counting(16));
    const auto slice = [&](const Ints& starts, const Ints& ends, const Ints& axes) {
      if (opset >= 10) return t.Op("Slice", {places, t.Ints(starts), t.Ints(ends), t.Ints(axes)});
      return t.Op("Slice", {places}, {{"starts", starts}, {"ends", ends}, {"axes", axes}});
    };
    const auto later = MatchIndex(t.graph, slice({3}, {9}, {1}));
    ASSERT_TRUE(later);
    EXPECT_EQ(later->axis, 1);
    EXPECT_EQ(later->offset, Dim(3));
    const auto whole = MatchIndex(t.graph, slice({0}, {1}, {-2}));  // of another axis than its own
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->offset, Dim(0));
    EXPECT_FALSE(MatchIndex(t.graph, slice({-3}, {16}, {1}))) << "a start counted from the end";
    EXPECT_FALSE(MatchIndex(t.graph, slice({0, 2}, {1, 5}, {0, 1}))) << "two axes";
  }
  TestGraph t(9);
  const ValueId places = t.graph.AddConstant("places", Counting(16));
  const ValueId both = t.Op("Slice", {places}, {{"starts", Ints{0, 3}}, {"ends", Ints{1, 9}}});
  EXPECT_FALSE(MatchIndex(t.graph, both)) << "two axes that no attribute names";
}

}  // namespace
}  // namespace tamis
