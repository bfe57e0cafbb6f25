// The pass lists on whole networks written as torch's exporter writes them.
#include <array>

#include "src/passes/reinference.h"
#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Ints = std::vector<int64_t>;
using Counts = std::map<std::string, int>;

Counts FuseAndCompare(const Graph& graph, const Feeds& feeds, const PassOptions& options, double tolerance) {
  PassOptions audited = options;
  audited.audit = true;
  const auto fused = Fuse(graph, audited);
  EXPECT_TRUE(fused.ok()) << fused.status().message();
  if (!fused.ok()) return {};
  ExpectClose(Evaluate(graph, feeds), Evaluate(*fused, feeds), tolerance);
  return CountOps(*fused);
}

// A sentence encoder: embeddings, two layers of attention and feed-forward, masked mean, normalisation.
struct Encoder {
  static constexpr int64_t kWidth = 24, kHeads = 3, kVocabulary = 20, kLayers = 2;
  TestGraph t{17};
  ValueId ids = t.Input("input_ids", {Dim::Symbol("batch"), Dim::Symbol("sequence")}, DType::kInt64);
  ValueId mask = t.Input("attention_mask", {Dim::Symbol("batch"), Dim::Symbol("sequence")}, DType::kInt64);
  Feeds feeds;

  ValueId Linear(ValueId x, int64_t in, int64_t out) {
    return t.Op("Add", {t.Weight({out}, -0.3f, 0.3f), t.Op("MatMul", {x, t.Weight({in, out}, -0.3f, 0.3f)})});
  }
  ValueId LayerNorm(ValueId x) {
    const ValueId d = t.Op("Sub", {x, t.Op("ReduceMean", {x}, {{"axes", Ints{-1}}})});
    const ValueId v = t.Op("ReduceMean", {t.Op("Pow", {d, t.Scalar(2)})}, {{"axes", Ints{-1}}});
    const ValueId n = t.Op("Div", {d, t.Op("Sqrt", {t.Op("Add", {v, t.Scalar(1e-12f)})})});
    return t.Op("Add", {t.Op("Mul", {n, t.Weight({kWidth}, 0.5f, 1.5f)}), t.Weight({kWidth})});
  }
  // x.view(x.size(0), x.size(1), ...) with sizes read at run time.
  ValueId View(ValueId x, Ints tail) {
    const ValueId shape = t.Op("Shape", {x});
    const auto size = [&](int64_t axis) {
      return t.Op("Unsqueeze", {t.Op("Gather", {shape, t.Index(axis)}), t.Ints({0})});
    };
    const ValueId batch = size(0), tokens = size(1);
    return t.Op("Reshape", {x, t.Op("Concat", {batch, tokens, t.Ints(std::move(tail))}, {{"axis", int64_t{0}}})});
  }
  ValueId Layer(ValueId x, ValueId extended_mask) {
    const auto heads = [&](Ints perm) {
      return t.Op("Transpose", {View(Linear(x, kWidth, kWidth), {kHeads, kWidth / kHeads})},
                  {{"perm", std::move(perm)}});
    };
    const ValueId q = heads({0, 2, 1, 3}), k = heads({0, 2, 3, 1}), v = heads({0, 2, 1, 3});
    const ValueId scores = t.Op("Div", {t.Op("MatMul", {q, k}), t.Scalar(2.828427f)});
    const ValueId p = t.Op("Softmax", {t.Op("Add", {scores, extended_mask})}, {{"axis", int64_t{-1}}});
    const ValueId context = t.Op("Transpose", {t.Op("MatMul", {p, v})}, {{"perm", Ints{0, 2, 1, 3}}});
    const ValueId y = LayerNorm(t.Op("Add", {Linear(View(context, {kWidth}), kWidth, kWidth), x}));
    const ValueId h = Linear(y, kWidth, 4 * kWidth);
    const ValueId erf = t.Op("Erf", {t.Op("Div", {h, t.Scalar(1.4142135f)})});
    const ValueId gelu = t.Op("Mul", {t.Op("Mul", {h, t.Op("Add", {erf, t.Scalar(1)})}), t.Scalar(0.5f)});
    return LayerNorm(t.Op("Add", {Linear(gelu, 4 * kWidth, kWidth), y}));
  }
  Encoder() {
    ValueId x = t.Op("Gather", {t.Weight({kVocabulary, kWidth}), ids});
    const ValueId length = t.Op("Unsqueeze", {t.Op("Gather", {t.Op("Shape", {ids}), t.Index(1)}), t.Ints({0})});
    const ValueId positions = t.Op("Slice", {t.Weight({1, 16, kWidth}), t.Ints({0}), length, t.Ints({1})});
    x = LayerNorm(t.Op("Add", {x, positions}));
    const ValueId wide = t.Op("Cast", {t.Op("Unsqueeze", {mask, t.Ints({1, 2})})}, {{"to", int64_t{1}}});
    const ValueId extended = t.Op("Mul", {t.Op("Sub", {t.Scalar(1), wide}), t.Scalar(-3.4028235e38f)});
    for (int64_t layer = 0; layer < kLayers; ++layer) x = Layer(x, extended);
    const ValueId expanded = t.Op("Expand", {t.Op("Unsqueeze", {mask, t.Ints({-1})}), t.Op("Shape", {x})});
    const ValueId m = t.Op("Cast", {expanded}, {{"to", int64_t{1}}});
    const ValueId sum = t.Op("ReduceSum", {t.Op("Mul", {x, m}), t.Ints({1})}, {{"keepdims", int64_t{0}}});
    const ValueId count = t.Op("ReduceSum", {m, t.Ints({1})}, {{"keepdims", int64_t{0}}});
    const ValueId pooled = t.Op("Div", {sum, t.Op("Clip", {count, t.Scalar(1e-9f)})});
    const ValueId norm = t.Op("ReduceL2", {pooled}, {{"axes", Ints{1}}});
    const ValueId divisor = t.Op("Expand", {t.Op("Clip", {norm, t.Scalar(1e-12f)}), t.Op("Shape", {pooled})});
    t.Output(t.Op("Div", {pooled, divisor}));
    Tensor tokens(DType::kInt64, {2, 5}), kept(DType::kInt64, {2, 5});
    for (int64_t i = 0; i < 10; ++i) {
      tokens.Data<int64_t>()[i] = i * 7 % kVocabulary;
      kept.Data<int64_t>()[i] = i < 8;
    }
    feeds = {{"input_ids", tokens}, {"attention_mask", kept}};
  }
};

