#include "src/compiler/permute/permute.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/compiler/permute/permute_prove.h"
#include "src/compiler/permute/permute_vote.h"
#include "src/compiler/prune/prune.h"
#include "src/passes/test_graph.h"

namespace tamis {
namespace {

// Weights whose inputs differ in size in runs of four: whole groups are large, whole groups small.
Tensor Uneven(int64_t inputs, int64_t outputs, uint32_t seed) {
  Tensor weight = RandomTensor({inputs, outputs}, seed);
  for (int64_t k = 0; k < inputs; ++k) {
    for (int64_t n = 0; n < outputs; ++n) weight.Data<float>()[k * outputs + n] *= k / 4 % 2 == 0 ? 1.0F : 0.1F;
  }
  return weight;
}

struct Network3 {
  TestGraph g;
  ValueId first, second;
  Network3() {
    first = g.graph.AddConstant("first", RandomTensor({16, 32}, 1));
    second = g.graph.AddConstant("second", Uneven(32, 16, 2));
    const ValueId x = g.Input("x", {Dim::Symbol("batch"), 16});
    const ValueId hidden = g.Op("Relu", {g.Op("Add", {g.Op("MatMul", {x, first}), g.Weight({32})})});
    g.Output(g.Op("MatMul", {hidden, second}));
    g.graph.value(g.graph.outputs[0]).name = "y";
  }
};

std::vector<NamedTensors> Samples() {
  return {{{"x", RandomTensor({24, 16}, 9)}}, {{"x", RandomTensor({24, 16}, 10)}}};
}

TEST(Permute, KeepsMoreAndComputesTheSame) {
  const Network3 network;
  Graph permuted = network.g.graph.Clone();
  const auto samples = Samples();
  const auto report = PermuteChannels(permuted, samples, {}, std::make_shared<ThreadPool>(2));
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->classes.size(), 1U);
  const PermutedClass& line = report->classes[0];
  EXPECT_EQ(line.channels, 32);
  EXPECT_EQ(line.layers, std::vector<std::string>{"second"});
  EXPECT_EQ(line.moved, 1);
  // Groups of two large and two small inputs lose almost nothing of the large ones.
  EXPECT_GT(line.kept_after, line.kept_before + 0.08);
  ASSERT_EQ(report->fixed.size(), 1U);
  EXPECT_EQ(report->fixed[0].name, "first");
  EXPECT_EQ(report->fixed[0].reason, "they are the network's input");
  EXPECT_LE(report->error, report->bound);
  EXPECT_LT(report->bound, 1e-4);
  ExpectClose(Evaluate(network.g.graph, samples[0]), Evaluate(permuted, samples[0]), report->bound);

