// Pools against hand-computed values, and the two layouts against each other.
#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using namespace op_testing;  // NOLINT: the helpers of this folder's tests

Tensor Pool(const char* op, Attributes attributes, const Tensor& x, const char* domain = "") {
  auto y = Evaluate({op, domain, std::move(attributes)}, {x});
  EXPECT_TRUE(y.ok()) << y.status().message();
  return y.ok() ? (*y)[0] : Tensor(DType::kFloat32, {});
}

TEST(PoolTest, MaxPoolByHand) {
  const Tensor x = Floats({1, 1, 6}, {-1, -5, -2, -7, -3, -4});
  EXPECT_EQ(Values(Pool("MaxPool", {{"kernel_shape", Dims{3}}}, x)), (std::vector<float>{-1, -2, -2, -3}));
  // Padding never wins, though every value is below zero.
  EXPECT_EQ(Values(Pool("MaxPool", {{"kernel_shape", Dims{3}}, {"pads", Dims{1, 1}}, {"strides", Dims{2}}}, x)),
            (std::vector<float>{-1, -2, -3}));
  EXPECT_EQ(Values(Pool("MaxPool", {{"kernel_shape", Dims{2}}, {"dilations", Dims{3}}}, x)),
            (std::vector<float>{-1, -3, -2}));
}

TEST(PoolTest, MaxPoolIndices) {
  const Tensor x = Floats({1, 2, 2, 3}, {1, 5, 5, 0, 2, 4, 3, 3, 3, 9, 9, 9});
  OneNode pool{"MaxPool", "", {{"kernel_shape", Dims{2, 2}}}, 21, 2};
  auto y = Evaluate(pool, {x});
  ASSERT_TRUE(y.ok()) << y.status().message();
  EXPECT_EQ((*y)[1].ToInt64s(), (std::vector<int64_t>{1, 1, 9, 10}));
  pool.attributes["storage_order"] = int64_t{1};
  y = Evaluate(pool, {x});
  ASSERT_TRUE(y.ok()) << y.status().message();
  EXPECT_EQ((*y)[1].ToInt64s(), (std::vector<int64_t>{2, 2, 7, 9}));
}

TEST(PoolTest, CeilModeDropsAWindowThatStartsInTheEndPadding) {
  const Tensor x = Floats({1, 1, 5}, {1, 2, 3, 4, 5});
  const Attributes ceil = {{"kernel_shape", Dims{2}}, {"strides", Dims{2}}, {"ceil_mode", int64_t{1}}};
  EXPECT_EQ(Values(Pool("MaxPool", ceil, x)), (std::vector<float>{2, 4, 5}));
  Attributes padded = ceil;
  padded["pads"] = Dims{1, 1};
  padded["strides"] = Dims{3};
  padded["kernel_shape"] = Dims{3};
  // A window longer than the input still has its first position.
  Attributes longer = ceil;
  longer["kernel_shape"] = Dims{6};
  EXPECT_EQ(Values(Pool("MaxPool", longer, x)), (std::vector<float>{5}));
  // Starts -1 and 2; a third would start at 5, behind the input.
  EXPECT_EQ(Values(Pool("MaxPool", padded, x)), (std::vector<float>{2, 5}));
}

TEST(PoolTest, AveragePoolCountsPaddingWhenAsked) {
  const Tensor x = Floats({1, 1, 4}, {2, 4, 6, 8});
  Attributes attributes = {{"kernel_shape", Dims{3}}, {"pads", Dims{1, 1}}};
  EXPECT_EQ(Values(Pool("AveragePool", attributes, x)), (std::vector<float>{3, 4, 6, 7}));
  attributes["count_include_pad"] = int64_t{1};
  EXPECT_EQ(Values(Pool("AveragePool", attributes, x)), (std::vector<float>{2, 4, 6, 14.0f / 3}));
  // What ceil_mode adds behind the padding isn't counted.
  attributes = {
      {"kernel_shape", Dims{3}}, {"strides", Dims{3}}, {"ceil_mode", int64_t{1}}, {"count_include_pad", int64_t{1}}};
  EXPECT_EQ(Values(Pool("AveragePool", attributes, x)), (std::vector<float>{4, 8}));
}