TEST(Pipeline, SentenceEncoder) {
  Encoder e;
  Counts counts = FuseAndCompare(e.t.graph, e.feeds, {}, 1e-5);
  EXPECT_EQ(counts["tamis.Linear"], 6 * Encoder::kLayers);
  EXPECT_EQ(counts["tamis.Attention"], Encoder::kLayers);
  EXPECT_EQ(counts["LayerNormalization"], 2 * Encoder::kLayers + 1);
  EXPECT_EQ(counts["tamis.MaskedMean"], 1);
  EXPECT_EQ(counts["tamis.L2Normalize"], 1);
  for (const std::string gone :
       {"MatMul", "Softmax", "Erf", "Reshape", "Transpose", "Concat", "Expand", "Div", "Pow"}) {
    EXPECT_EQ(counts[gone], 0) << gone;
  }
}

TEST(Pipeline, SentenceEncoderInBFloat16) {
  Encoder e;
  PassOptions options;
  options.precision = DType::kBFloat16;
  Counts counts = FuseAndCompare(e.t.graph, e.feeds, options, 0.06);
  EXPECT_EQ(counts["tamis.Linear"], 6 * Encoder::kLayers);
  EXPECT_EQ(counts["Cast"], 2) << "the embeddings' sum and the mask";
}

ValueId ConvNorm(TestGraph& t, ValueId x, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t group = 1) {
  const int64_t pad = kernel / 2;
  const ValueId y = t.Op("Conv", {x, t.Weight({out, in / group, kernel, kernel}, -0.4f, 0.4f)},
                         {{"strides", Ints{stride, stride}}, {"pads", Ints{pad, pad, pad, pad}}, {"group", group}});
  return t.Op("BatchNormalization",
              {y, t.Weight({out}, 0.5f, 1.5f), t.Weight({out}), t.Weight({out}), t.Weight({out}, 0.5f, 2)});
}

