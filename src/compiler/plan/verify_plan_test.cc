#include "src/compiler/plan/verify_plan.h"

#include <gtest/gtest.h>

#include <random>

#include "src/base/float16.h"
#include "src/ops/op_def.h"
#include "src/runtime/program.h"

namespace tamis {
namespace {

constexpr int kLayers = 9;

ValueId Add(Graph& graph, const char* op, std::string_view domain, std::vector<ValueId> inputs, const std::string& name,
            std::map<std::string, Attribute> attributes) {
  Node node;
  node.op = op;
  node.domain = domain;
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  node.outputs = {graph.AddValue(name)};
  const NodeId id = graph.AddNode(std::move(node));
  EXPECT_TRUE(InferNode(graph, id).ok());
  return graph.node(id).outputs[0];
}

// Products of f16 in a row, f32 outside.
Graph Layers() {
  Graph graph;
  graph.opsets[""] = 17;
  std::mt19937 generator(7);
  std::normal_distribution<float> normal(0, 0.125f);
  ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim(16), Dim(64)}));
  graph.inputs = {x};
  x = Add(graph, "Cast", "", {x}, "half", {{"to", static_cast<int64_t>(DType::kFloat16)}});
  for (int i = 0; i < kLayers; ++i) {
    Tensor weight(DType::kFloat16, {64, 64});
    for (uint16_t& w : weight.Span<uint16_t>()) w = FloatToHalf(normal(generator));
    const auto type = static_cast<int64_t>(i + 1 < kLayers ? DType::kFloat16 : DType::kFloat32);
    x = Add(graph, "Linear", kTamisDomain, {x, graph.AddConstant(fmt::format("w{}", i), std::move(weight))},
            fmt::format("y{}", i), {{"output_dtype", type}});
  }
  graph.outputs = {x};
  return graph;
}

Tensor Input() {
  Tensor x(DType::kFloat32, {16, 64});
  std::mt19937 generator(8);
  std::normal_distribution<float> normal;
  for (float& element : x.Span<float>()) element = normal(generator);
  return x;
}

// A device on which kernels whose names begin with "wrong" spoil the answer: always, or only in every fifth run.
class FakeDevice : public PlanRunner {
 public:
  FakeDevice(const Graph& graph, std::vector<Tensor> inputs) : inputs_(std::move(inputs)) {
    auto program = Program::Make(graph.Clone(), {}, cache_);
    EXPECT_TRUE(program.ok()) << program.status().message();
    program_ = std::move(program).value();
  }
  Status Run(const std::vector<NodePlan>& nodes, int repeats, const Visit& visit) override {
    ++programs;
    ThreadPool pool(1);
    for (int i = 0; i < repeats; ++i) {
      TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, program_->Run(inputs_, pool));
      for (const NodePlan& node : nodes) {
        const bool race = node.kernel.starts_with("wrong now and then");
        if (!node.kernel.starts_with("wrong") || (race && i % 5 != 4)) continue;
        for (float& y : outputs[0].Span<float>()) y *= 1.03f;
      }
      TAMIS_RETURN_IF_ERROR(visit(outputs));
    }
    return {};
  }
  int programs = 0;

 private:
  PackCache cache_;
  std::unique_ptr<Program> program_;
  std::vector<Tensor> inputs_;
};

std::vector<NodePlan> Plans() {
  std::vector<NodePlan> nodes;
  for (int i = 0; i < kLayers; ++i) {
    nodes.push_back({fmt::format("y{}", i), "first", 1e-6, {{"first", 1e-6, ""}, {"second", 2e-6, "slower"}}});
  }
  return nodes;
}

void Choose(NodePlan* node, const std::string& kernel) {
  node->candidates.push_back({kernel, 5e-7, ""});
  node->kernel = kernel;
}

class VerifyPlanTest : public testing::Test {
 protected:
  void SetUp() override {
    auto reference = PlanReference::Make(graph_, {Input()}, 1);
    ASSERT_TRUE(reference.ok()) << reference.status().message();
    reference_ = std::move(reference).value();
    ASSERT_NE(reference_, nullptr);
  }
  PlanVerdict Verify(std::vector<NodePlan>* nodes) {
    auto verdict = VerifyPlan(*reference_, device_, nodes);
    EXPECT_TRUE(verdict.ok()) << verdict.status().message();
    return std::move(verdict).value();
  }

