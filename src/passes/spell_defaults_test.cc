#include "src/passes/test_graph.h"

namespace tamis {
namespace {

TEST(SpellDefaults, RoiAlignOfEveryOperatorSet) {
  for (int64_t opset : {10, 16, 22}) {
    TestGraph t(opset);
    const ValueId x = t.Input("x", {1, 2, 8, 9});
    const ValueId regions = t.graph.AddConstant("regions", RandomTensor({3, 4}, 2));
    const auto align = [&](const Attributes& attributes) {
      return t.Op("RoiAlign", {x, regions, t.Ints({0, 0, 0})}, attributes);
    };
    t.Output(align({{"output_height", int64_t{2}}, {"output_width", int64_t{3}}}));
    if (opset >= 16) t.Output(align({{"coordinate_transformation_mode", std::string("output_half_pixel")}}));
    const Graph after =
        RewriteAndCompare(t.graph, {{"spell_defaults", SpellDefaults}}, {{"x", RandomTensor({1, 2, 8, 9}, 1)}});
    EXPECT_EQ(after.node(0).String("coordinate_transformation_mode", ""),
              opset < 16 ? "output_half_pixel" : "half_pixel");
    if (opset >= 16) {
      EXPECT_EQ(after.node(1).String("coordinate_transformation_mode", ""), "output_half_pixel");
    }
  }
}

}  // namespace
}  // namespace tamis
