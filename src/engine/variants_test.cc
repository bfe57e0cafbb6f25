// Engines of several variants, profiles and plans, and files of the first minor version.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "src/base/float16.h"
#include "src/engine/engine.h"
#include "src/engine/engine_test_graphs.h"

namespace tamis {
namespace {

using testing::RandomTensor;
using testing::TemporaryFolder;

Tensor Rounded(const Tensor& wide) {
  Tensor narrow(DType::kBFloat16, wide.dims());
  const auto from = wide.Span<float>();
  std::transform(from.begin(), from.end(), narrow.Data<uint16_t>(), FloatToBf16);
  return narrow;
}

Graph Network(const Tensor& weight) {
  Graph graph;
  graph.opsets = {{"", 17}, {"tamis", 1}};
  graph.inputs = {graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim::Symbol("n"), 64}))};
  const ValueId w = graph.AddConstant("w_rows", weight);
  graph.value(w).origin = WeightOrigin{"w", WeightTransform::kNone, 0, 0};
  graph.outputs = {graph.AddValue("y", Type::Tensor(DType::kFloat32, {Dim::Symbol("n"), 96}))};
  graph.AddNode(MakeNode("Linear", "tamis", {graph.inputs[0], w}, {graph.outputs[0]}));
  return graph;
}

// `narrow_first`: Engine::fused is the bf16 one.
Engine TwoVariants(const Tensor& weight, bool narrow_first) {
  Engine engine;
  engine.fused = Network(narrow_first ? Rounded(weight) : weight);
  engine.provenance.precision = narrow_first ? "bf16" : "f32";
  engine.variants.push_back({narrow_first ? "f32" : "bf16", Network(narrow_first ? weight : Rounded(weight))});
  Plan plan;
  plan.profile = {{"n", {1, 4, 8, true}}};
  engine.plans.push_back(plan);
  plan.variant = 1;
  plan.measured = true;
  plan.device = "cpu/somewhere";
  plan.threads = 3;
  plan.memory = {100, 90, 500};
  plan.points = {{{{"n", 4}}, {{"y", "kernel", 0.5, {}}}}};
  engine.plans.push_back(plan);
  plan.profile = {{"n", {16, 16, 64, true}}};
  engine.plans.push_back(plan);
  engine.provenance.custom_ops = {{"Op", "com.example", "library", "2.0"}};
  return engine;
}

TEST(Variants, ShareTheirWeights) {
  const TemporaryFolder folder;
  const Tensor weight = RandomTensor({96, 64}, 5);
  for (const bool narrow_first : {false, true}) {
    const Engine engine = TwoVariants(weight, narrow_first);
    const std::string path = folder / "two.tamis";
    ASSERT_TRUE(WriteEngine(engine, path).ok());
    const auto file = ReadEngine(path, ReadMode::kRead);
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ(file->facts.weights, 1);
    EXPECT_EQ(file->facts.dense_bytes, weight.NumBytes());
    const Engine& read = *file->engine;
    ASSERT_EQ(read.NumVariants(), 2);
    for (int variant = 0; variant < 2; ++variant) {
      EXPECT_EQ(read.Precision(variant), engine.Precision(variant));
      const Graph& expected = engine.Fused(variant);
      const Graph& graph = read.Fused(variant);
      EXPECT_EQ(graph.ToString(), expected.ToString());
      const Tensor& a = *graph.value(graph.node(0).inputs[1]).constant;
      const Tensor& b = *expected.value(expected.node(0).inputs[1]).constant;
      ASSERT_EQ(a.dtype(), b.dtype());
      EXPECT_EQ(std::memcmp(a.raw(), b.raw(), b.NumBytes()), 0);
    }
  }
}

