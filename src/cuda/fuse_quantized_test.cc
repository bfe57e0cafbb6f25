// The part of FuseForCuda that is about int8.
#include <gtest/gtest.h>

#include <tuple>

#include "src/cuda/fuse_for_cuda.h"

namespace tamis {
namespace {

// f32 images quantised, turned to channels last, convolved with this zero point.
Graph QuantizedImages(int64_t channels, int64_t zero_of_conv) {
  Graph graph;
  graph.opsets[""] = 17;
  const auto add = [&](const char* op, std::string_view domain, std::vector<ValueId> inputs, const char* name,
                       DType dtype, Shape shape, std::map<std::string, Attribute> attributes) {
    Node node;
    node.op = op;
    node.domain = domain;
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    node.outputs = {graph.AddValue(name, Type::Tensor(dtype, std::move(shape)))};
    const ValueId output = node.outputs[0];
    graph.AddNode(std::move(node));
    return output;
  };
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {2, Dim(channels), 8, 8}));
  graph.inputs = {x};
  Tensor scale(DType::kFloat32, {}), zero(DType::kUInt8, {}), scales(DType::kFloat32, {16});
  scale.Data<float>()[0] = 0.25f;
  zero.Data<uint8_t>()[0] = 100;
  const ValueId codes =
      add("QuantizeLinear", "", {x, graph.AddConstant("scale", scale), graph.AddConstant("zero", zero)}, "codes",
          DType::kUInt8, {2, Dim(channels), 8, 8}, {});
  const ValueId last =
      add("Transpose", "", {codes}, "last", DType::kUInt8, {2, 8, 8, Dim(channels)}, {{"perm", Dims{0, 2, 3, 1}}});
  const ValueId weight = graph.AddConstant("w", Tensor(DType::kInt8, {16, 3, 3, channels}));
  graph.outputs = {add("QuantizedConv", kTamisDomain, {last, weight, graph.AddConstant("scales", scales)}, "y",
                       DType::kFloat32, {2, 6, 6, 16},
                       {{"strides", Dims{1, 1}},
                        {"pads", Dims(4, 0)},
                        {"dilations", Dims{1, 1}},
                        {"group", int64_t{1}},
                        {"x_zero_point", zero_of_conv}})};
  return graph;
}

TEST(FuseForCuda, QuantizesImagesInTheFirstConvolution) {
  Graph graph = QuantizedImages(3, 100);
  ASSERT_TRUE(FuseForCuda(graph).ok());
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  ASSERT_EQ(graph.NumNodes(), 1u) << graph.ToString();
  const Node& conv = graph.node(graph.NodeIds()[0]);
  EXPECT_TRUE(conv.IsTamis("QuantizedChannelsFirstConv"));
  EXPECT_EQ(conv.inputs[0], graph.inputs[0]);
  EXPECT_EQ(conv.Float("x_scale", 0), 0.25f);
  EXPECT_EQ(conv.Int("x_dtype", 0), static_cast<int64_t>(DType::kUInt8));
  for (const auto& [channels, zero] : {std::pair(16, 100), {3, 0}}) {  // many channels; another zero point
    Graph other = QuantizedImages(channels, zero);
    ASSERT_TRUE(FuseForCuda(other).ok());
    EXPECT_EQ(other.NumNodes(), 3u) << other.ToString();
  }
}