  // What was said of the share is what the pruner finds there.
  PruneOptions prune;
  prune.method = PruneOptions::Method::kMagnitude;
  Graph before = network.g.graph.Clone();
  const auto pool = std::make_shared<ThreadPool>(1);
  const auto dense = Prune(before, samples, prune, pool), moved = Prune(permuted, samples, prune, pool);
  ASSERT_TRUE(dense.ok() && moved.ok());
  const auto kept = [](const PruneReport& of) {
    return std::find_if(of.layers.begin(), of.layers.end(), [](const auto& l) { return l.name == "second"; })
        ->saliency_kept;
  };
  EXPECT_GT(kept(*moved), kept(*dense) + 0.05);
}

TEST(Permute, LayersThatStayDenseDoNotVote) {
  const Network3 network;
  Graph permuted = network.g.graph.Clone();
  const auto report = PermuteChannels(permuted, Samples(), {.keep = {"second"}}, std::make_shared<ThreadPool>(1));
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_TRUE(report->classes.empty());
  EXPECT_EQ(permuted.value(network.second).constant->raw(), network.g.graph.value(network.second).constant->raw());
}

TEST(Permute, NeedsSamplesAndLayersThatThereAre) {
  const Network3 network;
  Graph graph = network.g.graph.Clone();
  const auto pool = std::make_shared<ThreadPool>(1);
  EXPECT_EQ(PermuteChannels(graph, {}, {}, pool).status().kind(), ErrorKind::kUser);
  EXPECT_EQ(PermuteChannels(graph, Samples(), {.keep = {"third"}}, pool).status().kind(), ErrorKind::kUser);
}

// A class that is none: what a concatenation makes can't move without what it is made of.
TEST(Permute, AnOrderThatChangesTheOutputsIsGivenBack) {
  TestGraph g;
  const ValueId x = g.Input("x", {Dim::Symbol("batch"), 16});
  const ValueId hidden = g.Op("Relu", {g.Op("Add", {g.Op("MatMul", {x, g.Weight({16, 32})}), g.Weight({32})})});
  const ValueId joined = g.Op("Concat", {hidden, g.Op("MatMul", {x, g.Weight({16, 8})})}, {{"axis", int64_t{1}}});
  const ValueId last = g.Weight({40, 16});
  g.Output(g.Op("MatMul", {joined, last}));
  ChannelTrace trace(g.graph);
  const auto classes = trace.spaces().FindClasses();
  const auto right =
      std::find_if(classes.begin(), classes.end(), [](const ChannelClass& c) { return c.atoms.size() == 32; });
  ASSERT_NE(right, classes.end());
  ChannelClass wrong;
  for (int32_t c = 0; c < 32; ++c) wrong.atoms.push_back({trace.spaces().begin(trace.Of(joined)->space) + c});
  std::vector<int32_t> reversed(32), shifted(32);
  for (int32_t c = 0; c < 32; ++c) {
    reversed[static_cast<size_t>(c)] = 31 - c;
    shifted[static_cast<size_t>(c)] = (c + 1) % 32;
  }
  const std::vector<ClassOrder> orders = {{&*right, reversed}, {&wrong, shifted}};
  const auto samples = Samples();
  const auto proven = ProveOrders(g.graph, trace, orders, samples[0], 1);
  ASSERT_TRUE(proven.ok()) << proven.status().message();
  EXPECT_EQ(proven->given_back[0], "");
  EXPECT_NE(proven->given_back[1].find("given back"), std::string::npos);
  EXPECT_LE(proven->error, proven->bound);
  ExpectClose(Evaluate(g.graph, samples[0]), Evaluate(proven->graph, samples[0]), proven->bound);
  EXPECT_NE(proven->graph.value(last).constant->raw(), g.graph.value(last).constant->raw());
}

// A concatenation begins inside a group of four: places that are not the class's stay, and the share counts them.
TEST(Permute, CountsGroupsThatClassesShare) {
  TestGraph g;
  const ValueId x = g.Input("x", {4, 8});
  const ValueId a = g.Op("MatMul", {x, g.Weight({8, 6})}), b = g.Op("MatMul", {x, g.Weight({8, 11})});
  const ValueId weight = g.graph.AddConstant("w", Uneven(17, 20, 3));
  g.Output(g.Op("MatMul", {g.Op("Concat", {a, b}, {{"axis", int64_t{1}}}), weight}));
  ChannelTrace trace(g.graph);
  const auto classes = trace.spaces().FindClasses();
  ASSERT_EQ(classes.size(), 3U);  // what it joins, and the output, which nobody reads
  ChannelVoter voter;
  voter.name = "w";
  for (size_t i = 0; i < trace.bindings().size(); ++i) {
    if (trace.bindings()[i].role == ChannelBinding::Role::kInputs) voter.bindings.push_back(i);
  }
  ASSERT_EQ(voter.bindings.size(), 1U);
  voter.energies.assign(17, 2.0);
  voter.total = TotalWorth(trace, {voter.name, voter.bindings, voter.energies, 1});
  const ChannelVoter* const voters[] = {&voter};
  ThreadPool pool(1);
  ChannelSources sources = UnmovedChannels(trace.spaces());
  double kept = KeptShare(trace, voter, sources);
  EXPECT_LT(kept, 1);
  for (const ChannelClass& atoms : classes) {
    ASSERT_EQ(Reads(trace, voter, atoms), atoms.atoms.size() != 20);
    if (atoms.atoms.size() == 20) continue;
    const auto order = BestOrder(trace, atoms, voters, sources, {}, pool);
    ASSERT_EQ(order.size(), atoms.atoms.size());
    MoveAtoms(atoms, order, &sources);
    const double after = KeptShare(trace, voter, sources);
    EXPECT_GE(after, kept);
    kept = after;
  }
  // The share, counted on the network that was moved.
  Graph moved = g.graph.Clone();
  ApplySources(trace, sources, moved);
  const Tensor& tensor = *moved.value(weight).constant;
  double two = 0, all = 0;
  for (int64_t n = 0; n < 20; ++n) {
    for (int64_t group = 0; group < 17; group += 4) {
      std::vector<double> squares;
      for (int64_t k = group; k < std::min<int64_t>(17, group + 4); ++k) {
        squares.push_back(std::pow(static_cast<double>(tensor.Data<float>()[k * 20 + n]), 2));
        all += squares.back();
      }
      std::sort(squares.rbegin(), squares.rend());
      two += squares[0] + (squares.size() > 1 ? squares[1] : 0);
    }
  }
  EXPECT_NEAR(kept, two / all, 1e-6);
}

}  // namespace
}  // namespace tamis
