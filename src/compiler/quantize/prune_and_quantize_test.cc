#include <gtest/gtest.h>

#include <cmath>

#include "src/compiler/prune/prune.h"
#include "src/compiler/prune/prune_test_graphs.h"
#include "src/compiler/quantize/quantize.h"
#include "src/quantize/weight_codes.h"
#include "src/sparsity/pattern.h"

namespace tamis {
namespace {

constexpr uint32_t kSeed = 67;

// x -> Gemm(up, bias) -> Relu -> MatMul(down) + start -> y, `up` with zeros in every second column.
Graph Network(std::mt19937& random) {
  GraphPair pair;
  pair.Input("x", DType::kFloat32, {Dim::Symbol("n"), Dim(32)});
  Graph& graph = pair.simplified;
  Tensor up = RandomTensor({48, 32}, random);
  for (int64_t i = 0; i < up.NumElements(); i += 2) up.Data<float>()[i] = 0;
  Constant(graph, "up", up);
  Constant(graph, "up_bias", RandomTensor({48}, random));
  Append(graph, "Gemm", "", {"x", "up", "up_bias"}, "wide", {{"transB", int64_t{1}}});
  Append(graph, "Relu", "", {"wide"}, "hidden");
  Constant(graph, "down", RandomTensor({48, 20}, random));
  Append(graph, "MatMul", "", {"hidden", "down"}, "product");
  Constant(graph, "start", RandomTensor({20}, random));
  Append(graph, "Add", "", {"product", "start"}, "y");
  graph.outputs = {ValueNamed(graph, "y")};
  EXPECT_TRUE(InferShapes(graph).ok());
  return graph.Clone();
}

std::vector<NamedTensors> Batches(std::mt19937& random) {
  const Tensor mix = RandomTensor({6, 32}, random);
  std::vector<NamedTensors> batches;
  for (int b = 0; b < 4; ++b) {
    Tensor x = RandomTensor({64, 32}, random, 0.2F);
    const Tensor latent = RandomTensor({64, 6}, random);
    for (int64_t r = 0; r < 64; ++r) {
      for (int64_t c = 0; c < 32; ++c) {
        for (int64_t f = 0; f < 6; ++f) {
          x.Data<float>()[r * 32 + c] += latent.Data<float>()[r * 6 + f] * mix.Data<float>()[f * 32 + c];
        }
      }
    }
    batches.push_back({{"x", std::move(x)}});
  }
  return batches;
}

// The walk that rounds these layers and prunes none.
Result<std::map<std::string, RoundedLayer>> RoundInOrder(Graph& graph, const std::vector<NamedTensors>& batches,
                                                         const std::set<std::string>& layers) {
  PruneOptions options;
  options.prune = false;
  options.rounding.layers = layers;
  TAMIS_ASSIGN_OR_RETURN(PruneReport report, Prune(graph, batches, options, std::make_shared<ThreadPool>(2)));
  for (const LayerReport& layer : report.layers) EXPECT_EQ(layer.pattern, "dense");
  return std::move(report.rounded);
}

double SquaredDifference(const Graph& a, const Graph& b, const std::vector<NamedTensors>& batches) {
  double sum = 0;
  for (const NamedTensors& batch : batches) {
    const auto x = Evaluate(a, batch), y = Evaluate(b, batch);
    EXPECT_TRUE(x.ok() && y.ok());
    const Tensor &p = x->at("y"), &q = y->at("y");
    for (int64_t i = 0; i < p.NumElements(); ++i) sum += std::pow(p.Data<float>()[i] - q.Data<float>()[i], 2);
  }
  return sum;
}

TEST(RoundInOrder, BetterThanTheNearestCodes) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const Graph dense = Network(random);
  const std::vector<NamedTensors> batches = Batches(random);
  Graph nearest = dense.Clone();
  for (const char* name : {"up", "down"}) {
    Value& value = nearest.value(ValueNamed(nearest, name));
    const bool outputs_first = std::string(name) == "up";
    const Tensor rows = outputs_first ? *value.constant : Permuted(*value.constant, {1, 0});
    const WeightCodes codes = QuantizeRows(rows.Span<float>(), rows.dim(0), true);
    Tensor rounded = rows.Clone();
    for (int64_t i = 0; i < rows.NumElements(); ++i) {
      rounded.Data<float>()[i] =
          codes.scales[static_cast<size_t>(i / rows.dim(1))] * codes.codes[static_cast<size_t>(i)];
    }
    value.constant = outputs_first ? rounded : Permuted(rounded, {1, 0});
  }
  Graph graph = dense.Clone();
  const auto rounded = RoundInOrder(graph, batches, {"up", "down"});
  ASSERT_TRUE(rounded.ok()) << rounded.status().message();
  ASSERT_EQ(rounded->size(), 2U);
  EXPECT_EQ(rounded->at("up").scales.size(), 48U);
  EXPECT_EQ(rounded->at("down").scales.size(), 20U);
  const Tensor& up = *graph.value(ValueNamed(graph, "up")).constant;
  const Tensor& down = *graph.value(ValueNamed(graph, "down")).constant;
  for (int64_t i = 0; i < up.NumElements(); ++i) {
    const float code = up.Data<float>()[i] / rounded->at("up").scales[static_cast<size_t>(i / 32)];
    EXPECT_NEAR(code, std::nearbyint(code), 1e-3) << i;
    if (i % 2 == 0) {
      EXPECT_EQ(code, 0) << i;
    }
  }
  for (int64_t i = 0; i < down.NumElements(); ++i) {
    const float code = down.Data<float>()[i] / rounded->at("down").scales[static_cast<size_t>(i % 20)];
    EXPECT_NEAR(code, std::nearbyint(code), 1e-3) << i;
  }
  EXPECT_LT(SquaredDifference(graph, dense, batches), 0.6 * SquaredDifference(nearest, dense, batches));
}

TEST(RoundInOrder, WhatIsKeptStaysAndCodesAreThoseChosen) {
  std::mt19937 random(kSeed);
  const Graph dense = Network(random);
  const std::vector<NamedTensors> batches = Batches(random);
  Graph graph = dense.Clone();
  const auto rounded = RoundInOrder(graph, batches, {"down"});
  ASSERT_TRUE(rounded.ok()) << rounded.status().message();
  EXPECT_EQ(rounded->count("up"), 0U);
  EXPECT_EQ(rounded->count("down"), 1U);
  const Tensor &kept = *graph.value(ValueNamed(graph, "up")).constant,
               &before = *dense.value(ValueNamed(dense, "up")).constant;
  EXPECT_TRUE(std::equal(kept.Span<float>().begin(), kept.Span<float>().end(), before.Span<float>().begin()));

  Graph codes = dense.Clone(), all = dense.Clone();
  QuantizeOptions options;
  options.descend = true;
  options.balance = false;
  options.threads = 1;
  const auto report = Quantize(codes, batches, options);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->Quantized(), 2);
  const auto both = RoundInOrder(all, batches, {"up", "down"});
  ASSERT_TRUE(both.ok());
  const Tensor& of_up = *codes.value(ValueNamed(codes, "up_codes")).constant;
  const Tensor& weights = *all.value(ValueNamed(all, "up")).constant;
  for (int64_t i = 0; i < of_up.NumElements(); ++i) {
    EXPECT_EQ(of_up.Data<int8_t>()[i],
              std::nearbyint(weights.Data<float>()[i] / both->at("up").scales[static_cast<size_t>(i / 32)]))
        << i;
  }
}

