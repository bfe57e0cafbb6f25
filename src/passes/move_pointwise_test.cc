#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Ints = std::vector<int64_t>;

const std::vector<Pass> kPasses = {{"make_channels_last", MakeChannelsLast},
                                   {"simplify_views", SimplifyViews},
                                   {"move_pointwise", MovePointwise},
                                   {"remove_dead", RemoveDead}};

ValueId Enlarged(TestGraph& t, ValueId x, const std::string& mode, const Ints& sizes) {
  return t.Op("Resize", {x, kNoValue, kNoValue, t.Ints(sizes)}, {{"mode", mode}});
}

// An image that lies channels last.
ValueId Image(TestGraph& t, const std::string& name, const Dims& dims) {
  const ValueId x = t.Input(name, Shape(dims.begin(), dims.end()));
  return t.Op("MaxPool", {t.Op("Conv", {x, t.Weight({dims[1], dims[1], 1, 1})})}, {{"kernel_shape", Ints{1, 1}}});
}

// How many elements all products write.
int64_t Written(const Graph& graph) {
  int64_t sum = 0;
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).IsTamis("ChannelsLastConv")) continue;
    int64_t count = 1;
    for (const Dim& dim : graph.value(graph.node(id).outputs[0]).type.shape) count *= *dim.Constant();
    sum += count;
  }
  return sum;
}

Graph Regrouped(const Graph& graph, const Feeds& feeds) {
  PassOptions options;
  options.regroup_layers = true;
  return RewriteAndCompare(graph, kPasses, feeds, 1e-5, options);
}

TEST(MovePointwise, InFrontOfAnEnlargement) {
  for (const std::string mode : {"nearest", "linear", "cubic"}) {
    TestGraph t;
    const ValueId x = Image(t, "x", {2, 48, 4, 5});
    const ValueId large = Enlarged(t, x, mode, {2, 48, 8, 15});
    t.Output(t.Op("Relu", {t.Op("Conv", {large, t.Weight({64, 48, 1, 1}), t.Weight({64})})}));
    const Graph after = Regrouped(t.graph, {{"x", RandomTensor({2, 48, 4, 5}, 1)}});
    EXPECT_EQ(Written(after), 2 * (48 + 64) * 4 * 5) << mode;
  }
}

// The decoder of SegFormer: parts of four sizes joined and mixed.
TEST(MovePointwise, PartsOfAConcat) {
  for (const bool rest : {false, true}) {
    TestGraph t;
    std::vector<ValueId> parts;
    Feeds feeds;
    for (const int64_t size : {8, 4, 2}) {
      if (size == 8 && !rest) continue;
      const std::string name = "x" + std::to_string(size);
      feeds[name] = RandomTensor({1, 96, size, size}, static_cast<uint32_t>(size));
      const ValueId x = Image(t, name, {1, 96, size, size});
      parts.push_back(size == 8 ? x : Enlarged(t, x, "linear", {1, 96, 8, 8}));
      if (size == 8) parts.push_back(t.Op("Relu", {x}));
    }
    const ValueId joined = t.Op("Concat", parts, {{"axis", int64_t{1}}});
    const int64_t channels = static_cast<int64_t>(parts.size()) * 96;
    t.Output(t.Op("Relu", {t.Op("Conv", {joined, t.Weight({64, channels, 1, 1}), t.Weight({64})})}));
    const Graph after = Regrouped(t.graph, feeds);
    EXPECT_EQ(Written(after), 64 * (16 + 4 + (rest ? 64 : 0)) + 96 * (16 + 4 + (rest ? 64 : 0)));
    EXPECT_EQ(CountOps(after)["Concat"], rest ? 1 : 0);
    EXPECT_EQ(CountOps(after)["Add"], rest ? 2 : 1);
  }
}

TEST(MovePointwise, BehindAPoolOfAverages) {
  TestGraph t;
  const ValueId x = t.Input("x", {1, 64, 7, 8});
  const auto conv = [&] { return t.Op("Conv", {x, t.Weight({48, 64, 1, 1}), t.Weight({48})}); };
  const Attributes window = {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}};
  Attributes counting = window;
  counting["count_include_pad"] = int64_t{1};
  t.Output(t.Op("AveragePool", {conv()}, window));
  t.Output(t.Op("GlobalAveragePool", {conv()}));
  t.Output(t.Op("AveragePool", {conv()}, counting));  // the bias would be pooled with zeros
  const Graph after = Regrouped(t.graph, {{"x", RandomTensor({1, 64, 7, 8}, 2)}});
  EXPECT_EQ(Written(after), 48 * (4 * 4 + 1 + 7 * 8));
}

TEST(MovePointwise, WhatStays) {
  TestGraph t;
  const ValueId x = Image(t, "x", {1, 32, 8, 8});
  const auto conv = [&](ValueId from, int64_t kernel, int64_t out) {
    const int64_t pad = kernel / 2;
    return t.Op("Conv", {from, t.Weight({out, 32, kernel, kernel})}, {{"pads", Ints{pad, pad, pad, pad}}});
  };
  const auto large = [&](int64_t size) { return Enlarged(t, x, "linear", {1, 32, size, size}); };
  t.Output(conv(large(16), 3, 32));   // mixes places
  t.Output(conv(large(4), 1, 32));    // makes it smaller
  t.Output(conv(large(16), 1, 512));  // the rows to be enlarged would be longer by more than the work is worth
  const ValueId shared = large(16);
  t.Output(conv(shared, 1, 32));  // is read by another as well
  t.Output(shared);
  const Graph after = Regrouped(t.graph, {{"x", RandomTensor({1, 32, 8, 8}, 3)}});
  EXPECT_EQ(Written(after), 32 * 64 + 32 * 256 + 32 * 16 + 512 * 256 + 32 * 256);
}

// floor(1.05 * 16) channels are as many as before, and others.
TEST(MovePointwise, NotWhereScalesPickChannelsAnew) {
  for (const float scale : {1.0F, 1.05F}) {
    TestGraph t;
    const ValueId x = Image(t, "x", {1, 16, 8, 8});
    const ValueId scales =
        t.graph.AddConstant("scales", Tensor::Of<float>(DType::kFloat32, {4}, std::vector<float>{1, scale, 2, 2}));
    const ValueId large =
        t.Op("Resize", {x, kNoValue, scales},
             {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}});
    t.Output(t.Op("Conv", {large, t.Weight({16, 16, 1, 1})}));
    const Graph after = Regrouped(t.graph, {{"x", RandomTensor({1, 16, 8, 8}, 3)}});
    EXPECT_EQ(Written(after), 16 * 64 + 16 * (scale == 1 ? 64 : 256)) << scale;
  }
}

}  // namespace
}  // namespace tamis
