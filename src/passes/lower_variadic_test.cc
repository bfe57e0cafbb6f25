#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"lower_variadic", LowerVariadic}};
using Counts = std::map<std::string, int>;

Counts Lower(const std::string& op, int operands, DType dtype = DType::kFloat32) {
  TestGraph t;
  const ValueId x = t.Input("x", {Dim::Symbol("n"), 5}, dtype);
  std::vector<ValueId> inputs = {x};
  for (int i = 1; i < operands; ++i)
    inputs.push_back(dtype == DType::kFloat32 ? t.Weight(i % 2 == 0 ? Dims{5} : Dims{1, 5}) : x);
  t.Output(t.Op(op, inputs));
  Tensor values = RandomTensor({3, 5}, 1);
  if (dtype != DType::kFloat32) {
    values = Tensor(DType::kInt64, {3, 5});
    for (int64_t i = 0; i < 15; ++i) values.Data<int64_t>()[i] = i * i % 7;
  }
  return CountOps(RewriteAndCompare(t.graph, kPass, {{"x", values}}, 1e-6));
}

TEST(LowerVariadic, ChainsOfTwo) {
  EXPECT_EQ(Lower("Sum", 3), (Counts{{"Add", 2}}));
  EXPECT_EQ(Lower("Sum", 2), (Counts{{"Add", 1}}));
  EXPECT_EQ(Lower("Sum", 1), (Counts{{"Identity", 1}}));
  EXPECT_EQ(Lower("Mean", 3), (Counts{{"Add", 2}, {"Mul", 1}}));
  EXPECT_EQ(Lower("Mean", 1), (Counts{{"Identity", 1}}));
  EXPECT_EQ(Lower("Max", 3), (Counts{{"Max", 2}}));
  EXPECT_EQ(Lower("Min", 3), (Counts{{"Min", 2}}));
}

TEST(LowerVariadic, WhatStays) {
  EXPECT_EQ(Lower("Max", 2), (Counts{{"Max", 1}}));
  EXPECT_EQ(Lower("Sum", 4), (Counts{{"Sum", 1}}));
  EXPECT_EQ(Lower("Max", 3, DType::kInt64), (Counts{{"Max", 1}}));
}

}  // namespace
}  // namespace tamis