// Casts beside int8 work become its own types.
TEST(FuseForCuda, CastsEndInQuantizedProducts) {
  Graph graph;
  graph.opsets[""] = 17;
  const auto add = [&](const char* op, std::string_view domain, std::vector<ValueId> inputs, const char* name,
                       DType dtype) {
    Node node;
    node.op = op;
    node.domain = domain;
    node.inputs = std::move(inputs);
    node.outputs = {graph.AddValue(name, Type::Tensor(dtype, {4, 16}))};
    const ValueId output = node.outputs[0];
    graph.AddNode(std::move(node));
    return output;
  };
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat16, {4, 16}));
  graph.inputs = {x};
  const ValueId scale = graph.AddConstant("scale", Tensor(DType::kFloat32, {}));
  const ValueId zero = graph.AddConstant("zero", Tensor(DType::kUInt8, {}));
  const ValueId wide = add("Cast", "", {x}, "wide", DType::kFloat32);
  const ValueId codes = add("QuantizeLinear", "", {wide, scale, zero}, "codes", DType::kUInt8);
  const ValueId weight = graph.AddConstant("w", Tensor(DType::kInt8, {16, 16}));
  const ValueId sums =
      add("QuantizedLinear", kTamisDomain, {codes, weight, graph.AddConstant("scales", Tensor(DType::kFloat32, {16}))},
          "sums", DType::kFloat32);
  graph.outputs = {add("Cast", "", {sums}, "y", DType::kFloat16)};
  ASSERT_TRUE(FuseForCuda(graph).ok());
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  const auto ids = graph.NodeIds();
  ASSERT_EQ(ids.size(), 2u) << graph.ToString();
  EXPECT_TRUE(graph.node(ids[0]).Is("QuantizeLinear"));
  EXPECT_EQ(graph.node(ids[0]).inputs[0], graph.inputs[0]);
  EXPECT_TRUE(graph.node(ids[1]).IsTamis("QuantizedLinear"));
  EXPECT_EQ(graph.node(ids[1]).outputs, graph.outputs);
}

// A block of an encoder, as the passes leave it: codes, three projections in f32 cast to f16, attention, codes, the
// output product with the dequantised codes as residual, norm, codes; or a norm that writes codes (fuse_norm_codes) and
// codes as the residual.
void ExpectJoinedInt8Block(bool codes_on_the_way) {
  Graph graph;
  graph.opsets[""] = 17;
  const auto add = [&](const char* op, std::string_view domain, std::vector<ValueId> inputs, const char* name,
                       DType dtype, std::map<std::string, Attribute> attributes = {}) {
    Node node;
    node.op = op;
    node.domain = domain;
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    node.outputs = {graph.AddValue(name, Type::Tensor(dtype, {1, 5, 64}))};
    const ValueId output = node.outputs[0];
    graph.AddNode(std::move(node));
    return output;
  };
  Tensor one(DType::kFloat32, {}), zero(DType::kUInt8, {});
  one.Data<float>()[0] = 0.5f;
  zero.Data<uint8_t>()[0] = 7;
  const ValueId scale = graph.AddConstant("scale", one), point = graph.AddConstant("point", zero);
  const auto product = [&](ValueId x, const char* name, ValueId residual = kNoValue) {
    const std::string own(name);
    const ValueId weight = graph.AddConstant(own + "_w", Tensor(DType::kInt8, {64, 64}));
    const ValueId scales = graph.AddConstant(own + "_s", Tensor(DType::kFloat32, {64}));
    std::vector<ValueId> inputs = {x, weight, scales};
    if (residual != kNoValue) inputs.insert(inputs.end(), {kNoValue, residual});
    return add("QuantizedLinear", kTamisDomain, std::move(inputs), name, DType::kFloat32,
               {{"x_zero_point", int64_t{7}}, {"residual_scale", 0.5f}, {"residual_zero_point", int64_t{7}}});
  };
  const ValueId codes = graph.AddValue("codes", Type::Tensor(DType::kUInt8, {1, 5, 64}));
  graph.inputs = {codes};
  const ValueId numbers =
      codes_on_the_way ? codes : add("DequantizeLinear", "", {codes, scale, point}, "numbers", DType::kFloat32);
  std::vector<ValueId> parts;
  for (const char* name : {"q", "k", "v"}) {
    parts.push_back(add("Cast", "", {product(codes, name)}, (std::string(name) + "_half").c_str(), DType::kFloat16,
                        {{"to", static_cast<int64_t>(DType::kFloat16)}}));
  }
  const ValueId context =
      add("Attention", kTamisDomain, parts, "context", DType::kFloat32,
          {{"num_heads", int64_t{2}}, {"scale", 1.0f}, {"output_dtype", static_cast<int64_t>(DType::kFloat32)}});
  const ValueId coded = add("QuantizeLinear", "", {context, scale, point}, "coded", DType::kUInt8);
  const ValueId sums = product(coded, "sums", numbers);
  const ValueId gain = graph.AddConstant("gain", Tensor(DType::kFloat32, {64}));
  if (codes_on_the_way) {
    graph.outputs = {add("QuantizedLayerNorm", kTamisDomain, {sums, gain}, "y", DType::kUInt8,
                         {{"axis", int64_t{2}},
                          {"y_dtype", static_cast<int64_t>(DType::kUInt8)},
                          {"y_scale", 0.5f},
                          {"y_zero_point", int64_t{7}}})};
  } else {
    const ValueId normal = add("LayerNormalization", "", {sums, gain}, "normal", DType::kFloat32);
    graph.outputs = {add("QuantizeLinear", "", {normal, scale, point}, "y", DType::kUInt8)};
  }
  ASSERT_TRUE(FuseForCuda(graph).ok());
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  std::vector<std::string> ops;
  for (const NodeId id : graph.NodeIds()) ops.push_back(graph.node(id).op);
  ASSERT_EQ(ops, (std::vector<std::string>{"QuantizedLinear", "QuantizedPackedAttention", "QuantizedLinear",
                                           "QuantizedLayerNorm"}))
      << graph.ToString();
  const auto ids = graph.NodeIds();
  const auto type = [&](size_t node) { return graph.value(graph.node(ids[node]).outputs[0]).type; };
  EXPECT_EQ(ToString(type(0).shape), "[1, 5, 192]");
  for (const size_t half : {0, 2}) EXPECT_EQ(type(half).dtype, DType::kFloat16) << half;
  const Node& attention = graph.node(ids[1]);
  EXPECT_EQ(type(1).dtype, DType::kUInt8);
  EXPECT_EQ(attention.Int("y_zero_point", 0), 7);
  ASSERT_NE(graph.ConstantInput(attention, 2), nullptr);
  for (const float factor : graph.ConstantInput(attention, 2)->Span<float>()) EXPECT_EQ(factor, 2.0f);
  const Node& packed = graph.node(ids[0]);
  EXPECT_EQ(graph.ConstantInput(packed, 1)->dims(), (Dims{192, 64}));
  EXPECT_EQ(graph.ConstantInput(packed, 2)->dims(), (Dims{192}));
  const Node& out = graph.node(ids[2]);
  EXPECT_EQ(out.input(4), graph.inputs[0]);
  EXPECT_EQ(out.Float("residual_scale", 0), 0.5f);
  EXPECT_EQ(out.Int("residual_zero_point", 0), 7);
  const Node& norm = graph.node(ids[3]);
  EXPECT_EQ(norm.Float("y_scale", 0), 0.5f);
  EXPECT_EQ(norm.Int("y_zero_point", 0), 7);
  EXPECT_FALSE(norm.Has("axis"));  // it is the GPU's node
}
TEST(FuseForCuda, JoinsAnInt8Block) {
  ExpectJoinedInt8Block(false);
}
TEST(FuseForCuda, JoinsAnInt8BlockWhoseNormWritesCodes) {
  ExpectJoinedInt8Block(true);
}