  Graph graph_ = Layers();
  FakeDevice device_{graph_, {Input()}};
  std::unique_ptr<PlanReference> reference_;
};

TEST_F(VerifyPlanTest, ARightPlanStaysAsItIs) {
  std::vector<NodePlan> nodes = Plans();
  const PlanVerdict verdict = Verify(&nodes);
  EXPECT_TRUE(verdict.right);
  EXPECT_LE(verdict.excess, 1);
  EXPECT_GT(verdict.excess, 0) << "the fake device rounds to f16, the reference does not";
  EXPECT_TRUE(verdict.notices.empty());
  EXPECT_EQ(device_.programs, 1);
  for (const NodePlan& node : nodes) EXPECT_EQ(node.kernel, "first");
}

TEST_F(VerifyPlanTest, TheKernelAtFaultIsExchangedAndNamed) {
  for (const int at : {0, 4, kLayers - 1}) {
    for (const char* kernel : {"wrong", "wrong now and then"}) {
      std::vector<NodePlan> nodes = Plans();
      Choose(&nodes[static_cast<size_t>(at)], kernel);
      const PlanVerdict verdict = Verify(&nodes);
      EXPECT_TRUE(verdict.right);
      EXPECT_LE(verdict.excess, 1);
      ASSERT_EQ(verdict.notices.size(), 1u);
      EXPECT_NE(verdict.notices[0].find(fmt::format("'y{}' does not run on {}", at, kernel)), std::string::npos)
          << verdict.notices[0];
      for (const NodePlan& node : nodes) EXPECT_EQ(node.kernel, "first") << node.node;
      EXPECT_EQ(nodes[static_cast<size_t>(at)].candidates.back().reason,
                "the whole network answered wrongly with this kernel");
    }
  }
}

TEST_F(VerifyPlanTest, SeveralFaultsAreFoundOneAfterAnother) {
  std::vector<NodePlan> nodes = Plans();
  for (const size_t at : {1, 2, 7}) Choose(&nodes[at], "wrong");
  Choose(&nodes[2], "wrong/1");  // and another variant of the same kernel
  const PlanVerdict verdict = Verify(&nodes);
  EXPECT_TRUE(verdict.right);
  EXPECT_EQ(verdict.notices.size(), 3u);
  for (const NodePlan& node : nodes) EXPECT_EQ(node.kernel, "first") << node.node;
}

TEST_F(VerifyPlanTest, WhereNothingHelpsThePlanIsWrong) {
  std::vector<NodePlan> nodes = Plans();
  nodes[3] = {"y3", "wrong", 1e-6, {{"wrong", 1e-6, ""}}};
  const PlanVerdict verdict = Verify(&nodes);
  EXPECT_FALSE(verdict.right);
  EXPECT_GT(verdict.excess, 1);
  EXPECT_TRUE(verdict.notices.empty());
}

TEST_F(VerifyPlanTest, NothingIsSaidOfAnswersThatAreNotFinite) {
  Tensor huge = Input();
  for (float& x : huge.Span<float>()) x = 1e5f;  // above what f16 holds
  const auto reference = PlanReference::Make(graph_, {huge}, 1);
  ASSERT_TRUE(reference.ok()) << reference.status().message();
  EXPECT_EQ(*reference, nullptr);
}