TEST(PoolTest, GlobalPools) {
  const Tensor x = Floats({1, 2, 2, 2}, {1, 2, 3, 6, -1, -2, -3, -6});
  EXPECT_EQ(Values(Pool("GlobalAveragePool", {}, x)), (std::vector<float>{3, -3}));
  EXPECT_EQ(Values(Pool("GlobalMaxPool", {}, x)), (std::vector<float>{6, -1}));
  EXPECT_EQ(InferText({"GlobalAveragePool", "", {}}, {F32({Dim::Symbol("n"), 64, 7, Dim::Symbol("w")})}),
            "float32[n, 64, 1, 1]");
}

TEST(PoolTest, ChannelsLastAgreesWithChannelsFirst) {
  CaseMaker make(31);
  const Tensor x = make.Floats({2, 5, 9, 8});
  const Tensor x_last = Permuted(x, {0, 2, 3, 1});
  const Attributes attributes = {{"kernel_shape", Dims{3, 2}}, {"strides", Dims{2, 3}},
                                 {"pads", Dims{1, 0, 0, 1}},   {"ceil_mode", int64_t{1}},
                                 {"dilations", Dims{2, 1}},    {"count_include_pad", int64_t{1}}};
  for (const char* op : {"MaxPool", "AveragePool"}) {
    const Tensor y = Pool(op, attributes, x);
    const Tensor y_last = Pool((std::string("ChannelsLast") + op).c_str(), attributes, x_last, "tamis");
    EXPECT_EQ(Values(Permuted(y, {0, 2, 3, 1})), Values(y_last)) << op;
  }
  const Tensor y = Pool("GlobalAveragePool", {}, x);
  const Tensor y_last = Pool("ChannelsLastGlobalAveragePool", {}, x_last, "tamis");
  EXPECT_EQ(y_last.dims(), (Dims{2, 1, 1, 5}));
  EXPECT_EQ(Values(y), Values(y_last));
}

TEST(PoolTest, InferKeepsSymbols) {
  OneNode pool{"MaxPool", "", {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}}};
  EXPECT_EQ(InferText(pool, {F32({Dim::Symbol("batch"), 64, 112, 112})}), "float32[batch, 64, 56, 56]");
  pool.attributes["ceil_mode"] = int64_t{1};
  const auto types = Infer(pool, {F32({1, 64, Dim::Symbol("h"), 112})});
  ASSERT_TRUE(types.ok()) << types.status().message();
  for (int64_t h = 3; h < 12; ++h) {
    const Tensor y = Pool("MaxPool", pool.attributes, Tensor(DType::kFloat32, {1, 1, h, 112}));
    EXPECT_EQ((*types)[0].shape[2].Evaluate({{"h", h}}), y.dim(2)) << h;
  }
}

TEST(PoolTest, Refusals) {
  EXPECT_NE(InferText({"MaxPool", "", {}}, {F32({1, 1, 4})}).find("kernel_shape"), std::string::npos);
  EXPECT_NE(InferText({"AveragePool", "", {{"kernel_shape", Dims{2, 2}}}}, {F32({1, 1, 4})}).find("1 spatial"),
            std::string::npos);
  EXPECT_NE(InferText({"ChannelsLastMaxPool", "tamis", {{"kernel_shape", Dims{2}}}}, {F32({1, 4, 1})}).find("'pads'"),
            std::string::npos);
  // Enormous windows are refused before anything is computed from them.
  const Attributes huge = {{"kernel_shape", Dims{int64_t{1} << 62}}, {"pads", Dims{int64_t{1} << 62, 0}}};
  EXPECT_NE(InferText({"MaxPool", "", huge}, {F32({1, 1, 4})}).find("1048576"), std::string::npos);
}

}  // namespace
}  // namespace tamis