// A balanced block: factors between numbers and codes, and residuals that are numbers.
TEST(FuseForCuda, BalancedInt8BlockHasNoNodeForItsFactors) {
  Graph graph;
  graph.opsets[""] = 17;
  const auto add = [&](const char* op, std::string_view domain, std::vector<ValueId> inputs, const std::string& name,
                       DType dtype, std::map<std::string, Attribute> attributes = {}) {
    Node node;
    node.op = op;
    node.domain = domain;
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    node.outputs = {graph.AddValue(name, Type::Tensor(dtype, {1, 5, 64}))};
    const ValueId output = node.outputs[0];
    graph.AddNode(std::move(node));
    return output;
  };
  Tensor one(DType::kFloat32, {}), zero(DType::kUInt8, {}), numbers(DType::kFloat32, {64});
  one.Data<float>()[0] = 0.5f;
  zero.Data<uint8_t>()[0] = 7;
  for (int64_t i = 0; i < 64; ++i) numbers.Data<float>()[i] = static_cast<float>(i + 1) / 8;
  const ValueId scale = graph.AddConstant("scale", one), point = graph.AddConstant("point", zero);
  const ValueId factors = graph.AddConstant("factors", numbers);
  const auto coded = [&](ValueId x, const std::string& name) {
    const ValueId balanced = add("Mul", "", {x, factors}, name + "_balanced", DType::kFloat32);
    return add("QuantizeLinear", "", {balanced, scale, point}, name + "_codes", DType::kUInt8);
  };
  const auto product = [&](ValueId x, const std::string& name, ValueId residual = kNoValue) {
    std::vector<ValueId> inputs = {x, graph.AddConstant(name + "_w", Tensor(DType::kInt8, {64, 64})),
                                   graph.AddConstant(name + "_s", Tensor(DType::kFloat32, {64}))};
    if (residual != kNoValue) inputs.insert(inputs.end(), {kNoValue, residual});
    return add("QuantizedLinear", kTamisDomain, std::move(inputs), name, DType::kFloat32);
  };
  const auto norm = [&](ValueId x, const std::string& name) {
    return add("LayerNormalization", "", {x, graph.AddConstant(name + "_gain", Tensor(DType::kFloat32, {64}))}, name,
               DType::kFloat32);
  };
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {1, 5, 64}));
  graph.inputs = {x};
  const ValueId codes = coded(x, "start");
  std::vector<ValueId> parts;
  for (const std::string name : {"q", "k", "v"}) {
    parts.push_back(add("Cast", "", {product(codes, name)}, name + "_half", DType::kFloat16,
                        {{"to", static_cast<int64_t>(DType::kFloat16)}}));
  }
  const ValueId context =
      add("Attention", kTamisDomain, parts, "context", DType::kFloat32,
          {{"num_heads", int64_t{2}}, {"scale", 1.0f}, {"output_dtype", static_cast<int64_t>(DType::kFloat32)}});
  const ValueId first = norm(product(coded(context, "context"), "out", x), "first");
  const ValueId second = norm(product(coded(first, "first"), "inner", first), "second");
  const ValueId third = norm(product(coded(second, "second"), "after", second), "third");
  graph.outputs = {third, second};
  ASSERT_TRUE(FuseForCuda(graph).ok());
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  std::vector<std::string> ops;
  for (const NodeId id : graph.NodeIds()) ops.push_back(graph.node(id).op);
  ASSERT_EQ(ops, (std::vector<std::string>{"QuantizeLinear", "QuantizedLinear", "QuantizedPackedAttention",
                                           "QuantizedLinear", "QuantizedLayerNorm", "QuantizedLinear",
                                           "QuantizedLayerNorm", "QuantizedLinear", "ResidualLayerNorm"}))
      << graph.ToString();
  const auto ids = graph.NodeIds();
  const auto constant = [&](size_t node, size_t input) { return graph.ConstantInput(graph.node(ids[node]), input); };
  const auto type = [&](size_t node, size_t output) {
    return graph.value(graph.node(ids[node]).outputs[output]).type.dtype;
  };
  // A factor f makes the scale 0.5 / f, and what numbers are multiplied by f / 0.5.
  EXPECT_EQ(graph.node(ids[0]).Int("axis", 0), 2);
  for (const auto& [node, input, inverse] : {std::tuple(0, 1, true), {2, 2, false}, {4, 4, false}, {6, 4, false}}) {
    const Tensor* vector = constant(static_cast<size_t>(node), static_cast<size_t>(input));
    ASSERT_NE(vector, nullptr) << node;
    ASSERT_EQ(vector->NumElements(), 64) << node;
    for (int64_t i = 0; i < 64; ++i) {
      const float f = static_cast<float>(i + 1) / 8 / 0.5f;
      EXPECT_NEAR(vector->Data<float>()[i], inverse ? 1 / f : f, 1e-6f * std::max(f, 1 / f)) << node;
    }
  }
  // The products leave their residuals to the norms and write f16. The first norm is a residual as well, in f16; the
  // second one is a result of the network, and the third one nothing else.
  for (const size_t linear : {3, 5, 7}) {
    EXPECT_EQ(graph.node(ids[linear]).input(4), kNoValue);
    EXPECT_EQ(type(linear, 0), DType::kFloat16);
  }
  const Node &inner = graph.node(ids[4]), &last = graph.node(ids[6]);
  EXPECT_EQ(inner.input(3), graph.inputs[0]);
  EXPECT_EQ(last.input(3), inner.outputs[1]);
  EXPECT_EQ(type(4, 1), DType::kFloat16);
  EXPECT_EQ(type(6, 1), DType::kFloat32);
  EXPECT_EQ(last.outputs[1], graph.outputs[1]);
  EXPECT_EQ(graph.node(ids[8]).input(3), last.outputs[1]);
  EXPECT_EQ(graph.node(ids[8]).outputs[0], graph.outputs[0]);
  EXPECT_EQ(type(8, 0), DType::kFloat32);
}