// A CPU may round what an attention reads, coarsely here. A device that does not is right.
TEST(PlanReference, AsksNoDeviceToRoundWhatAnAttentionReads) {
  Graph graph;
  graph.opsets[""] = 17;
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim(1), Dim(128), Dim(64)}));
  graph.inputs = {x};
  std::map<std::string, Attribute> attributes = {{"num_heads", int64_t{1}}, {"scale", 0.125f}};
  for (const std::string of : {"q", "k", "v"}) {
    attributes[of + "_scale"] = 0.5f;
    attributes[of + "_zero_point"] = int64_t{128};
  }
  graph.outputs = {Add(graph, "Attention", kTamisDomain, {x, x, x}, "y", attributes)};
  Tensor tokens(DType::kFloat32, {1, 128, 64});
  std::mt19937 generator(9);
  std::normal_distribution<float> normal;
  for (float& element : tokens.Span<float>()) element = normal(generator);
  const auto reference = PlanReference::Make(graph, {tokens}, 1);
  ASSERT_TRUE(reference.ok() && *reference != nullptr);
  const std::vector<const Tensor*> operands(3, &tokens);
  const auto unrounded = EvaluateNode(graph.node(graph.value(graph.outputs[0]).producer), 1, operands);
  ASSERT_TRUE(unrounded.ok()) << unrounded.status().message();
  EXPECT_LE((*reference)->Excess(*unrounded), 1);
}

// Products of codes one behind the other. A device whose sums are another's but for the last bits may give codes that
// fall to the other side of a half, and what follows from them.
TEST(PlanReference, AllowsWhatANetworkMakesOfCodesNearAHalf) {
  Graph graph;
  graph.opsets[""] = 17;
  std::mt19937 generator(11);
  Tensor scale(DType::kFloat32, {}), zero(DType::kUInt8, {});
  scale.Data<float>()[0] = 0.03f;
  zero.Data<uint8_t>()[0] = 128;
  ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim(16), Dim(64)}));
  graph.inputs = {x};
  x = Add(graph, "QuantizeLinear", "", {x, graph.AddConstant("scale", scale), graph.AddConstant("zero", zero)}, "codes",
          {});
  for (int i = 0; i < kLayers; ++i) {
    Tensor weight(DType::kInt8, {64, 64}), scales(DType::kFloat32, {64});
    for (int8_t& w : weight.Span<int8_t>()) w = static_cast<int8_t>(generator() % 255);
    for (float& s : scales.Span<float>()) s = 5e-5f;
    std::map<std::string, Attribute> attributes = {{"x_zero_point", int64_t{128}}};
    if (i + 1 < kLayers) {
      attributes.insert(
          {{"y_dtype", static_cast<int64_t>(DType::kUInt8)}, {"y_scale", 0.03f}, {"y_zero_point", int64_t{128}}});
    }
    x = Add(graph, "QuantizedLinear", kTamisDomain,
            {x, graph.AddConstant(fmt::format("w{}", i), std::move(weight)),
             graph.AddConstant(fmt::format("s{}", i), std::move(scales))},
            fmt::format("y{}", i), attributes);
  }
  graph.outputs = {x};
  const auto reference = PlanReference::Make(graph, {Input()}, 1);
  ASSERT_TRUE(reference.ok() && *reference != nullptr) << reference.status().message();
  const auto answer = [&](float nudge) {
    Graph device = graph.Clone();
    for (const NodeId id : device.NodeIds()) {
      if (!device.node(id).IsTamis("QuantizedLinear")) continue;
      Tensor scales = device.ConstantInput(device.node(id), 2)->Clone();
      for (float& s : scales.Span<float>()) s *= 1 + nudge;
      device.value(device.node(id).input(2)).constant = std::move(scales);
    }
    PackCache cache;
    ThreadPool pool(1);
    auto program = Program::Make(std::move(device), {}, cache);
    return *(*program)->Run(std::vector{Input()}, pool);
  };
  EXPECT_LE((*reference)->Excess(answer(0)), 1);
  EXPECT_LE((*reference)->Excess(answer(1e-6f)), 1);
  EXPECT_GT((*reference)->Excess(answer(0.1f)), 1);
}

TEST_F(VerifyPlanTest, ElementsThatAreNoNumbersAreWrong) {
  const auto outputs = [&] {
    PackCache cache;
    ThreadPool pool(1);
    auto program = Program::Make(graph_.Clone(), {}, cache);
    return *(*program)->Run(std::vector{Input()}, pool);
  };
  std::vector<Tensor> answer = outputs();
  EXPECT_LE(reference_->Excess(answer), 1);
  answer[0].Span<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_GT(reference_->Excess(answer), 1);
}

}  // namespace
}  // namespace tamis
