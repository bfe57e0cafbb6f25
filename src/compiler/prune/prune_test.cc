#include "src/compiler/prune/prune.h"

#include <gtest/gtest.h>

#include <cstring>

#include "src/compiler/prune/prune_test_graphs.h"
#include "src/ir/constant_store.h"
#include "src/sparsity/pattern.h"

namespace tamis {
namespace {

constexpr uint32_t kSeed = 31;

std::shared_ptr<ThreadPool> Pool() {
  return std::make_shared<ThreadPool>(2);
}

// 3 -> 16 -> 32 (no bias) -> two groups 32 -> 10 outputs.
GraphPair ConvNet(std::mt19937& random) {
  GraphPair network;
  network.Input("image", DType::kFloat32, {Dim::Symbol("batch"), Dim(8), Dim(8), Dim(3)});
  AddConv(network, "image", "first", RandomTensor({16, 3, 3, 3}, random), true, 1, 1, 1, random);
  AddRelu(network, "first", "a");
  AddConv(network, "a", "second", RandomTensor({32, 16, 3, 3}, random, 0.1F), false, 2, 1, 1, random);
  AddRelu(network, "second", "b");
  AddConv(network, "b", "grouped", RandomTensor({32, 16, 1, 1}, random, 0.3F), true, 1, 0, 2, random);
  AddRelu(network, "grouped", "c");
  AddConv(network, "c", "head", RandomTensor({10, 32, 1, 1}, random), true, 1, 0, 1, random);
  network.simplified.outputs = {ValueNamed(network.simplified, "head")};
  network.fused.outputs = {ValueNamed(network.fused, "head")};
  EXPECT_TRUE(InferShapes(network.fused).ok());
  return network;
}

std::vector<NamedTensors> ImageBatches(int count, std::mt19937& random) {
  std::vector<NamedTensors> batches;
  for (int i = 0; i < count; ++i) batches.push_back({{"image", RandomTensor({8, 8, 8, 3}, random)}});
  return batches;
}

double RelativeError(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.NumElements(), b.NumElements());
  double error = 0, norm = 0;
  for (int64_t i = 0; i < a.NumElements(); ++i) {
    error += std::pow(a.Data<float>()[i] - b.Data<float>()[i], 2);
    norm += std::pow(b.Data<float>()[i], 2);
  }
  return error / norm;
}

bool IsTwoFour(const Graph& graph, const std::string& name) {
  const auto broken = FindBrokenGroup(*graph.value(ValueNamed(graph, name)).constant);
  return broken.ok() && !broken->has_value();
}

const LayerReport& Layer(const PruneReport& report, const std::string& name) {
  for (const LayerReport& layer : report.layers) {
    if (layer.name == name) return layer;
  }
  ADD_FAILURE() << name;
  return report.layers[0];
}

TEST(PruneTest, ConvolutionsInOrderAndBothGraphsAgree) {
  std::mt19937 random(kSeed);
  GraphPair network = ConvNet(random);
  const Graph dense = network.fused.Clone();
  const std::vector<NamedTensors> batches = ImageBatches(16, random);
  const NamedTensors held_out = ImageBatches(1, random)[0];
  GraphPair magnitude = {};
  magnitude.simplified = network.simplified.Clone();
  magnitude.fused = network.fused.Clone();
  int progressed = 0;
  PruneOptions options;
  options.progress = [&](int done, int total, const std::string&) {
    EXPECT_EQ(done, progressed++);
    EXPECT_EQ(total, 2);
  };
  const auto report = PruneFused(network.simplified, network.fused, batches, options, Pool());
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(progressed, 3);
  EXPECT_EQ(report->samples, 128);
  EXPECT_EQ(report->Pruned(), 2);
  ASSERT_EQ(report->layers.size(), 4U);
  EXPECT_EQ(Layer(*report, "first.weight").reason, "3 input channels, a group needs 4");
  EXPECT_EQ(Layer(*report, "head.weight").reason, "10 outputs: fewer than the 16 lanes of one vector");
  EXPECT_EQ(Layer(*report, "first.weight").pattern, "dense");
  EXPECT_EQ(Layer(*report, "second.weight").k, 144);
  EXPECT_TRUE(IsTwoFour(network.fused, "second.weight_last"));
  EXPECT_TRUE(IsTwoFour(network.fused, "grouped.weight_last"));
  EXPECT_FALSE(IsTwoFour(network.fused, "head.weight_last"));

  options.method = PruneOptions::Method::kMagnitude;
  options.progress = nullptr;
  const auto baseline = PruneFused(magnitude.simplified, magnitude.fused, batches, options, Pool());
  ASSERT_TRUE(baseline.ok());
  for (const std::string name : {"second.weight", "grouped.weight"}) {
    const LayerReport& layer = Layer(*report, name);
    EXPECT_LT(layer.output_error, Layer(*baseline, name).output_error) << name;
    EXPECT_GT(layer.output_error, 0);
    EXPECT_GT(layer.saliency_kept, 0.5);
    EXPECT_LT(layer.saliency_kept, 1);
    EXPECT_TRUE(layer.bias_moved);
  }

  const auto expected = Evaluate(dense, held_out);
  const auto found = Evaluate(network.fused, held_out);
  const auto by_magnitude = Evaluate(magnitude.fused, held_out);
  ASSERT_TRUE(expected.ok() && found.ok() && by_magnitude.ok());
  EXPECT_LT(RelativeError(found->at("head"), expected->at("head")),
            0.7 * RelativeError(by_magnitude->at("head"), expected->at("head")));

  // The unfused network, which gained a bias, computes the same as the fused one.
  ASSERT_TRUE(network.simplified.Verify().ok());
  const auto unfused = Evaluate(network.simplified, {{"image", Permuted(held_out.at("image"), {0, 3, 1, 2})}});
  ASSERT_TRUE(unfused.ok()) << unfused.status().message();
  EXPECT_LT(RelativeError(Permuted(unfused->at("head"), {0, 2, 3, 1}), found->at("head")), 1e-10);
}

TEST(PruneTest, FailureLeavesTheNetworkAlone) {
  std::mt19937 random(kSeed);
  GraphPair network = ConvNet(random);
  const auto weight = [&] {
    return network.simplified.value(ValueNamed(network.simplified, "second.weight")).constant->raw();
  };
  const std::byte* before = weight();
  const std::vector<NamedTensors> wrong = {{{"picture", RandomTensor({1, 8, 8, 3}, random)}}};
  auto report = PruneFused(network.simplified, network.fused, wrong, {}, Pool());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.status().message(), "input 'image' is missing");
  report = PruneFused(network.simplified, network.fused, {}, {}, Pool());
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.status().message().find("samples"), std::string::npos);
  PruneOptions options;
  options.keep = {"second.weight", "nobody", "third"};
  report = PruneFused(network.simplified, network.fused, ImageBatches(1, random), options, Pool());
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(
      report.status().message(),
      "no layer is called 'nobody', 'third'; there are: first.weight, second.weight, grouped.weight, head.weight");
  EXPECT_EQ(weight(), before);
  options.keep.clear();
  network.fused.value(ValueNamed(network.fused, "second.weight_last")).constant->Data<float>()[5] = std::nanf("");
  report = PruneFused(network.simplified, network.fused, ImageBatches(1, random), options, Pool());
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.status().message().find("weights are NaN or infinite in 'second.weight' (1)"), std::string::npos)
      << report.status().message();
}

