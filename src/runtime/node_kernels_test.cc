#include "src/runtime/node_kernels.h"

#include <gtest/gtest.h>

#include "src/runtime/buffer_pool.h"

namespace tamis {
namespace {

struct OneNode {
  Graph graph;
  NodeId id = kNoNode;

  OneNode(const std::string& op, size_t inputs, std::map<std::string, Attribute> attributes = {}) {
    graph.opsets[""] = 21;
    Node node;
    node.op = op;
    node.attributes = std::move(attributes);
    for (size_t i = 0; i < inputs; ++i) node.inputs.push_back(graph.AddValue("x" + std::to_string(i)));
    node.outputs = {graph.AddValue("y")};
    id = graph.AddNode(std::move(node));
  }
};

Tensor Ints(const std::vector<int64_t>& values) {
  return Tensor::Int64s(values);
}

TEST(NodeKernels, AreKeptByShapes) {
  OneNode node("Add", 2);
  PackCache cache;
  NodeKernels kernels(node.graph, node.id, 1, "", &cache);
  const Tensor a(DType::kFloat32, {3, 4}), b(DType::kFloat32, {4}), c(DType::kFloat32, {1, 4});
  const Tensor* first[] = {&a, &b};
  const Tensor* other[] = {&a, &c};
  const auto kept = kernels.Find(first);
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(kept->outputs[0].dims, (Dims{3, 4}));
  EXPECT_NE(kernels.Find(other), kept);
  EXPECT_EQ(kernels.Find(first), kept);
  EXPECT_FALSE(kernels.DependsOnData());
}

TEST(NodeKernels, ReadSmallOperandsThatDecideShapes) {
  OneNode node("Reshape", 2);
  PackCache cache;
  NodeKernels kernels(node.graph, node.id, 1, "", &cache);
  const Tensor x(DType::kFloat32, {3, 4});
  Tensor target = Ints({2, -1});
  const Tensor* operands[] = {&x, &target};
  const auto first = kernels.Find(operands);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->prepared, nullptr);  // a view
  EXPECT_EQ(first->outputs[0].dims, (Dims{2, 6}));
  target.Data<int64_t>()[0] = 4;  // the same memory, other elements
  const auto second = kernels.Find(operands);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->outputs[0].dims, (Dims{4, 3}));
  EXPECT_EQ(first->outputs[0].dims, (Dims{2, 6}));
}

TEST(NodeKernels, LeaveWhatDependsOnDataToTheOperator) {
  OneNode node("NonZero", 1);
  PackCache cache;
  NodeKernels kernels(node.graph, node.id, 1, "", &cache);
  const Tensor x(DType::kFloat32, {100});
  const Tensor* operands[] = {&x};
  EXPECT_EQ(kernels.Find(operands), nullptr);
  EXPECT_TRUE(kernels.DependsOnData());
}

TEST(NodeKernels, LeaveMistakesToTheOperator) {
  OneNode node("Add", 2);
  PackCache cache;
  NodeKernels kernels(node.graph, node.id, 1, "", &cache);
  const Tensor a(DType::kFloat32, {3}), b(DType::kFloat32, {4});
  const Tensor* operands[] = {&a, &b};
  EXPECT_EQ(kernels.Find(operands), nullptr);
  operands[1] = &a;  // and remember nothing of them
  EXPECT_NE(kernels.Find(operands), nullptr);
}

// Ever new shapes of small operands stop being prepared, and what has settled is kept again.
TEST(NodeKernels, GiveUpOnShapesThatNeverComeAgain) {
  OneNode node("Add", 2);
  PackCache cache;
  NodeKernels kernels(node.graph, node.id, 1, "", &cache);
  size_t prepared = 0;
  for (int64_t n = 1; n <= 100; ++n) {
    const Tensor a(DType::kFloat32, {n});
    const Tensor* operands[] = {&a, &a};
    prepared += kernels.Find(operands) != nullptr ? 1 : 0;
  }
  EXPECT_LT(prepared, 20u);
  const Tensor a(DType::kFloat32, {1000});
  const Tensor* operands[] = {&a, &a};
  size_t found = 0;
  for (int i = 0; i < 200; ++i) found += kernels.Find(operands) != nullptr ? 1 : 0;
  EXPECT_GT(found, 100u);
}

TEST(BufferPool, GivesOutAgainWhatCameBack) {
  const auto pool = BufferPool::Make();
  const std::byte* address = nullptr;
  {
    const Tensor tensor = pool->NewTensor(DType::kFloat32, {1000});
    address = tensor.raw();
    EXPECT_EQ(pool->IdleBytes(), 0u);
  }
  EXPECT_GE(pool->IdleBytes(), 4000u);
  const Tensor again = pool->NewTensor(DType::kFloat32, {999});  // a little less fits the same block
  EXPECT_EQ(again.raw(), address);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(again.raw()) % 64, 0u);
}

TEST(BufferPool, KeepsNoMoreThanWasOnceInUse) {
  const auto pool = BufferPool::Make();
  for (int64_t n = 1; n < 2000; n += 7) pool->NewTensor(DType::kFloat32, {n * 16});
  EXPECT_LE(pool->IdleBytes(), size_t{2000 * 16 * 4} * 9 / 8 + 4096);
}

TEST(BufferPool, TensorsOutliveIt) {
  Tensor tensor;
  {
    const auto pool = BufferPool::Make();
    tensor = pool->NewTensor(DType::kInt64, {5});
  }
  for (int64_t& element : tensor.Span<int64_t>()) element = 7;
  EXPECT_EQ(tensor.ToInt64s(), std::vector<int64_t>(5, 7));
}

}  // namespace
}  // namespace tamis