TEST(Pipeline, ResidualNetwork) {
  TestGraph t;
  ValueId x = t.Op("Relu", {ConvNorm(t, t.Input("image", {Dim::Symbol("n"), 3, 16, 16}), 3, 8, 3, 1)});
  x = t.Op("MaxPool", {x}, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
  for (int64_t width : {8, 12}) {
    const int64_t in = *t.graph.value(x).type.shape[1].Constant(), stride = in == width ? 1 : 2;
    const ValueId y = ConvNorm(t, t.Op("Relu", {ConvNorm(t, x, in, width, 3, stride)}), width, width, 3, 1);
    x = t.Op("Relu", {t.Op("Add", {y, in == width ? x : ConvNorm(t, x, in, width, 1, stride)})});
  }
  x = t.Op("Flatten", {t.Op("GlobalAveragePool", {x})});
  t.Output(t.Op("Gemm", {x, t.Weight({10, 12}), t.Weight({10})}, {{"transB", int64_t{1}}}));
  const Feeds feeds = {{"image", RandomTensor({2, 3, 16, 16}, 99)}};
  const Counts counts = FuseAndCompare(t.graph, feeds, {}, 1e-5);
  EXPECT_EQ(counts, (Counts{{"Transpose", 1},
                            {"tamis.ChannelsLastConv", 6},
                            {"tamis.ChannelsLastMaxPool", 1},
                            {"tamis.ChannelsLastGlobalAveragePool", 1},
                            {"tamis.Linear", 1}}));
}

TEST(Pipeline, InvertedResidualNetwork) {
  TestGraph t;
  const auto relu6 = [&](ValueId x) { return t.Op("Clip", {x, t.Scalar(0), t.Scalar(6)}); };
  ValueId x = relu6(ConvNorm(t, t.Input("image", {Dim::Symbol("n"), 3, 16, 16}), 3, 8, 3, 2));
  for (int block = 0; block < 2; ++block) {
    const ValueId wide = relu6(ConvNorm(t, x, 8, 24, 1, 1));
    const ValueId depthwise = relu6(ConvNorm(t, wide, 24, 24, 3, 1, 24));
    x = t.Op("Add", {x, ConvNorm(t, depthwise, 24, 8, 1, 1)});
  }
  x = t.Op("ReduceMean", {x}, {{"axes", Ints{2, 3}}, {"keepdims", int64_t{0}}});
  t.Output(t.Op("Gemm", {x, t.Weight({10, 8}), t.Weight({10})}, {{"transB", int64_t{1}}}));
  const Feeds feeds = {{"image", RandomTensor({2, 3, 16, 16}, 98)}};
  const Counts counts = FuseAndCompare(t.graph, feeds, {}, 1e-5);
  EXPECT_EQ(counts, (Counts{{"Transpose", 1},
                            {"tamis.ChannelsLastConv", 7},
                            {"tamis.ChannelsLastGlobalAveragePool", 1},
                            {"tamis.Linear", 1}}));
}

TEST(Pipeline, VisionTransformer) {
  constexpr int64_t kWidth = 12, kHeads = 3;
  TestGraph t;
  const Dim n = Dim::Symbol("n");
  const auto linear = [&](ValueId x, int64_t in, int64_t out) {
    return t.Op("Add", {t.Op("MatMul", {x, t.Weight({in, out}, -0.4f, 0.4f)}), t.Weight({out})});
  };
  const auto norm = [&](ValueId x) {
    return t.Op("LayerNormalization", {x, t.Weight({kWidth}, 0.5f, 1.5f), t.Weight({kWidth})}, {{"axis", int64_t{-1}}});
  };
  const ValueId image = t.Input("image", {n, 3, 8, 8});
  ValueId x = t.Op("Conv", {image, t.Weight({kWidth, 3, 4, 4}), t.Weight({kWidth})}, {{"strides", Ints{4, 4}}});
  x = t.Op("Transpose", {t.Op("Reshape", {x, t.Ints({0, kWidth, -1})})}, {{"perm", Ints{0, 2, 1}}});
  const ValueId batch = t.Op("Unsqueeze", {t.Op("Gather", {t.Op("Shape", {image}), t.Index(0)}), t.Ints({0})});
  const ValueId repeat = t.Op("Concat", {batch, t.Ints({1, kWidth})}, {{"axis", int64_t{0}}});
  x = t.Op("Concat", {t.Op("Expand", {t.Weight({1, 1, kWidth}), repeat}), x}, {{"axis", int64_t{1}}});
  x = t.Op("Add", {x, t.Weight({1, 5, kWidth})});
  for (int layer = 0; layer < 2; ++layer) {
    ValueId qkv = t.Op("Reshape", {linear(norm(x), kWidth, 3 * kWidth), t.Ints({0, 5, 3, kHeads, kWidth / kHeads})});
    qkv = t.Op("Transpose", {qkv}, {{"perm", Ints{2, 0, 3, 1, 4}}});
    const auto part = [&](int64_t i) { return t.Op("Gather", {qkv, t.Index(i)}); };
    const ValueId k = t.Op("Transpose", {part(1)}, {{"perm", Ints{0, 1, 3, 2}}});
    const ValueId scores = t.Op("MatMul", {t.Op("Mul", {part(0), t.Scalar(0.5f)}), k});
    ValueId y = t.Op("MatMul", {t.Op("Softmax", {scores}, {{"axis", int64_t{-1}}}), part(2)});
    y = t.Op("Reshape", {t.Op("Transpose", {y}, {{"perm", Ints{0, 2, 1, 3}}}), t.Ints({0, 5, kWidth})});
    x = t.Op("Add", {x, linear(y, kWidth, kWidth)});
    ValueId h = linear(norm(x), kWidth, 2 * kWidth);
    const ValueId erf = t.Op("Erf", {t.Op("Mul", {h, t.Scalar(0.70710678f)})});
    h = t.Op("Mul", {t.Op("Mul", {t.Scalar(0.5f), h}), t.Op("Add", {t.Scalar(1), erf})});
    x = t.Op("Add", {x, linear(h, 2 * kWidth, kWidth)});
  }
  x = t.Op("Gather", {norm(x), t.Index(0)}, {{"axis", int64_t{1}}});
  t.Output(t.Op("Gemm", {x, t.Weight({10, kWidth}), t.Weight({10})}, {{"transB", int64_t{1}}}));
  Counts counts = FuseAndCompare(t.graph, {{"image", RandomTensor({2, 3, 8, 8}, 97)}}, {}, 1e-5);
  EXPECT_EQ(counts["tamis.Linear"], 2 * 6 + 1);
  EXPECT_EQ(counts["tamis.Attention"], 2);
  EXPECT_EQ(counts["tamis.ChannelsLastConv"], 1);
  EXPECT_EQ(counts["Transpose"], 1);
  EXPECT_EQ(counts["MatMul"] + counts["Softmax"] + counts["Erf"], 0);
}

// The layers of torchvision's ResNet-50, at a small image and a width that keeps the references fast.
TEST(Pipeline, ResNet50HasOneNodeALayer) {
  TestGraph t(17);
  const int64_t base = 4;
  const auto conv = [&](ValueId x, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
    const ValueId y = t.Op(
        "Conv", {x, t.Weight({out, in, kernel, kernel}, -0.4f, 0.4f)},
        {{"kernel_shape", Ints{kernel, kernel}}, {"strides", Ints{stride, stride}}, {"pads", Ints(4, kernel / 2)}});
    return t.Op("BatchNormalization",
                {y, t.Weight({out}, 0.5f, 1.5f), t.Weight({out}), t.Weight({out}), t.Weight({out}, 0.5f, 1.5f)});
  };
  ValueId x = t.Op("Relu", {conv(t.Input("image", {Dim::Symbol("batch"), 3, 32, 32}), 3, base, 7, 2)});
  x = t.Op("MaxPool", {x}, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints(4, 1)}});
  int64_t channels = base;
  for (const auto& [width, blocks, stride] :
       std::vector<std::array<int64_t, 3>>{{base, 3, 1}, {2 * base, 4, 2}, {4 * base, 6, 2}, {8 * base, 3, 2}}) {
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t step = block == 0 ? stride : 1;
      ValueId y = t.Op("Relu", {conv(x, channels, width, 1, 1)});
      y = conv(t.Op("Relu", {conv(y, width, width, 3, step)}), width, 4 * width, 1, 1);
      if (block == 0) x = conv(x, channels, 4 * width, 1, step);
      x = t.Op("Relu", {t.Op("Add", {y, x})});
      channels = 4 * width;
    }
  }
  x = t.Op("Flatten", {t.Op("GlobalAveragePool", {x})});
  t.Output(t.Op("Gemm", {x, t.Weight({10, channels}), t.Weight({10})}, {{"transB", int64_t{1}}}));
  const Counts counts = FuseAndCompare(t.graph, {{"image", RandomTensor({1, 3, 32, 32}, 1)}}, {}, 1e-4);
  EXPECT_EQ(counts, (Counts{{"Transpose", 1},
                            {"tamis.ChannelsLastConv", 53},
                            {"tamis.ChannelsLastMaxPool", 1},
                            {"tamis.ChannelsLastGlobalAveragePool", 1},
                            {"tamis.Linear", 1}}));
}