// A Mul that is no balancing stays: its result is read by something else, or not every factor can be a scale's divisor.
TEST(FuseForCuda, OtherFactorsStay) {
  for (const float factor : {0.0f, -1.0f, 1.0f}) {
    Graph graph;
    graph.opsets[""] = 17;
    const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {4, 16}));
    graph.inputs = {x};
    Tensor numbers(DType::kFloat32, {16}), one(DType::kFloat32, {});
    for (float& number : numbers.Span<float>()) number = 2;
    numbers.Data<float>()[5] = factor;
    one.Data<float>()[0] = 0.5f;
    const ValueId scale = graph.AddConstant("scale", one), zero = graph.AddConstant("zero", Tensor(DType::kInt8, {}));
    const auto add = [&](const char* op, std::vector<ValueId> inputs, const char* name, DType dtype) {
      Node node;
      node.op = op;
      node.inputs = std::move(inputs);
      node.outputs = {graph.AddValue(name, Type::Tensor(dtype, {4, 16}))};
      const ValueId output = node.outputs[0];
      graph.AddNode(std::move(node));
      return output;
    };
    const ValueId product = add("Mul", {graph.AddConstant("factors", numbers), x}, "product", DType::kFloat32);
    graph.outputs = {add("QuantizeLinear", {product, scale, zero}, "codes", DType::kInt8)};
    if (factor > 0) graph.outputs.push_back(product);
    ASSERT_TRUE(FuseForCuda(graph).ok());
    EXPECT_EQ(graph.NumNodes(), 2u) << graph.ToString();
  }
}

