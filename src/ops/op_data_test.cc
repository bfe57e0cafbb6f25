#include <gtest/gtest.h>

#include <numeric>

#include "src/ops/op_evaluate_one.h"

namespace tamis {
namespace {

using namespace op_values;  // NOLINT: the tests read as tables

// 0, 1, 2, ... as int64.
Tensor Counting(Dims dims) {
  std::vector<int64_t> values(static_cast<size_t>(NumElements(dims)));
  std::iota(values.begin(), values.end(), 0);
  return Of<int64_t>(std::move(values), std::move(dims));
}
std::map<std::string, Attribute> Ints(const std::string& key, std::vector<int64_t> values) {
  return {{key, std::move(values)}};
}

TEST(OpData, AxesAsAttributeAndAsInput) {
  const Tensor x = Counting({1, 3, 1});
  EXPECT_EQ(Text(OneOp{"Squeeze", Ints("axes", {0}), 11}({x})), "int64[3, 1] {0, 1, 2}");
  EXPECT_EQ(Text(OneOp{"Squeeze"}({x, Of<int64_t>({-1})})), "int64[1, 3] {0, 1, 2}");
  EXPECT_EQ(Text(OneOp{"Squeeze"}({x})), "int64[3] {0, 1, 2}");
  EXPECT_TRUE(Fails(OneOp{"Squeeze"}({x, Of<int64_t>({1})})));
  EXPECT_TRUE(Fails(OneOp{"Squeeze"}({x, Of<int64_t>({3})})));
  EXPECT_EQ(Text(OneOp{"Unsqueeze", Ints("axes", {0, 2}), 11}({Counting({2})})), "int64[1, 2, 1] {0, 1}");
  EXPECT_EQ(Text(OneOp{"Unsqueeze"}({Counting({2}), Of<int64_t>({-1})})), "int64[2, 1] {0, 1}");
  EXPECT_TRUE(Fails(OneOp{"Unsqueeze"}({Counting({2}), Of<int64_t>({0, 0})})));
  const Tensor f = Of<float>({1, 2, 3, 4}, {2, 2});
  EXPECT_EQ(Text(OneOp{"ReduceSum", {{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{0}}}, 11}({f})),
            "float32[2] {3, 7}");
  EXPECT_EQ(Text(OneOp{"ReduceSum"}({f, Of<int64_t>({0})})), "float32[1, 2] {4, 6}");
  EXPECT_EQ(Text(OneOp{"Slice", {{"starts", std::vector<int64_t>{1}}, {"ends", std::vector<int64_t>{9}}}, 9}({f})),
            "float32[1, 2] {3, 4}");
  EXPECT_EQ(Text(OneOp{"Pad", {{"pads", std::vector<int64_t>{0, 1, 0, 0}}, {"value", 7.0f}}, 10}({f})),
            "float32[2, 3] {7, 1, 2, 7, 3, 4}");
  EXPECT_EQ(Text(OneOp{"TopK", {{"k", int64_t{1}}}, 9, 2}({f}), 1), "int64[2, 1] {1, 1}");
  EXPECT_EQ(Text(OneOp{"Split", Ints("split", {2, 1}), 11, 2}({Counting({3})}), 1), "int64[1] {2}");
}

TEST(OpData, SlicesClampAndStepBack) {
  const auto slice = [](int64_t start, int64_t end, int64_t step) {
    return Text(OneOp{"Slice"}(
        {Counting({5}), Of<int64_t>({start}), Of<int64_t>({end}), Of<int64_t>({0}), Of<int64_t>({step})}));
  };
  EXPECT_EQ(slice(1, 4, 2), "int64[2] {1, 3}");
  EXPECT_EQ(slice(-2, INT64_MAX, 1), "int64[2] {3, 4}");
  EXPECT_EQ(slice(-1, INT64_MIN, -1), "int64[5] {4, 3, 2, 1, 0}");
  EXPECT_EQ(slice(9, 0, -3), "int64[2] {4, 1}");
  EXPECT_EQ(slice(4, 1, 1), "int64[0] {}");
  EXPECT_EQ(slice(0, 5, INT64_MAX), "int64[1] {0}");
  EXPECT_EQ(slice(INT64_MIN, INT64_MAX, 1), "int64[5] {0, 1, 2, 3, 4}");
  EXPECT_NE(slice(0, 5, 0).find("step"), std::string::npos);
}

TEST(OpData, MovesAndCopies) {
  EXPECT_EQ(Text(OneOp{"Transpose"}({Counting({2, 3})})), "int64[3, 2] {0, 3, 1, 4, 2, 5}");
  EXPECT_EQ(Text(OneOp{"Transpose", Ints("perm", {1, 2, 0})}({Counting({2, 1, 2})})), "int64[1, 2, 2] {0, 2, 1, 3}");
  EXPECT_TRUE(Fails(OneOp{"Transpose", Ints("perm", {0, 0})}({Counting({2, 3})})));
  EXPECT_EQ(Text(OneOp{"Expand"}({Counting({2, 1}), Of<int64_t>({3})})), "int64[2, 3] {0, 0, 0, 1, 1, 1}");
  EXPECT_EQ(Text(OneOp{"Tile"}({Counting({1, 2}), Of<int64_t>({2, 2})})), "int64[2, 4] {0, 1, 0, 1, 0, 1, 0, 1}");
  EXPECT_EQ(Text(OneOp{"Concat", {{"axis", int64_t{1}}}}({Counting({2, 1}), Counting({2, 2})})),
            "int64[2, 3] {0, 0, 1, 1, 2, 3}");
  EXPECT_TRUE(Fails(OneOp{"Concat", {{"axis", int64_t{0}}}}({Counting({2, 1}), Counting({2, 2})})));
  EXPECT_EQ(Text(OneOp{"Flatten", {{"axis", int64_t{-1}}}}({Counting({1, 2, 2})})), "int64[2, 2] {0, 1, 2, 3}");
  EXPECT_EQ(Text(OneOp{"DepthToSpace", {{"blocksize", int64_t{2}}}}({Counting({1, 4, 1, 2})})),
            "int64[1, 1, 2, 4] {0, 2, 1, 3, 4, 6, 5, 7}");
  EXPECT_EQ(Text(OneOp{"SpaceToDepth", {{"blocksize", int64_t{2}}}}({Counting({1, 1, 2, 4})})),
            "int64[1, 4, 1, 2] {0, 2, 1, 3, 4, 6, 5, 7}");
  EXPECT_EQ(Text(OneOp{"Trilu", {{"upper", int64_t{0}}}}({Counting({2, 2}), Of<int64_t>({-1}, {})})),
            "int64[2, 2] {0, 0, 2, 0}");
}

TEST(OpData, GathersAndScatters) {
  EXPECT_EQ(Text(OneOp{"Gather"}({Counting({3, 2}), Of<int64_t>({-1, 0})})), "int64[2, 2] {4, 5, 0, 1}");
  EXPECT_EQ(Text(OneOp{"Gather", {{"axis", int64_t{1}}}}({Counting({2, 2}), Of<int32_t>({1}, {})})), "int64[2] {1, 3}");
  EXPECT_TRUE(Fails(OneOp{"Gather"}({Counting({3, 2}), Of<int64_t>({3})})));
  EXPECT_EQ(Text(OneOp{"GatherElements"}({Counting({3, 2}), Of<int64_t>({2, -3}, {1, 2})})), "int64[1, 2] {4, 1}");
  EXPECT_TRUE(Fails(OneOp{"GatherElements"}({Counting({3, 2}), Of<int64_t>({-4, 0}, {1, 2})})));
  EXPECT_TRUE(Fails(OneOp{"GatherElements"}({Counting({3, 2}), Of<int64_t>({0, 0, 0}, {1, 3})})));
  EXPECT_EQ(Text(OneOp{"GatherND"}({Counting({2, 2}), Of<int64_t>({0, 1, 1, -2}, {2, 2})})), "int64[2] {1, 2}");
  EXPECT_TRUE(Fails(OneOp{"GatherND"}({Counting({2, 2}), Of<int64_t>({0, 2}, {1, 2})})));
  EXPECT_TRUE(Fails(OneOp{"GatherND"}({Counting({2, 2}), Of<int64_t>({0, 0, 0}, {1, 3})})));
  const Tensor updates = Of<int64_t>({10, 20}, {1, 2});
  EXPECT_EQ(Text(OneOp{"ScatterND"}({Counting({2, 2}), Of<int64_t>({-1}, {1, 1}), updates})),
            "int64[2, 2] {0, 1, 10, 20}");
  EXPECT_EQ(Text(OneOp{"ScatterND",
                       {{"reduction", std::string("mul")}}}({Counting({2, 2}), Of<int64_t>({1}, {1, 1}), updates})),
            "int64[2, 2] {0, 1, 20, 60}");
  EXPECT_TRUE(Fails(OneOp{"ScatterND"}({Counting({2, 2}), Of<int64_t>({2}, {1, 1}), updates})));
  EXPECT_EQ(Text(OneOp{"ScatterElements", {{"axis", int64_t{1}}, {"reduction", std::string("add")}}}(
                {Counting({1, 3}), Of<int64_t>({2, 2}, {1, 2}), updates})),
            "int64[1, 3] {0, 1, 32}");
  EXPECT_TRUE(Fails(OneOp{"ScatterElements"}({Counting({1, 3}), Of<int64_t>({1, 0}, {1, 2}), updates})));
}

TEST(OpData, PadsOfEveryMode) {
  const auto pad = [](const std::string& mode, std::vector<int64_t> pads, const Tensor& axes = {}) {
    return Text(OneOp{"Pad", {{"mode", mode}}}({Counting({3}), Of<int64_t>(std::move(pads)), Tensor(), axes}));
  };
  EXPECT_EQ(pad("constant", {1, 1}), "int64[5] {0, 0, 1, 2, 0}");
  EXPECT_EQ(pad("reflect", {2, 1}), "int64[6] {2, 1, 0, 1, 2, 1}");
  EXPECT_EQ(pad("edge", {2, 1}), "int64[6] {0, 0, 0, 1, 2, 2}");
  EXPECT_EQ(pad("wrap", {2, 1}), "int64[6] {1, 2, 0, 1, 2, 0}");
  EXPECT_EQ(pad("constant", {-1, 2}, Of<int64_t>({-1})), "int64[4] {1, 2, 0, 0}");
  EXPECT_NE(pad("reflect", {3, 0}).find("can't be padded"), std::string::npos);
  EXPECT_NE(pad("constant", {-2, -2}).find("error"), std::string::npos);
  EXPECT_NE(pad("constant", {1}).find("error"), std::string::npos);
  EXPECT_NE(pad("mirror", {1, 1}).find("not known"), std::string::npos);
}

TEST(OpData, OrderAndIndices) {
  const Tensor x = Of<float>({3, 1, 3, 2}, {1, 4});
  EXPECT_EQ(Text(OneOp{"ArgMax", {{"axis", int64_t{1}}}}({x})), "int64[1, 1] {0}");
  EXPECT_EQ(
      Text(OneOp{"ArgMax", {{"axis", int64_t{-1}}, {"select_last_index", int64_t{1}}, {"keepdims", int64_t{0}}}}({x})),
      "int64[1] {2}");
  EXPECT_EQ(Text(OneOp{"ArgMin", {{"axis", int64_t{1}}}}({x})), "int64[1, 1] {1}");
  const auto top = OneOp{"TopK", {}, 21, 2}({x, Of<int64_t>({3})});
  EXPECT_EQ(Text(top), "float32[1, 3] {3, 3, 2}");
  EXPECT_EQ(Text(top, 1), "int64[1, 3] {0, 2, 3}");
  EXPECT_TRUE(Fails(OneOp{"TopK", {}, 21, 2}({x, Of<int64_t>({5})})));
  EXPECT_EQ(Text(OneOp{"NonZero"}({Of<float>({0, 1, 2, 0}, {2, 2})})), "int64[2, 2] {0, 1, 1, 0}");
  EXPECT_EQ(Text(OneOp{"OneHot"}({Of<int64_t>({1, -1, 7}), Of<int64_t>({3}), Of<float>({0, 5})})),
            "float32[3, 3] {0, 5, 0, 0, 0, 5, 0, 0, 0}");
  const Tensor axis = Of<int64_t>({0});
  EXPECT_EQ(Text(OneOp{"CumSum"}({Counting({4}), axis})), "int64[4] {0, 1, 3, 6}");
  EXPECT_EQ(Text(OneOp{"CumSum", {{"exclusive", int64_t{1}}, {"reverse", int64_t{1}}}}({Counting({4}), axis})),
            "int64[4] {6, 5, 3, 0}");
  EXPECT_TRUE(Fails(OneOp{"CumSum"}({Counting({4}), Of<int64_t>({1})})));
}

TEST(OpData, Constructors) {
  EXPECT_EQ(Text(OneOp{"Range"}({Of<float>({1}, {}), Of<float>({2}, {}), Of<float>({0.25f}, {})})),
            "float32[4] {1, 1.25, 1.5, 1.75}");
  EXPECT_TRUE(Fails(OneOp{"Range"}({Of<int64_t>({1}, {}), Of<int64_t>({2}, {}), Of<int64_t>({0}, {})})));
  EXPECT_TRUE(Fails(OneOp{"Range"}({Of<float>({0}, {}), Of<float>({2}, {}), Of<float>({0}, {})})));
  EXPECT_TRUE(Fails(OneOp{"Range"}({Of<int64_t>({0}, {}), Of<int64_t>({1}, {}), Of<int64_t>({1, 2})})));
  EXPECT_EQ(Text(OneOp{"ConstantOfShape"}({Of<int64_t>({})})), "float32[] {0}");
  EXPECT_EQ(Text(OneOp{"EyeLike", {{"k", int64_t{1}}, {"dtype", int64_t{9}}}}({Counting({2, 3})})),
            "bool[2, 3] {0, 1, 0, 0, 0, 1}");
  EXPECT_EQ(Text(OneOp{"Shape", {{"start", int64_t{-2}}}}({Counting({4, 1, 2})})), "int64[2] {1, 2}");
  EXPECT_EQ(Text(OneOp{"Size"}({Counting({4, 1, 2})})), "int64[] {8}");
  EXPECT_EQ(Text(OneOp{"Constant", {{"value_ints", std::vector<int64_t>{4, 5}}}}({})), "int64[2] {4, 5}");
}

TEST(OpData, Reductions) {
  const Tensor x = Of<float>({1, -2, 3, -4}, {2, 2});
  const auto reduce = [&](const std::string& op) {
    return Text(OneOp{op, {{"keepdims", int64_t{0}}}}({x, Of<int64_t>({1})}));
  };
  EXPECT_EQ(reduce("ReduceSum"), "float32[2] {-1, -1}");
  EXPECT_EQ(reduce("ReduceMean"), "float32[2] {-0.5, -0.5}");
  EXPECT_EQ(reduce("ReduceMax"), "float32[2] {1, 3}");
  EXPECT_EQ(reduce("ReduceMin"), "float32[2] {-2, -4}");
  EXPECT_EQ(reduce("ReduceProd"), "float32[2] {-2, -12}");
  EXPECT_EQ(reduce("ReduceL1"), "float32[2] {3, 7}");
  EXPECT_EQ(reduce("ReduceL2"), "float32[2] {2.236068, 5}");
  EXPECT_EQ(reduce("ReduceSumSquare"), "float32[2] {5, 25}");
  const Tensor one = Of<float>({1, 1});
  EXPECT_EQ(Text(OneOp{"ReduceLogSum"}({one})), "float32[1] {0.6931472}");
  EXPECT_EQ(Text(OneOp{"ReduceLogSumExp"}({Of<float>({1000, 1000})})), "float32[1] {1000.6932}");
  EXPECT_EQ(Text(OneOp{"ReduceSum", {{"noop_with_empty_axes", int64_t{1}}}}({one})), "float32[2] {1, 1}");
  EXPECT_EQ(Text(OneOp{"ReduceSum"}({Of<float>({}, {2, 0}), Of<int64_t>({1})})), "float32[2, 1] {0, 0}");
  EXPECT_TRUE(Fails(OneOp{"ReduceSum"}({one, Of<int64_t>({1})})));
}

TEST(OpData, ResizeModes) {
  const Tensor x = Of<float>({1, 2, 3, 4}, {1, 1, 1, 4});
  const auto sized = [&](int64_t width, std::map<std::string, Attribute> attributes) {
    return Text(OneOp{"Resize", std::move(attributes)}({x, Tensor(), Tensor(), Of<int64_t>({1, 1, 1, width})}));
  };
  const std::string linear = "linear", floor = "floor", asymmetric = "asymmetric", corners = "align_corners";
  EXPECT_EQ(sized(8, {{"coordinate_transformation_mode", asymmetric}, {"nearest_mode", floor}}),
            "float32[1, 1, 1, 8] {1, 1, 2, 2, 3, 3, 4, 4}");
  EXPECT_EQ(sized(2, {{"mode", linear}}), "float32[1, 1, 1, 2] {1.5, 3.5}");
  EXPECT_EQ(sized(7, {{"mode", linear}, {"coordinate_transformation_mode", corners}}),
            "float32[1, 1, 1, 7] {1, 1.5, 2, 2.5, 3, 3.5, 4}");
  EXPECT_NE(sized(7, {{"mode", std::string("quintic")}}).find("'quintic'"), std::string::npos);
  EXPECT_EQ(Text(OneOp{"Resize", {}, 10}({x, Of<float>({1, 1, 1, 0.5f})})), "float32[1, 1, 1, 2] {1, 3}");
  EXPECT_TRUE(Fails(OneOp{"Resize"}({x, Tensor(), Of<float>({1, 1, 1, -1})})));
  EXPECT_TRUE(Fails(OneOp{"Resize"}({x, Tensor(), Of<float>({1, 1, 1, 1e20f})})));
}

// Data that only moves may be of any type with whole bytes; others are refused by name.
TEST(OpData, TypesOfLessThan16Bits) {
  const Tensor nibbles(DType::kInt4, {4});
  EXPECT_EQ((*OneOp{"Transpose"}({nibbles}))[0].dtype(), DType::kInt4);
  EXPECT_NE(Text(OneOp{"Gather"}({Counting({4}), nibbles})).find("int4"), std::string::npos);
  EXPECT_TRUE(Fails(OneOp{"Add"}({nibbles, nibbles})));
  const auto eights = OneOp{"Transpose"}({Tensor(DType::kFloat8E4M3, {2, 3})});
  ASSERT_TRUE(eights.ok());
  EXPECT_EQ(ToString((*eights)[0].dims()), "[3, 2]");
}

}  // namespace
}  // namespace tamis