TEST(PruneTest, KeepMagnitudeWithoutSamplesAndMemoryLimit) {
  std::mt19937 random(kSeed);
  GraphPair network = ConvNet(random);
  GraphPair copy;
  copy.simplified = network.simplified.Clone();
  copy.fused = network.fused.Clone();
  PruneOptions options;
  options.method = PruneOptions::Method::kMagnitude;
  options.keep = {"grouped_node"};
  auto report = PruneFused(network.simplified, network.fused, {}, options, Pool());
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(Layer(*report, "grouped.weight").reason, "kept dense as asked");
  const LayerReport& layer = Layer(*report, "second.weight");
  EXPECT_DOUBLE_EQ(layer.output_error, 1 - layer.saliency_kept);
  EXPECT_FALSE(layer.bias_moved);
  EXPECT_EQ(ToRecord(layer).pattern, "2:4");

  options.memory_bytes = options.disk_bytes = 600'000;  // of about 150 KB a batch and network
  report = PruneFused(copy.simplified, copy.fused, ImageBatches(8, random), options, Pool());
  ASSERT_TRUE(report.ok());
  EXPECT_LT(report->samples, 64);
  EXPECT_GT(report->samples, 0);
  ASSERT_EQ(report->notes.size(), 1U);
  EXPECT_NE(report->notes[0].find("of 64 samples were used"), std::string::npos) << report->notes[0];
}

