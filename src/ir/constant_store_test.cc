#include "src/ir/constant_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace tamis {
namespace {

constexpr size_t kNone = 0;  // every graph is large

Tensor Counting(int64_t count) {
  Tensor tensor(DType::kFloat32, {count});
  std::iota(tensor.Data<float>(), tensor.Data<float>() + count, 1.0F);
  return tensor;
}

Graph TwoConstants() {
  Graph graph;
  graph.AddConstant("large", Counting(100'000));
  graph.AddConstant("small", Counting(10));
  return graph;
}

TEST(ConstantStore, LargeConstantsMoveAndKeepTheirElements) {
  Graph graph = TwoConstants();
  const std::byte *const large = graph.value(0).constant->raw(), *const small = graph.value(1).constant->raw();
  {
    ConstantStore store(kNone);
    store.Keep(graph);
  }
  EXPECT_NE(graph.value(0).constant->raw(), large);
  EXPECT_EQ(graph.value(1).constant->raw(), small);
  ConstantStore::Rest(graph);
  const Tensor expected = Counting(100'000);
  const std::span<const float> kept = graph.value(0).constant->Span<float>(), wanted = expected.Span<float>();
  EXPECT_TRUE(std::equal(kept.begin(), kept.end(), wanted.begin(), wanted.end()));
}

TEST(ConstantStore, WhatIsOnDiskIsSharedAndNotCopiedAgain) {
  Graph graph = TwoConstants();
  ConstantStore store(kNone);
  store.Keep(graph);
  Graph fused = graph.Clone();
  store.Keep(fused);
  ConstantStore(kNone).Keep(fused);
  EXPECT_EQ(fused.value(0).constant->raw(), graph.value(0).constant->raw());
}

TEST(ConstantStore, SmallGraphsStayInMemory) {
  Graph graph = TwoConstants();
  const std::byte* const large = graph.value(0).constant->raw();
  ConstantStore store;
  store.Keep(graph);
  EXPECT_EQ(graph.value(0).constant->raw(), large);
}

TEST(ConstantStore, WithoutADiskConstantsStayInMemory) {
  Graph graph = TwoConstants();
  const std::byte* const large = graph.value(0).constant->raw();
  const char* const before = std::getenv("TMPDIR");
  const std::string folder = before == nullptr ? "" : before;
  setenv("TMPDIR", "/nowhere", 1);
  ConstantStore store(kNone);
  store.Keep(graph);
  if (before == nullptr) unsetenv("TMPDIR");
  if (before != nullptr) setenv("TMPDIR", folder.c_str(), 1);
  EXPECT_EQ(graph.value(0).constant->raw(), large);
}

}  // namespace
}  // namespace tamis
