// What the node tests and the operators' own cases don't reach: sequence lengths, symbolic shapes and refusals.
#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using namespace op_testing;  // NOLINT: the helpers of this folder's tests

TEST(RecurrentTest, LengthsCutSequencesInBothDirections) {
  // h = x + h, so that every state is the sum of what was seen.
  const Tensor x = Floats({3, 2, 1}, {1, 10, 2, 20, 4, 40});
  const Tensor weight = Floats({2, 1, 1}, {1, 1}),
               lengths = Tensor::Of<int32_t>(DType::kInt32, {2}, std::vector<int32_t>{3, 1});
  const OneNode rnn{
      "RNN",
      "",
      {{"direction", std::string("bidirectional")}, {"activations", std::vector<std::string>{"Affine", "affine"}}},
      21,
      2};
  const auto y = Evaluate(rnn, {x, weight, weight, Tensor(), lengths});
  ASSERT_TRUE(y.ok()) << y.status().message();
  EXPECT_EQ((*y)[0].dims(), (Dims{3, 2, 2, 1}));
  EXPECT_EQ(Values((*y)[0]), (std::vector<float>{1, 10, 7, 10, 3, 0, 6, 0, 7, 0, 4, 0}));
  EXPECT_EQ(Values((*y)[1]), (std::vector<float>{7, 10, 7, 10}));
  EXPECT_NE(
      ErrorOf(rnn, {x, weight, weight, Tensor(), Tensor::Of<int32_t>(DType::kInt32, {2}, std::vector<int32_t>{4, 1})})
          .find("length of 4"),
      std::string::npos);
}

TEST(RecurrentTest, ShapesKeepSymbols) {
  const Dim s = Dim::Symbol("s"), b = Dim::Symbol("b");
  const auto types =
      Infer({"LSTM", "", {{"hidden_size", int64_t{8}}}, 21, 3}, {F32({s, b, 4}), F32({1, 32, 4}), F32({1, 32, 8})});
  ASSERT_TRUE(types.ok()) << types.status().message();
  EXPECT_EQ((*types)[0].ToString(), "float32[s, 1, b, 8]");
  EXPECT_EQ((*types)[2].ToString(), "float32[1, b, 8]");
  EXPECT_EQ(InferText({"GRU", "", {{"layout", int64_t{1}}}}, {F32({b, s, 4}), F32({1, 24, 4}), F32({1, 24, 8})}),
            "float32[b, s, 1, 8]");
}

TEST(RecurrentTest, AllProblemsAreNamed) {
  const std::string text = InferText({"LSTM", "", {{"direction", std::string("up")}, {"clip", -1.0f}}},
                                     {F32({3, 2, 4}), F32({1, 31, 4}), F32({1, 32, 8})});
  EXPECT_NE(text.find("'direction' is 'up'"), std::string::npos) << text;
  EXPECT_NE(text.find("'clip'"), std::string::npos) << text;
  const std::string shapes =
      InferText({"LSTM", "", {}}, {F32({3, 2, 4}), F32({1, 31, 4}), F32({1, 32, 8}), F32({1, 9})});
  EXPECT_NE(shapes.find("input 1 has shape [1, 31, 4]"), std::string::npos) << shapes;
  EXPECT_NE(shapes.find("input 3 has shape [1, 9]"), std::string::npos) << shapes;
  EXPECT_NE(InferText({"RNN", "", {{"activations", std::vector<std::string>{"Sine"}}}},
                      {F32({3, 2, 4}), F32({1, 8, 4}), F32({1, 8, 8})})
                .find("'Sine'"),
            std::string::npos);
}

}  // namespace
}  // namespace tamis