TEST(Pipeline, PassesCanBeSkippedAndAreRecorded) {
  Encoder e;
  PassOptions options;
  options.skip = {"recognize_attention", "fuse_epilogue"};
  std::vector<PassRecord> records;
  const auto fused = Fuse(e.t.graph, options, &records);
  ASSERT_TRUE(fused.ok()) << fused.status().message();
  EXPECT_EQ(CountOps(*fused)["tamis.Attention"], 0);
  EXPECT_EQ(records.size(), SimplifyPasses().size() + FusePasses().size());
  for (const PassRecord& record : records) {
    EXPECT_EQ(record.skipped, record.name == "recognize_attention" || record.name == "fuse_epilogue") << record.name;
  }
  EXPECT_LT(records.back().nodes_after, records.front().nodes_before);
  options.skip = {"recognise_attention", "nonsense"};
  const auto refused = Fuse(e.t.graph, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().kind(), ErrorKind::kUser);
  EXPECT_NE(refused.status().message().find("'recognise_attention', 'nonsense'"), std::string::npos);
  EXPECT_NE(refused.status().message().find("recognize_attention,"), std::string::npos) << "the list of names";
}

// What isn't run for want of a root would have done nothing.
TEST(Pipeline, PassesDoNothingWithoutTheirRoots) {
  Encoder encoder;
  TestGraph chain;
  chain.Output(chain.Op("Relu", {chain.Op("Reshape", {chain.Input("x", {2, 6}), chain.Ints({3, 4})})}));
  TestGraph cnn;
  cnn.Output(cnn.Op("MaxPool", {cnn.Op("Conv", {cnn.Input("image", {1, 3, 8, 8}), cnn.Weight({4, 3, 3, 3})})},
                    {{"kernel_shape", Ints{2, 2}}}));
  std::vector<Pass> passes = SimplifyPasses();
  for (const Pass& pass : FusePasses()) passes.push_back(pass);
  int idle = 0;
  for (const Graph* source : {&encoder.t.graph, &chain.graph, &cnn.graph}) {
    Graph graph = source->Clone();
    for (const Pass& pass : passes) {
      const Counts counts = CountOps(graph);
      const auto is_there = [&](std::string_view root) { return counts.count(std::string(root)) != 0; };
      const auto roots = PassRoots(pass.name);
      const bool wanted = roots.empty() || std::any_of(roots.begin(), roots.end(), is_there);
      graph.Compact();
      ASSERT_TRUE(graph.Sort().ok());
      auto state = InferredState::Infer(graph);
      ASSERT_TRUE(state.ok());
      ASSERT_TRUE(pass.run(graph, {}).ok()) << pass.name;
      ASSERT_TRUE(graph.Sort().ok()) << pass.name;
      if (wanted) continue;
      const auto changed = state->Update(graph);
      EXPECT_TRUE(changed.ok() && !*changed) << pass.name;
      ++idle;
    }
  }
  EXPECT_GE(idle, 20);
}