TEST(PruneTest, WeightsOnDiskComeOutAsThoseInMemoryAndStayThere) {
  const auto prune = [](bool on_disk) {
    std::mt19937 random(kSeed);
    GraphPair network;
    network.Input("x", DType::kFloat32, {Dim::Symbol("batch"), Dim(144)});
    AddDense(network, "x", "up", RandomTensor({144, 160}, random, 0.1F), true, random);
    AddRelu(network, "up", "hidden");
    AddDense(network, "hidden", "down", RandomTensor({160, 144}, random, 0.1F), true, random);
    network.simplified.outputs = {ValueNamed(network.simplified, "down")};
    network.fused.outputs = {ValueNamed(network.fused, "down")};
    EXPECT_TRUE(InferShapes(network.fused).ok());
    std::vector<NamedTensors> batches;
    for (int i = 0; i < 4; ++i) batches.push_back({{"x", RandomTensor({64, 144}, random)}});
    ConstantStore store(0);
    if (on_disk) store.Keep(network.simplified);
    if (on_disk) store.Keep(network.fused);
    const auto report = PruneFused(network.simplified, network.fused, batches, {}, Pool());
    EXPECT_TRUE(report.ok()) << report.status().message();
    return network;
  };
  const GraphPair memory = prune(false), disk = prune(true);
  for (const std::string name : {"up.weight", "down.weight"}) {
    const Tensor& expected = *memory.simplified.value(ValueNamed(memory.simplified, name)).constant;
    const Tensor& found = *disk.simplified.value(ValueNamed(disk.simplified, name)).constant;
    EXPECT_FALSE(TensorStore::Holds(expected));
    EXPECT_TRUE(TensorStore::Holds(found));
    EXPECT_TRUE(TensorStore::Holds(*disk.fused.value(ValueNamed(disk.fused, name + "_rows")).constant));
    EXPECT_EQ(std::memcmp(expected.raw(), found.raw(), expected.NumBytes()), 0) << name;
    EXPECT_TRUE(IsTwoFour(disk.fused, name + "_rows"));
  }
}

// Tokens [batch, seq, 32] -> Linear -> Linear without bias -> Linear, and a masked mean.
GraphPair TokenNet(std::mt19937& random) {
  GraphPair network;
  const Dim batch = Dim::Symbol("batch"), tokens = Dim::Symbol("seq");
  network.Input("x", DType::kFloat32, {batch, tokens, Dim(32)});
  network.Input("mask", DType::kInt64, {batch, tokens});
  AddDense(network, "x", "up", RandomTensor({32, 48}, random, 0.2F), true, random);
  AddRelu(network, "up", "hidden");
  AddDense(network, "hidden", "mid", RandomTensor({48, 48}, random, 0.2F), false, random);
  AddDense(network, "mid", "down", RandomTensor({48, 20}, random, 0.2F), true, random);
  Append(network.fused, "MaskedMean", kTamisDomain, {"down", "mask"}, "mean", {{"epsilon", 1e-9F}});
  network.simplified.outputs = {ValueNamed(network.simplified, "down")};
  network.fused.outputs = {ValueNamed(network.fused, "down"), ValueNamed(network.fused, "mean")};
  const Status inferred = InferShapes(network.fused);
  EXPECT_TRUE(inferred.ok()) << inferred.message();
  return network;
}

TEST(PruneTest, PaddingDoesNotCount) {
  std::vector<std::vector<float>> weights;
  for (const float padding : {0.0F, 700.0F}) {
    std::mt19937 random(kSeed);
    GraphPair network = TokenNet(random);
    std::vector<NamedTensors> batches;
    for (int i = 0; i < 6; ++i) {
      Tensor x = RandomTensor({10, 12, 32}, random), mask(DType::kInt64, {10, 12});
      for (int64_t b = 0; b < 10; ++b) {
        const auto length = static_cast<int64_t>(1 + random() % 9);
        for (int64_t t = 0; t < 12; ++t) {
          mask.Data<int64_t>()[b * 12 + t] = t < length && t != 2;  // a hole inside counts as padding too
          if (mask.Data<int64_t>()[b * 12 + t] == 0) std::fill_n(x.Data<float>() + (b * 12 + t) * 32, 32, padding);
        }
      }
      batches.push_back({{"x", x}, {"mask", mask}});
    }
    PruneOptions options;
    options.batch = 16;
    const auto report = PruneFused(network.simplified, network.fused, batches, options, Pool());
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->samples, 60);
    EXPECT_EQ(report->Pruned(), 3);
    EXPECT_TRUE(Layer(*report, "up.weight").bias_moved);
    EXPECT_FALSE(Layer(*report, "mid.weight").bias_moved);
    auto& all = weights.emplace_back();
    for (const std::string name : {"up.weight", "mid.weight", "down.weight"}) {
      EXPECT_TRUE(IsTwoFour(network.fused, name + "_rows"));
      const auto values = network.simplified.value(ValueNamed(network.simplified, name)).constant->Span<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    const auto fused = Evaluate(network.fused, batches[0]), unfused = Evaluate(network.simplified, batches[0]);
    ASSERT_TRUE(fused.ok() && unfused.ok());
    EXPECT_LT(RelativeError(fused->at("down"), unfused->at("down")), 1e-10);
  }
  EXPECT_EQ(weights[0], weights[1]);
}

