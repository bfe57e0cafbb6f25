#include "src/compiler/plan/choose_precision.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "src/base/cpu.h"
#include "src/compiler/plan/build.h"
#include "src/compiler/plan/confirm_plan.h"
#include "src/kernels/problem.h"
#include "src/ops/op_def.h"
#include "src/runtime/dynamic_program.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

Tensor Weight(Dims dims, uint32_t seed) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-0.2f, 0.2f);
  for (float& x : tensor.Span<float>()) x = uniform(generator);
  return tensor;
}

// Three products of different widths in a row, with activations that keep them three.
Graph Products() {
  Graph graph;
  graph.opsets[""] = 17;
  ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim::Symbol("n"), Dim(64)}));
  graph.inputs.push_back(x);
  const int64_t widths[] = {64, 96, 128, 32};
  for (uint32_t i = 0; i < 3; ++i) {
    const ValueId weight = graph.AddConstant("w" + std::to_string(i), Weight({widths[i], widths[i + 1]}, i + 1));
    Node node;
    node.op = "MatMul";
    node.inputs = {x, weight};
    x = graph.AddValue("p" + std::to_string(i));
    node.outputs = {x};
    graph.AddNode(std::move(node));
    Node relu;
    relu.op = "Relu";
    relu.inputs = {x};
    x = graph.AddValue("y" + std::to_string(i));
    relu.outputs = {x};
    graph.AddNode(std::move(relu));
  }
  graph.outputs.push_back(x);
  EXPECT_TRUE(InferShapes(graph).ok());
  return graph;
}

class ChoosePrecisionTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!Cpu().avx512_bf16) GTEST_SKIP() << "no bf16 arithmetic here";
    path_ = std::filesystem::temp_directory_path() / ("tamis_precision_" + std::to_string(getpid()));
    std::filesystem::remove(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  PrecisionChoice Choose(std::optional<std::set<std::string>> low_layers = {}) {
    TunerOptions options;
    options.cache_path = path_;
    Tuner tuner(options);
    PrecisionQuestion question;
    question.profiles = {Profile{{"n", {16, 16, 16, true}}}};
    question.low_layers = std::move(low_layers);
    auto choice = ChoosePrecision(Products(), question, tuner, nullptr);
    EXPECT_TRUE(choice.ok()) << choice.status().message();
    return std::move(choice).value();
  }

  // Every time that was measured becomes what `seconds` says of the problem ("Linear bfloat16[16, 64] ...").
  void Rewrite(const std::function<double(const std::string&)>& seconds) {
    std::ifstream in(path_);
    std::ostringstream out;
    std::string line;
    while (std::getline(in, line)) {
      std::vector<std::string> fields;
      std::istringstream text(line);
      for (std::string field; std::getline(text, field, '\t');) fields.push_back(field);
      if (fields.size() >= 8 && std::stod(fields[2]) > 0) {
        fields[2] = fmt::format("{}", seconds(fields[7]));
        fields[3] = "0";
      }
      for (size_t i = 0; i < fields.size(); ++i) out << (i ? "\t" : "") << fields[i];
      if (!line.empty() && line.back() == '\t') out << '\t';
      out << '\n';
    }
    in.close();
    std::ofstream(path_) << out.str();
  }

  std::string path_;
};

bool IsBf16(const std::string& problem) {
  return problem.starts_with("Linear bfloat16");
}

TEST_F(ChoosePrecisionTest, TheFasterTypeIsTaken) {
  Choose();
  Rewrite([](const std::string& problem) { return IsBf16(problem) ? 4e-4 : 2e-4; });
  const PrecisionChoice full = Choose();
  EXPECT_EQ(full.precision, DType::kFloat32) << full.Describe();
  EXPECT_EQ(full.able, 3);
  Rewrite([](const std::string& problem) {
    return problem.starts_with("Cast") ? 1e-6 : IsBf16(problem) ? 1e-4 : 2e-4;
  });
  const PrecisionChoice low = Choose();
  EXPECT_EQ(low.precision, DType::kBFloat16) << low.Describe();
  EXPECT_FALSE(low.mixed);
  EXPECT_LT(low.seconds[0], low.full_seconds[0]);
}

TEST_F(ChoosePrecisionTest, OneNodeAloneIsLoweredWhereItPaysForItsConversions) {
  Choose();
  // Only the middle product, of 96 columns to 128, gains.
  const auto gains = [](double cast) {
    return [cast](const std::string& problem) {
      if (problem.starts_with("Cast")) return cast;
      return IsBf16(problem) ? (problem.find("128, 96]") != std::string::npos ? 1e-4 : 3e-4) : 2e-4;
    };
  };
  Rewrite(gains(1e-5));
  Choose();  // times what only the mixture has
  Rewrite(gains(1e-5));
  const PrecisionChoice mixed = Choose();
  EXPECT_TRUE(mixed.mixed) << mixed.Describe();
  EXPECT_EQ(mixed.low_nodes, std::set<std::string>{"y1"});
  EXPECT_LT(mixed.seconds[0], mixed.full_seconds[0]);
  EXPECT_LT(mixed.seconds[0], mixed.low_seconds[0]);
  Rewrite(gains(9e-5));
  EXPECT_EQ(Choose().precision, DType::kFloat32);
}

