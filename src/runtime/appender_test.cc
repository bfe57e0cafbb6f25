#include "src/runtime/appender.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

class Appending : public ::testing::Test {
 protected:
  Appending() { node_.attributes["axis"] = int64_t{-2}; }

  static Tensor Rows(Dims dims, float first) {
    Tensor tensor(DType::kFloat32, std::move(dims));
    for (float& x : tensor.Span<float>()) x = first++;
    return tensor;
  }
  static std::vector<float> Values(const Tensor& tensor) {
    return {tensor.Span<float>().begin(), tensor.Span<float>().end()};
  }
  std::optional<Tensor> Append(const Tensor& a, const Tensor& b) {
    const Tensor* operands[] = {&a, &b};
    return appender_.Append(node_, operands, *buffers_);
  }

  Node node_;
  std::shared_ptr<BufferPool> buffers_ = BufferPool::Make();
  Appender appender_;
};

TEST_F(Appending, GrowsInPlaceAndLeavesEarlierResultsAlone) {
  const Tensor first = Rows({1, 1, 2}, 0);
  EXPECT_FALSE(Append(first, first)) << "nothing was made yet";
  appender_.Note(first);
  std::vector<Tensor> results = {first};
  int moves = 0;
  for (int i = 1; i < 50; ++i) {
    auto longer = Append(results.back(), Rows({1, 1, 2}, static_cast<float>(2 * i)));
    ASSERT_TRUE(longer) << i;
    moves += longer->raw() != results.back().raw() ? 1 : 0;
    results.push_back(std::move(*longer));
  }
  EXPECT_LE(moves, 6) << "its room doubles";
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].dims(), (Dims{1, static_cast<int64_t>(i) + 1, 2}));
    EXPECT_EQ(Values(results[i]), Values(Rows({1, static_cast<int64_t>(i) + 1, 2}, 0)));
  }
}

TEST_F(Appending, AnEarlierResultIsContinuedElsewhere) {
  const Tensor first = Rows({1, 1, 2}, 0);
  appender_.Note(first);
  const auto two = Append(first, Rows({1, 1, 2}, 2));
  const auto three = Append(*two, Rows({1, 1, 2}, 4));
  ASSERT_TRUE(two && three);
  const auto other = Append(*two, Rows({1, 2, 2}, 10));
  ASSERT_TRUE(other);
  EXPECT_EQ(Values(*three), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(Values(*other), (std::vector<float>{0, 1, 2, 3, 10, 11, 12, 13}));
}

TEST_F(Appending, LeavesTheRestToTheKernel) {
  const Tensor rows = Rows({2, 1, 2}, 0);
  appender_.Note(rows);
  EXPECT_FALSE(Append(rows, rows)) << "the pieces interleave";
  const Tensor first = Rows({1, 1, 2}, 0);
  appender_.Note(first);
  EXPECT_FALSE(Append(first, Rows({1, 1, 3}, 0))) << "they do not fit together";
  EXPECT_FALSE(Append(first, Tensor(DType::kInt64, {1, 1, 2})));
  EXPECT_FALSE(Append(Rows({1, 1, 2}, 0), first)) << "it is another value";
}

}  // namespace
}  // namespace tamis