TEST(PruneTest, SharedWeightIsPrunedOnce) {
  std::mt19937 random(kSeed);
  GraphPair network;
  network.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(32)});
  const Tensor weight = RandomTensor({32, 32}, random, 0.2F);
  Constant(network.simplified, "tied", weight);
  Constant(network.fused, "tied_rows", Permuted(weight, {1, 0}), WeightOrigin{"tied", WeightTransform::kTransposed2D});
  Append(network.simplified, "MatMul", "", {"x", "tied"}, "y");
  Append(network.fused, "Linear", kTamisDomain, {"x", "tied_rows"}, "y");
  AddRelu(network, "y", "r");
  Append(network.simplified, "MatMul", "", {"r", "tied"}, "z");
  Append(network.fused, "Linear", kTamisDomain, {"r", "tied_rows"}, "z");
  network.simplified.outputs = {ValueNamed(network.simplified, "z")};
  network.fused.outputs = {ValueNamed(network.fused, "z")};
  ASSERT_TRUE(InferShapes(network.fused).ok());
  const std::vector<NamedTensors> batches = {{{"x", RandomTensor({200, 32}, random)}}};
  const auto report = PruneFused(network.simplified, network.fused, batches, {}, Pool());
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->layers.size(), 1U);
  EXPECT_EQ(report->layers[0].pattern, "2:4");
  EXPECT_TRUE(IsTwoFour(network.fused, "tied_rows"));
  const auto fused = Evaluate(network.fused, batches[0]), unfused = Evaluate(network.simplified, batches[0]);
  ASSERT_TRUE(fused.ok() && unfused.ok());
  EXPECT_LT(RelativeError(fused->at("z"), unfused->at("z")), 1e-10);
}

TEST(PruneTest, PartsOfOneInitializerGoBackToTheirRows) {
  std::mt19937 random(kSeed);
  GraphPair network;
  network.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(24)});
  const Tensor weight = RandomTensor({40, 24}, random), bias = RandomTensor({40}, random);
  Constant(network.simplified, "w", weight);
  Constant(network.simplified, "b", bias);
  Append(network.simplified, "Gemm", "", {"x", "w", "b"}, "y", {{"transB", int64_t{1}}});
  int64_t begin = 0;
  for (const int64_t count : {16, 24}) {
    const std::string part = std::to_string(begin);
    Constant(network.fused, "w" + part,
             Tensor::Of<float>(
                 DType::kFloat32, {count, 24},
                 weight.Span<float>().subspan(static_cast<size_t>(begin * 24), static_cast<size_t>(count * 24))),
             WeightOrigin{"w", WeightTransform::kNone, begin, begin + count});
    Constant(network.fused, "b" + part,
             Tensor::Of<float>(DType::kFloat32, {count},
                               bias.Span<float>().subspan(static_cast<size_t>(begin), static_cast<size_t>(count))));
    Append(network.fused, "Linear", kTamisDomain, {"x", "w" + part, "b" + part}, "y" + part);
    network.fused.outputs.push_back(ValueNamed(network.fused, "y" + part));
    begin += count;
  }
  network.simplified.outputs = {ValueNamed(network.simplified, "y")};
  ASSERT_TRUE(InferShapes(network.fused).ok());
  Tensor x = RandomTensor({100, 24}, random);
  for (float& v : x.Span<float>()) v += 1;  // a mean, so that biases move
  const auto report = PruneFused(network.simplified, network.fused, std::vector<NamedTensors>{{{"x", x}}}, {}, Pool());
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->layers.size(), 1U);
  EXPECT_EQ(report->layers[0].n, 40);
  EXPECT_TRUE(report->layers[0].bias_moved);
  EXPECT_TRUE(IsTwoFour(network.simplified, "w"));
  const auto fused = Evaluate(network.fused, {{"x", x}}), unfused = Evaluate(network.simplified, {{"x", x}});
  ASSERT_TRUE(fused.ok() && unfused.ok());
  for (int64_t row = 0; row < 100; ++row) {
    for (int64_t n = 0; n < 40; ++n) {
      const float part =
          n < 16 ? fused->at("y0").Data<float>()[row * 16 + n] : fused->at("y16").Data<float>()[row * 24 + n - 16];
      EXPECT_FLOAT_EQ(part, unfused->at("y").Data<float>()[row * 40 + n]);
    }
  }
}

}  // namespace
}  // namespace tamis