TEST(Pipeline, PassesSayThatTheyEdited) {
  TestGraph t{17};
  const ValueId x = t.Input("x", {2, 8});
  t.Output(t.Op("Softmax", {x}));
  const Pass silent = {"silent", [](Graph& graph, const PassOptions&) {
                         graph.node(graph.NodeIds()[0]).attributes["axis"] = int64_t{0};
                         return Status();
                       }};
  Graph graph = t.graph.Clone();
  PassOptions options;
  options.audit = true;
  const Status status = RunPasses(graph, {silent}, options);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.kind(), ErrorKind::kInternal);
  EXPECT_NE(status.message().find("pass silent changed the graph and did not say so"), std::string::npos);

  const Pass telling = {"telling", [](Graph& graph, const PassOptions& options) {
                          graph.node(graph.NodeIds()[0]).attributes["axis"] = int64_t{0};
                          options.Edited();
                          return Status();
                        }};
  graph = t.graph.Clone();
  EXPECT_TRUE(RunPasses(graph, {telling}, options).ok());
}

TEST(Pipeline, SimplifiedGraphsHoldOnnxOperatorsOnly) {
  Encoder e;
  const Graph after = RewriteAndCompare(e.t.graph, SimplifyPasses(), e.feeds);
  for (NodeId id : after.NodeIds()) EXPECT_EQ(after.node(id).domain, "");
}

}  // namespace
}  // namespace tamis
