#include "src/cuda/fuse_for_cuda.h"

#include <gtest/gtest.h>

#include <cstring>

#include "src/ops/op_tf32.h"

namespace tamis {
namespace {

struct Projections {
  Graph graph;
  ValueId x = kNoValue;
  std::vector<ValueId> made;

  explicit Projections(int64_t width = 64, DType dtype = DType::kFloat16) {
    graph.opsets[""] = 17;
    x = graph.AddValue("x", Type::Tensor(dtype, {1, 5, Dim(width)}));
    graph.inputs = {x};
    for (const char* name : {"q", "k", "v"}) {
      Tensor weight(dtype, {width, width});
      std::memcpy(weight.raw(), name, 1);
      Node node;
      node.op = "Linear";
      node.domain = kTamisDomain;
      node.inputs = {x, graph.AddConstant(std::string(name) + "_weight", std::move(weight))};
      made.push_back(graph.AddValue(name, Type::Tensor(dtype, {1, 5, Dim(width)})));
      node.outputs = {made.back()};
      graph.AddNode(std::move(node));
    }
    Node attention;
    attention.op = "Attention";
    attention.domain = kTamisDomain;
    attention.attributes = {{"num_heads", int64_t{2}}, {"scale", 1.0f}};
    attention.inputs = made;
    attention.outputs = {graph.AddValue("y", Type::Tensor(dtype, {1, 5, Dim(width)}))};
    graph.outputs = attention.outputs;
    graph.AddNode(std::move(attention));
  }
};

TEST(FuseForCuda, StacksTheProjectionsOfAnAttention) {
  Projections p;
  ASSERT_TRUE(FuseForCuda(p.graph).ok());
  ASSERT_TRUE(p.graph.Verify().ok()) << p.graph.ToString();
  const auto ids = p.graph.NodeIds();
  ASSERT_EQ(ids.size(), 2u) << p.graph.ToString();
  const Node& linear = p.graph.node(ids[0]);
  const Node& attention = p.graph.node(ids[1]);
  EXPECT_TRUE(linear.IsTamis("Linear"));
  EXPECT_TRUE(attention.IsTamis("PackedAttention"));
  EXPECT_EQ(p.graph.value(linear.outputs[0]).name, "q_qkv") << "plans know the node by this name";
  const Value& weight = p.graph.value(linear.inputs[1]);
  ASSERT_EQ(weight.constant->dims(), (Dims{192, 64}));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(weight.constant->Data<uint16_t>()[i * 64 * 64], "qkv"[i]);
  EXPECT_NE(weight.constant_hash, 0u);
  EXPECT_EQ(ToString(p.graph.value(attention.inputs[0]).type.shape), "[1, 5, 192]");
}

TEST(FuseForCuda, LeavesWhatItsKernelDoesNotTake) {
  Projections odd(48);  // heads of depth 24
  ASSERT_TRUE(FuseForCuda(odd.graph).ok());
  EXPECT_EQ(odd.graph.NumNodes(), 4u);
  Projections shared;
  shared.graph.outputs.push_back(shared.made[1]);  // k is read outside too
  ASSERT_TRUE(FuseForCuda(shared.graph).ok());
  EXPECT_EQ(shared.graph.NumNodes(), 4u);
}

TEST(FuseForCuda, StacksProjectionsOfF32WhereTf32IsAllowed) {
  Projections tf32(64, DType::kFloat32);
  ASSERT_EQ(AllowTf32(tf32.graph), 4);
  ASSERT_TRUE(FuseForCuda(tf32.graph).ok());
  ASSERT_TRUE(tf32.graph.Verify().ok()) << tf32.graph.ToString();
  const auto ids = tf32.graph.NodeIds();
  ASSERT_EQ(ids.size(), 2u) << tf32.graph.ToString();
  EXPECT_TRUE(tf32.graph.node(ids[1]).IsTamis("PackedAttention"));
  for (const NodeId id : ids) EXPECT_TRUE(AllowsTf32(tf32.graph.node(id)));
  Projections full(64, DType::kFloat32);
  ASSERT_TRUE(FuseForCuda(full.graph).ok());
  for (const NodeId id : full.graph.NodeIds()) {
    const Node& node = full.graph.node(id);
    EXPECT_FALSE(node.IsTamis("Attention") || node.IsTamis("PackedAttention")) << "there is no kernel in f32";
  }
}

Graph LinearThenNorm(int64_t depth, DType dtype = DType::kFloat16) {
  Graph graph;
  graph.opsets[""] = 17;
  const auto half = [&](const char* name, Shape shape) {
    return graph.AddValue(name, Type::Tensor(dtype, std::move(shape)));
  };
  const ValueId x = half("x", {5, Dim(depth)}), residual = half("residual", {5, 32});
  graph.inputs = {x, residual};
  Node linear;
  linear.op = "Linear";
  linear.domain = kTamisDomain;
  linear.inputs = {x, graph.AddConstant("weight", Tensor(dtype, {32, depth})), kNoValue, residual};
  linear.outputs = {half("sum", {5, 32})};
  Node norm;
  norm.op = "LayerNormalization";
  norm.attributes = {{"epsilon", 1e-3f}};
  norm.inputs = {linear.outputs[0], graph.AddConstant("scale", Tensor(dtype, {32}))};
  norm.outputs = {half("y", {5, 32})};
  graph.outputs = norm.outputs;
  graph.AddNode(std::move(linear));
  graph.AddNode(std::move(norm));
  return graph;
}

TEST(FuseForCuda, JoinsTheStartOfAnEncoder) {
  Graph graph;
  graph.opsets[""] = 17;
  const auto value = [&](const char* name, DType dtype, Shape shape) {
    return graph.AddValue(name, Type::Tensor(dtype, std::move(shape)));
  };
  const auto add_node = [&](const char* op, std::vector<ValueId> inputs, ValueId output) {
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    node.outputs = {output};
    graph.AddNode(std::move(node));
    return output;
  };
  Tensor kind(DType::kFloat32, {8}), places(DType::kFloat32, {1, 3, 8});
  for (int64_t i = 0; i < 8; ++i) kind.Data<float>()[i] = static_cast<float>(i);
  for (int64_t i = 0; i < 24; ++i) places.Data<float>()[i] = 100;
  const ValueId ids = value("ids", DType::kInt64, {2, 3});
  graph.inputs = {ids};
  const Shape shape = {2, 3, 8};
  ValueId x = add_node("Gather", {graph.AddConstant("table", Tensor(DType::kFloat32, {5, 8})), ids},
                       value("words", DType::kFloat32, shape));
  x = add_node("Add", {x, graph.AddConstant("kind", kind)}, value("sum", DType::kFloat32, shape));
  x = add_node("Add", {graph.AddConstant("places", places), x}, value("sums", DType::kFloat32, shape));
  x = add_node("LayerNormalization", {x, graph.AddConstant("scale", Tensor(DType::kFloat32, {8}))},
               value("normal", DType::kFloat32, shape));
  x = add_node("Cast", {x}, value("half", DType::kFloat16, shape));
  graph.outputs = {x};
  ASSERT_TRUE(FuseForCuda(graph).ok());
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  ASSERT_EQ(graph.NumNodes(), 1u) << graph.ToString();
  const Node& fused = graph.node(graph.NodeIds()[0]);
  EXPECT_TRUE(fused.IsTamis("EmbeddingNorm"));
  EXPECT_EQ(fused.outputs, graph.outputs);
  const Tensor* addend = graph.ConstantInput(fused, 2);
  ASSERT_NE(addend, nullptr);
  ASSERT_EQ(addend->dims(), (Dims{3, 8}));
  for (int64_t i = 0; i < 24; ++i) EXPECT_EQ(addend->Data<float>()[i], static_cast<float>(100 + i % 8));
}

TEST(FuseForCuda, PutsANormIntoTheProductBeforeIt) {
  Graph graph = LinearThenNorm(64);
  ASSERT_TRUE(FuseForCuda(graph).ok());
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  ASSERT_EQ(graph.NumNodes(), 1u) << graph.ToString();
  const Node& fused = graph.node(graph.NodeIds()[0]);
  EXPECT_TRUE(fused.IsTamis("LinearNorm"));
  EXPECT_EQ(fused.inputs.size(), 5u);
  EXPECT_EQ(fused.outputs, graph.outputs);
  EXPECT_EQ(fused.Float("epsilon", 0), 1e-3f);
  Graph brain = LinearThenNorm(64, DType::kBFloat16), full = LinearThenNorm(64, DType::kFloat32);
  ASSERT_TRUE(FuseForCuda(brain).ok() && FuseForCuda(full).ok());
  EXPECT_EQ(brain.NumNodes(), 1u);
  EXPECT_EQ(full.NumNodes(), 2u);
  Graph odd = LinearThenNorm(13);  // no kernel takes such a depth
  ASSERT_TRUE(FuseForCuda(odd).ok());
  EXPECT_EQ(odd.NumNodes(), 2u);
  Graph shared = LinearThenNorm(64);
  shared.outputs.push_back(shared.node(shared.NodeIds()[0]).outputs[0]);
  ASSERT_TRUE(FuseForCuda(shared).ok());
  EXPECT_EQ(shared.NumNodes(), 2u);
}

Graph FirstConvThenPool(const std::string& activation, Dims strides) {
  Graph graph;
  graph.opsets[""] = 17;
  const ValueId x = graph.AddValue("images", Type::Tensor(DType::kFloat32, {2, 3, 18, 16}));
  graph.inputs = {x};
  Node conv;
  conv.op = "ChannelsFirstConv";
  conv.domain = kTamisDomain;
  conv.attributes = {{"activation", activation}, {"strides", Dims{2, 2}},
                     {"pads", Dims{3, 3, 3, 3}}, {"dilations", Dims{1, 1}},
                     {"group", int64_t{1}},      {"output_dtype", static_cast<int64_t>(DType::kFloat16)}};
  conv.inputs = {x, graph.AddConstant("weight", Tensor(DType::kFloat16, {64, 7, 7, 3}))};
  conv.outputs = {graph.AddValue("conv", Type::Tensor(DType::kFloat16, {2, 9, 8, 64}))};
  Node pool;
  pool.op = "ChannelsLastMaxPool";
  pool.domain = kTamisDomain;
  pool.attributes = {{"kernel_shape", Dims{3, 3}}, {"strides", strides}, {"pads", Dims{1, 1, 1, 1}}};
  pool.inputs = conv.outputs;
  pool.outputs = {graph.AddValue("pooled", Type::Tensor(DType::kFloat16, {2, strides[0] == 2 ? 5 : 9, 4, 64}))};
  graph.outputs = pool.outputs;
  graph.AddNode(std::move(conv));
  graph.AddNode(std::move(pool));
  return graph;
}

TEST(FuseForCuda, PoolsWhatTheFirstConvolutionGives) {
  Graph graph = FirstConvThenPool("Relu", {2, 2});
  ASSERT_TRUE(FuseForCuda(graph).ok());
  ASSERT_EQ(graph.NumNodes(), 1u) << graph.ToString();
  const Node& fused = graph.node(graph.NodeIds()[0]);
  EXPECT_TRUE(fused.IsTamis("ChannelsFirstConvPool"));
  EXPECT_EQ(fused.Ints("conv_shape"), (Dims{2, 9, 8, 64}));
  EXPECT_EQ(graph.value(fused.outputs[0]).name, "pooled");
  Graph other = FirstConvThenPool("Gelu", {2, 2});  // whose smallest number is not that of the smallest sum
  ASSERT_TRUE(FuseForCuda(other).ok());
  EXPECT_EQ(other.NumNodes(), 2u);
  Graph single = FirstConvThenPool("Relu", {1, 2});
  ASSERT_TRUE(FuseForCuda(single).ok());
  EXPECT_EQ(single.NumNodes(), 2u);
}

Graph Bottlenecks(int64_t pixels, int64_t stride) {
  Graph graph;
  graph.opsets[""] = 17;
  const auto image = [&](const char* name, int64_t side, int64_t channels) {
    return graph.AddValue(name, Type::Tensor(DType::kFloat16, {2, Dim(side), Dim(side), Dim(channels)}));
  };
  const ValueId x = image("x", pixels, 64), residual = image("residual", pixels, 256);
  graph.inputs = {x, residual};
  const auto conv = [&](ValueId from, int64_t inputs, int64_t outputs, int64_t by, ValueId added, ValueId to) {
    Node node;
    node.op = "ChannelsLastConv";
    node.domain = kTamisDomain;
    node.attributes = {{"activation", std::string("Relu")},
                       {"strides", Dims{by, by}},
                       {"pads", Dims(4, 0)},
                       {"dilations", Dims{1, 1}},
                       {"group", int64_t{1}}};
    node.inputs = {from,
                   graph.AddConstant(graph.value(to).name + "_w", Tensor(DType::kFloat16, {outputs, 1, 1, inputs}))};
    if (added != kNoValue) node.inputs.insert(node.inputs.end(), {kNoValue, added});
    node.outputs = {to};
    graph.AddNode(std::move(node));
  };
  const ValueId y = image("y", pixels, 256), z = image("z", pixels / stride, 128);
  conv(x, 64, 256, 1, residual, y);
  conv(y, 256, 128, stride, kNoValue, z);
  graph.outputs = {y, z};
  return graph;
}

TEST(FuseForCuda, ChainsTheEndsOfBottlenecks) {
  Graph graph = Bottlenecks(64, 1);
  ASSERT_TRUE(FuseForCuda(graph).ok());
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  ASSERT_EQ(graph.NumNodes(), 1u) << graph.ToString();
  const Node& chained = graph.node(graph.NodeIds()[0]);
  EXPECT_TRUE(chained.IsTamis("ChainedConv"));
  ASSERT_EQ(chained.inputs.size(), 5u);
  EXPECT_EQ(graph.value(chained.inputs[3]).name, "residual");
  EXPECT_EQ(graph.value(chained.inputs[4]).name, "z_w");
  EXPECT_EQ(graph.value(chained.outputs[1]).name, "z");
  EXPECT_EQ(chained.String("second_activation", ""), "Relu");
  for (const auto& [pixels, stride] : {std::pair(64, 2), {32, 1}}) {  // skips pixels; has too few of them
    Graph other = Bottlenecks(pixels, stride);
    ASSERT_TRUE(FuseForCuda(other).ok());
    EXPECT_EQ(other.NumNodes(), 2u) << other.ToString();
  }
}

}  // namespace
}  // namespace tamis