// What two walks give: pruned first, then rounded towards the pruned network.
TEST(PruneAndQuantize, OneWalkIsCloserThanTwoAndKeepsTheMask) {
  std::mt19937 random(kSeed);
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Graph dense = Network(random);
  std::vector<NamedTensors> batches = Batches(random);
  // One large weight in each row of `up`, on an input that is small, leaves a few codes for all others, so that
  // rounding matters beside pruning.
  constexpr float kLarge = 50;
  Tensor up = dense.value(ValueNamed(dense, "up")).constant->Clone();
  for (int64_t row = 0; row < 48; ++row) up.Data<float>()[row * 32 + 1] = kLarge;
  dense.value(ValueNamed(dense, "up")).constant = up;
  for (NamedTensors& batch : batches) {
    for (int64_t row = 0; row < 64; ++row) batch.at("x").Data<float>()[row * 32 + 1] /= kLarge;
  }
  const auto pool = std::make_shared<ThreadPool>(2);
  PruneOptions one_walk;
  one_walk.rounding.layers = {"up", "down"};
  Graph together = dense.Clone(), apart = dense.Clone();
  const auto joint = Prune(together, batches, one_walk, pool);
  ASSERT_TRUE(joint.ok()) << joint.status().message();
  ASSERT_EQ(joint->rounded.size(), 2U);
  ASSERT_TRUE(Prune(apart, batches, PruneOptions{}, pool).ok());
  ASSERT_TRUE(RoundInOrder(apart, batches, {"up", "down"}).ok());
  for (const char* name : {"up", "down"}) {
    const bool outputs_first = std::string(name) == "up";
    const Tensor& weight = *together.value(ValueNamed(together, name)).constant;
    const Tensor rows = outputs_first ? weight : Permuted(weight, {1, 0});
    const auto broken = FindBrokenGroup(rows);
    ASSERT_TRUE(broken.ok());
    EXPECT_FALSE(broken->has_value()) << name;
    const std::vector<float>& scales = joint->rounded.at(name).scales;
    for (int64_t i = 0; i < rows.NumElements(); ++i) {
      const float code = rows.Data<float>()[i] / scales[static_cast<size_t>(i / rows.dim(1))];
      EXPECT_NEAR(code, std::nearbyint(code), 1e-3) << name << " " << i;
      EXPECT_LE(std::fabs(code), 127.5F);
    }
  }
  EXPECT_LT(SquaredDifference(together, dense, batches), 0.95 * SquaredDifference(apart, dense, batches));
}

