#include "src/compiler/samples/distinct_samples.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

Tensor Column(const std::vector<float>& values) {
  return Tensor::Of<float>(DType::kFloat32, {static_cast<int64_t>(values.size()), 1}, values);
}

TEST(DistinctSamples, EqualInEveryInputIsNoOther) {
  DistinctSamples distinct;
  distinct.Add({{"a", Column({1, 2, 1})}, {"b", Column({5, 5, 5})}}, 3);
  EXPECT_EQ(distinct.count(), 2);
  distinct.Add({{"a", Column({2, 1})}, {"b", Column({5, 6})}}, 2);  // the first was there
  EXPECT_EQ(distinct.count(), 3);
  distinct.Add({{"a", Column({7, 8})}, {"b", Column({0, 0})}}, 2, 1);  // the first does not count
  EXPECT_EQ(distinct.count(), 4);
}

TEST(DistinctSamples, WhatCannotBeToldApartIsTakenAsOthers) {
  DistinctSamples distinct;
  distinct.Add({{"text", Tensor::Strings({2}, {"same", "same"})}}, 2);
  EXPECT_EQ(distinct.count(), 2);
}

}  // namespace
}  // namespace tamis