TEST(Variants, PlansKeepProfileVariantAndMemory) {
  const TemporaryFolder folder;
  const Engine engine = TwoVariants(RandomTensor({96, 64}, 6), false);
  const std::string path = folder / "two.tamis";
  ASSERT_TRUE(WriteEngine(engine, path).ok());
  const auto file = ReadEngine(path, ReadMode::kRead);
  ASSERT_TRUE(file.ok()) << file.status().message();
  const Engine& read = *file->engine;
  ASSERT_EQ(read.plans.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(read.plans[i].profile, engine.plans[i].profile);
    EXPECT_EQ(read.plans[i].variant, engine.plans[i].variant);
    EXPECT_EQ(read.plans[i].memory.lower_bound, engine.plans[i].memory.lower_bound);
  }
  EXPECT_EQ(ProfilesOf(read.plans).size(), 2u);
  ASSERT_EQ(read.provenance.custom_ops.size(), 1u);
  EXPECT_EQ(read.provenance.custom_ops[0].library, "library");
}

TEST(Variants, APlanOfAVariantThatIsNotThereIsRefused) {
  const TemporaryFolder folder;
  Engine engine = TwoVariants(RandomTensor({96, 64}, 7), false);
  engine.plans[1].variant = 2;
  const std::string path = folder / "two.tamis";
  ASSERT_TRUE(WriteEngine(engine, path).ok());
  const auto file = ReadEngine(path, ReadMode::kRead);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().kind(), ErrorKind::kUser);
  EXPECT_NE(file.status().message().find("variant 2"), std::string::npos);
}

TEST(Variants, APlanFileHoldsNoWeights) {
  const TemporaryFolder folder;
  const Engine engine = TwoVariants(RandomTensor({96, 64}, 8), false);
  const std::string path = folder / "plans.tamis";
  ASSERT_TRUE(WritePlanFile(engine, path).ok());
  const auto file = ReadEngine(path, ReadMode::kRead);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->facts.weights, 0);
  EXPECT_EQ(file->engine->plans.size(), 3u);
}

// src/engine/testdata/format_1_first.tamis was written before files had variants, bounded profiles or memory figures:
// x[n, 12] times w[12, 48] = (i mod 7) - 3 and Relu, built with --threads 1 --profile x=1x12:2x12:4x12.
TEST(OlderFiles, TheFirstOfThisFormatOpens) {
  const auto file = ReadEngine("src/engine/testdata/format_1_first.tamis", ReadMode::kRead);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE(file->weights->Verify().ok());
  const Engine& engine = *file->engine;
  EXPECT_EQ(engine.NumVariants(), 1);
  EXPECT_EQ(engine.Precision(0), "f32");
  EXPECT_EQ(engine.provenance.model, ModelMeta());
  ASSERT_EQ(engine.plans.size(), 2u);
  EXPECT_FALSE(engine.plans[0].measured);
  EXPECT_TRUE(engine.plans[1].measured);
  EXPECT_EQ(engine.plans[1].variant, 0);
  EXPECT_EQ(engine.plans[1].memory.planned, 0u);
  const DimRange range = engine.plans[1].profile.at("n");
  EXPECT_EQ(range.max, 4);
  EXPECT_FALSE(range.bounded);  // sessions of that time refused nothing
  const auto source = file->LoadSource();
  ASSERT_TRUE(source.ok()) << source.status().message();
  const Tensor& weight = *source->value(source->node(0).inputs[1]).constant;
  ASSERT_EQ(weight.dims(), (Dims{12, 48}));
  for (int64_t i = 0; i < weight.NumElements(); ++i) ASSERT_EQ(weight.Data<float>()[i], static_cast<float>(i % 7 - 3));
}

TEST(OtherFiles, AnotherByteOrderIsNamed) {
  const TemporaryFolder folder;
  const std::string path = folder / "big.tamis";
  std::ifstream in("src/engine/testdata/format_1_first.tamis", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::swap(bytes[8], bytes[11]);
  std::ofstream(path, std::ios::binary) << bytes;
  const auto file = ReadEngine(path, ReadMode::kRead);
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.status().message().find("byte order"), std::string::npos) << file.status().message();
}

}  // namespace
}  // namespace tamis