TEST_F(ChoosePrecisionTest, OnlyTheLayersThatMayAreLowered) {
  Choose();
  const auto faster = [](const std::string& problem) {
    return problem.starts_with("Cast") ? 1e-6 : IsBf16(problem) ? 1e-4 : 2e-4;
  };
  Rewrite(faster);
  Choose(std::set<std::string>{"w1"});  // times what only the mixture has
  Rewrite(faster);
  const PrecisionChoice one = Choose(std::set<std::string>{"w1"});
  EXPECT_EQ(one.precision, DType::kBFloat16) << one.Describe();
  EXPECT_EQ(one.low_nodes, std::set<std::string>{"y1"});
  EXPECT_EQ(one.able, 1);
  const PrecisionChoice none = Choose(std::set<std::string>{});
  EXPECT_EQ(none.precision, DType::kFloat32) << none.Describe();
  EXPECT_EQ(none.able, 0);
  // All of them by name is as if nothing had been said.
  EXPECT_FALSE(Choose(std::set<std::string>{"w0", "w1", "w2"}).mixed);
}

NodeId NodeIn(const Graph& graph, const std::string& name) {
  for (const NodeId id : graph.NodeIds()) {
    if (NameInPlan(graph, graph.node(id)) == name) return id;
  }
  return kNoNode;
}

TEST(ConfirmPlan, SparseKernelsThatLoseInsideTheNetworkAreGivenUp) {
  if (Cpu().isa == Isa::kX86_64) GTEST_SKIP() << "but the reference there is no kernel for 2:4 weights here";
  Graph graph = Products();
  for (const char* name : {"w0", "w1", "w2"}) {
    for (size_t i = 0; i < graph.NumValues(); ++i) {
      Value& value = graph.value(static_cast<ValueId>(i));
      if (value.name != name) continue;
      // Rows of the transposed weight are in groups of four along the first axis here.
      Tensor weight = value.constant->Clone();
      const int64_t columns = weight.dim(1);
      for (int64_t k = 0; k < weight.dim(0); ++k) {
        for (int64_t n = 0; k % 4 > 1 && n < columns; ++n) weight.Data<float>()[k * columns + n] = 0;
      }
      value.constant = std::move(weight);
    }
  }
  auto fused = Fuse(graph, {});
  ASSERT_TRUE(fused.ok());
  PlanPoint point;
  point.binding = {{"n", 16}};
  const auto dims = BoundInputDims(*fused, point.binding);
  ASSERT_TRUE(dims.ok());
  const auto concrete = Specialize(*fused, *dims);
  ASSERT_TRUE(concrete.ok());
  const auto tune = [&](Tuner& tuner) {
    const auto tuned = tuner.Tune(std::span(&*concrete, 1));
    EXPECT_TRUE(tuned.ok());
    point.nodes.clear();
    for (const TunedNode& node : tuned->front()) point.nodes.push_back({node.node, node.kernel, node.seconds, {}});
  };
  Tuner tuner({});
  tune(tuner);
  // Whatever won: from here on a kernel for 2:4 weights.
  const KernelDef* sparse = FindKernel("gemm24_reference");
  ASSERT_NE(sparse, nullptr);
  for (NodePlan& node : point.nodes) node.kernel = sparse->name;
  const auto news = MeasureSparseInNetwork(*fused, point, tuner, 1);
  ASSERT_TRUE(news.ok()) << news.status().message();
  EXPECT_TRUE(*news);
  const auto again = MeasureSparseInNetwork(*fused, point, tuner, 1);
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(*again) << "it is known now";

  // A kernel that takes ten times as long there as the best for dense weights is not chosen, and one that takes a tenth
  // is.
  for (const double ratio : {10.0, 0.1}) {
    Tuner told({});
    tune(told);
    for (const NodeId id : concrete->NodeIds()) {
      const auto problem = MakeProblem(*concrete, concrete->node(id), 1);
      ASSERT_TRUE(problem.ok());
      for (const KernelDef* kernel : CandidateKernels(*problem, nullptr)) {
        if (NeedsTwoFour(std::string(kernel->name), *problem)) {
          told.RecordInNetwork(*problem, std::string(kernel->name), ratio);
        }
      }
    }
    tune(told);
    for (const NodePlan& node : point.nodes) {
      const KernelDef* kernel = FindKernel(node.kernel);
      ASSERT_NE(kernel, nullptr);
      const auto problem = MakeProblem(*concrete, concrete->node(NodeIn(*concrete, node.node)), 1);
      ASSERT_TRUE(problem.ok());
      EXPECT_EQ(NeedsTwoFour(node.kernel, *problem), ratio < 1) << node.kernel;
    }
  }
}

}  // namespace
}  // namespace tamis