TEST(PruneAndQuantize, CodesAreThoseOfTheWalk) {
  std::mt19937 random(kSeed);
  const Graph dense = Network(random);
  const std::vector<NamedTensors> batches = Batches(random);
  const auto pool = std::make_shared<ThreadPool>(2);
  PruneOptions prune;
  prune.keep = {"up"};
  QuantizeOptions quantize;
  quantize.balance = false;
  quantize.threads = 2;
  Graph coded = dense.Clone(), walked = dense.Clone();
  const auto both = PruneAndQuantize(coded, batches, prune, quantize, pool);
  ASSERT_TRUE(both.ok()) << both.status().message();
  EXPECT_EQ(both->quantize.Quantized(), 2);
  EXPECT_EQ(both->prune.Pruned(), 1);
  prune.rounding.layers = {"up", "down"};
  const auto report = Prune(walked, batches, prune, pool);
  ASSERT_TRUE(report.ok());
  const Tensor& codes = *coded.value(ValueNamed(coded, "down_codes")).constant;  // [inputs][outputs]
  const Tensor& weight = *walked.value(ValueNamed(walked, "down")).constant;
  for (int64_t i = 0; i < codes.NumElements(); ++i) {
    const float scale = report->rounded.at("down").scales[static_cast<size_t>(i % 20)];
    EXPECT_EQ(codes.Data<int8_t>()[i], std::nearbyint(weight.Data<float>()[i] / scale)) << i;
  }
  // By magnitude nothing is fitted, so the codes are the nearest ones.
  PruneOptions magnitude;
  magnitude.method = PruneOptions::Method::kMagnitude;
  magnitude.rounding.layers = {"up", "down"};
  Graph plain = dense.Clone();
  const auto by_magnitude = Prune(plain, batches, magnitude, pool);
  ASSERT_TRUE(by_magnitude.ok());
  EXPECT_TRUE(by_magnitude->rounded.empty());
}

}  // namespace
}  // namespace tamis