TEST(FuseForCuda, AttentionThatSomethingElseReadsInF32WritesF16) {
  Graph graph;
  graph.opsets[""] = 17;
  std::vector<ValueId> parts;
  for (const char* name : {"q", "k", "v"}) {
    parts.push_back(graph.AddValue(name, Type::Tensor(DType::kFloat16, {1, 5, 64})));
  }
  graph.inputs = parts;
  const ValueId factors = graph.AddConstant("factors", Tensor(DType::kFloat32, {64}));
  const auto add = [&](const char* op, std::string_view domain, std::vector<ValueId> inputs, const char* name,
                       std::map<std::string, Attribute> attributes) {
    Node node;
    node.op = op;
    node.domain = domain;
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    node.outputs = {graph.AddValue(name, Type::Tensor(DType::kFloat32, {1, 5, 64}))};
    const ValueId output = node.outputs[0];
    graph.AddNode(std::move(node));
    return output;
  };
  const ValueId context =
      add("Attention", kTamisDomain, parts, "context",
          {{"num_heads", int64_t{2}}, {"scale", 1.0f}, {"output_dtype", static_cast<int64_t>(DType::kFloat32)}});
  graph.outputs = {add("Mul", "", {context, factors}, "balanced", {})};
  ASSERT_TRUE(FuseForCuda(graph).ok());
  ASSERT_TRUE(graph.Verify().ok()) << graph.ToString();
  std::vector<std::string> ops;
  for (const NodeId id : graph.NodeIds()) ops.push_back(graph.node(id).op);
  ASSERT_EQ(ops, (std::vector<std::string>{"Attention", "Cast", "Mul"})) << graph.ToString();
  const Node& attention = graph.node(graph.NodeIds()[0]);
  EXPECT_EQ(graph.value(attention.outputs[0]).type.dtype, DType::kFloat16);
  EXPECT_EQ(attention.Int("output_dtype", 0), static_cast<int64_t>(DType::kFloat16));
  EXPECT_EQ(graph.node(graph.NodeIds()[2]).inputs[0], context);
}

}  // namespace
}  // namespace tamis
