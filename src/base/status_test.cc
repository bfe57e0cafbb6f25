#include "tamis/status.h"

#include <gtest/gtest.h>

#include <memory>

namespace tamis {
namespace {

TEST(StatusTest, OkCarriesNothing) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.message(), "ok");
  EXPECT_TRUE(status.WithContext("loading").ok());
}

TEST(StatusTest, ErrorsKeepTheirKindAndFormat) {
  const Status user = UserError("dimension {} is {}", 2, -1);
  EXPECT_FALSE(user.ok());
  EXPECT_EQ(user.kind(), ErrorKind::kUser);
  EXPECT_EQ(user.message(), "dimension 2 is -1");
  EXPECT_EQ(RuntimeError("disk full").kind(), ErrorKind::kRuntime);
  EXPECT_EQ(InternalError("{}", "bug").kind(), ErrorKind::kInternal);
}

TEST(StatusTest, ContextGoesInFrontAndLeavesTheOriginal) {
  const Status inner = RuntimeError("no such file");
  const Status outer = inner.WithContext("weights.bin").WithContext("model.onnx");
  EXPECT_EQ(outer.message(), "model.onnx: weights.bin: no such file");
  EXPECT_EQ(outer.kind(), ErrorKind::kRuntime);
  EXPECT_EQ(inner.message(), "no such file");
}

Result<int> Half(int value) {
  if (value % 2 != 0) return UserError("{} is odd", value);
  return value / 2;
}

Status CheckQuarter(int value, int* quarter) {
  TAMIS_ASSIGN_OR_RETURN(const int half, Half(value));
  TAMIS_ASSIGN_OR_RETURN(*quarter, Half(half));
  TAMIS_RETURN_IF_ERROR(Half(*quarter).status());
  return {};
}

TEST(ResultTest, HoldsAValueOrAnError) {
  const Result<int> good = Half(8);
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(good.status().ok());
  EXPECT_EQ(*good, 4);
  const Result<int> bad = Half(7);
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().message(), "7 is odd");
}

TEST(ResultTest, MacrosReturnTheFirstError) {
  int quarter = 0;
  EXPECT_TRUE(CheckQuarter(8, &quarter).ok());
  EXPECT_EQ(quarter, 2);
  EXPECT_EQ(CheckQuarter(5, &quarter).message(), "5 is odd");
  EXPECT_EQ(CheckQuarter(6, &quarter).message(), "3 is odd");
  EXPECT_EQ(CheckQuarter(4, &quarter).message(), "1 is odd");
  EXPECT_EQ(quarter, 1) << "assigned before the last check failed";
}

TEST(ResultTest, MovesValuesThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(3);
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 3);
}

TEST(ResultDeathTest, TheValueOfAnErrorIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Result<int> bad = Half(7);
  EXPECT_DEATH(static_cast<void>(bad.value()), "internal error: assertion 'ok\\(\\)' failed");
}

}  // namespace
}  // namespace tamis
