#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "src/kernels/block/likely_blocks.h"
#include "src/ops/op_def.h"
#include "src/ops/op_tamis.h"
#include "src/runtime/program.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

Tensor Filled(Dims dims, uint32_t seed) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  std::mt19937 random(seed);
  for (float& x : tensor.Span<float>()) x = static_cast<float>(static_cast<int>(random() % 17) - 8) / 16;
  return tensor;
}

ValueId Conv(Graph& graph, std::vector<ValueId> inputs, int64_t group, int64_t pad, const std::string& name) {
  Node node;
  node.op = "ChannelsLastConv";
  node.domain = std::string(kTamisDomain);
  node.inputs = std::move(inputs);
  node.outputs = {graph.AddValue(name)};
  node.attributes["group"] = group;
  node.attributes["activation"] = std::string("Relu");
  node.attributes["strides"] = std::vector<int64_t>{1, 1};
  node.attributes["dilations"] = std::vector<int64_t>{1, 1};
  node.attributes["pads"] = std::vector<int64_t>{pad, pad, pad, pad};
  node.attributes["output_dtype"] = static_cast<int64_t>(DType::kFloat32);
  const NodeId id = graph.AddNode(std::move(node));
  const Status status = InferNode(graph, id);
  EXPECT_TRUE(status.ok()) << status.message();
  return graph.node(id).outputs[0];
}

// Two inverted residuals one after the other, of n images.
Graph TwoBlocks(int64_t size = 12) {
  Graph graph;
  graph.opsets[""] = 17;
  ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim::Symbol("n"), size, size, 16}));
  graph.inputs = {x};
  for (int block = 0; block < 2; ++block) {
    const std::string at = std::to_string(block);
    const auto weight = [&](const char* what, Dims dims) {
      return graph.AddConstant(what + at, Filled(std::move(dims), static_cast<uint32_t>(block + 1)));
    };
    const ValueId wide = Conv(graph, {x, weight("expand", {64, 1, 1, 16})}, 1, 0, "wide" + at);
    const ValueId deep = Conv(graph, {wide, weight("filters", {64, 3, 3, 1})}, 64, 1, "deep" + at);
    x = Conv(graph, {deep, weight("project", {16, 1, 1, 64}), kNoValue, x}, 1, 0, "y" + at);
  }
  graph.outputs = {x};
  return graph;
}

TEST(Program, RunsBlocksAsTheirLayersAndInLessMemory) {
  std::vector<std::string> kernels = {"conv_f32_avx512", "depthwise_avx512", "conv_f32_avx512"};
  std::vector<BlockSpec> blocks = {{{"wide0", "deep0", "y0"}, kernels}, {{"wide1", "deep1", "y1"}, kernels}};
  if (Cpu().isa != Isa::kAvx512) GTEST_SKIP() << "the kernels need AVX-512";
  for (const int64_t images : {1, 64}) {
    const Dims dims = {images, 12, 12, 16};
    const Tensor x = Filled(dims, 9);
    const auto make = [&](const std::vector<BlockSpec>& wanted) {
      ProgramOptions options;
      options.threads = 2;
      options.wish = [&](const std::string& node) { return kernels[node.starts_with("deep") ? 1 : 0]; };
      options.blocks = wanted;
      static PackCache cache;
      auto program = Program::Make(Specialize(TwoBlocks(), {dims}).value(), options, cache);
      EXPECT_TRUE(program.ok());
      return std::move(program).value();
    };
    ThreadPool pool(2);
    const auto plain = make({}), as_one = make(blocks);
    const auto want = plain->Run({&x, 1}, pool), got = as_one->Run({&x, 1}, pool);
    ASSERT_TRUE(want.ok() && got.ok());
    EXPECT_TRUE(std::equal((*want)[0].raw(), (*want)[0].raw() + (*want)[0].NumBytes(), (*got)[0].raw()));
    const auto times = as_one->Profile({&x, 1}, 1, pool);
    ASSERT_TRUE(times.ok());
    ASSERT_EQ(times->size(), 2u);
    EXPECT_EQ((*times)[0].tactic, "row_block");
    EXPECT_EQ((*times)[1].name, "y1");
    EXPECT_TRUE(images == 1 || as_one->ArenaBytes() < plain->ArenaBytes());
    // A plan of another version may name kernels that are no more: then the layers run one by one.
    blocks[0].kernels[0] = "gone";
    const auto half = make(blocks);
    EXPECT_EQ(half->Profile({&x, 1}, 1, pool)->size(), 4u);
    blocks[0].kernels[0] = kernels[0];
  }
}

TEST(LikelyBlocks, AreOfImagesThatNoCacheHolds) {
  if (Cpu().isa != Isa::kAvx512) GTEST_SKIP() << "convolutions run by rows with AVX-512";
  PackCache cache;
  const Graph small = Specialize(TwoBlocks(), {{1, 12, 12, 16}}).value();
  EXPECT_TRUE(LikelyBlocks(small, 2, cache).empty());
  const int64_t size = 8 + static_cast<int64_t>(std::sqrt(Cpu().l2_bytes / 4 / (64 * sizeof(float))));
  Graph large = Specialize(TwoBlocks(size), {{1, size, size, 16}}).value();
  const auto blocks = LikelyBlocks(large, 2, cache);
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].layers, (std::vector<std::string>{"wide0", "deep0", "y0"}));
  EXPECT_EQ(blocks[1].layers, (std::vector<std::string>{"wide1", "deep1", "y1"}));
  for (const BlockSpec& block : blocks) EXPECT_TRUE(FormBlock(large, block));
  EXPECT_EQ(large.NumNodes(), 2u);
}

}  // namespace
}  // namespace tamis
