// Bisection of networks with a pass that is broken on purpose.
#include "src/compiler/bisect.h"

#include <gtest/gtest.h>

#include "src/kernels/kernel.h"
#include "src/passes/test_graph.h"

namespace tamis {
namespace {

using Ints = std::vector<int64_t>;

// Convolution, batch norm and Relu, twice; then a pooled head.
struct Network {
  TestGraph t{17};
  ValueId first_relu = kNoValue, second_relu = kNoValue;
  NamedTensors inputs = {{"image", RandomTensor({1, 4, 6, 6}, 3)}};

  ValueId Block(ValueId x, int64_t in, int64_t out) {
    const ValueId conv = t.Op("Conv", {x, t.Weight({out, in, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
    const ValueId norm =
        t.Op("BatchNormalization", {conv, t.Weight({out}), t.Weight({out}), t.Weight({out}), t.Weight({out}, 0.5f, 2)});
    return t.Op("Relu", {norm});
  }
  Network() {
    first_relu = Block(t.Input("image", {1, 4, 6, 6}), 4, 8);
    second_relu = Block(first_relu, 8, 12);
    const ValueId pooled = t.Op("GlobalAveragePool", {second_relu});
    t.Output(t.Op("Gemm", {t.Op("Flatten", {pooled}), t.Weight({12, 5}), t.Weight({5})}));
  }
  const std::string& Name(ValueId id) const { return t.graph.value(id).name; }
};

// What a slip in a rewrite may look like: the second convolution's weight comes out a little too large.
Status ScaleSecondWeight(Graph& graph, const PassOptions&) {
  int seen = 0;
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if ((!node.Is("Conv") && !node.IsTamis("ChannelsLastConv")) || ++seen != 2) continue;
    Tensor wrong = graph.value(node.inputs[1]).constant->Clone();
    for (float& w : wrong.Span<float>()) w *= 1.02f;
    graph.value(node.inputs[1]).constant = wrong;
  }
  return {};
}

std::vector<Pass> WithBroken(size_t position) {
  std::vector<Pass> passes = SimplifyPasses();
  for (const Pass& pass : FusePasses()) passes.push_back(pass);
  passes.insert(passes.begin() + static_cast<std::ptrdiff_t>(position), {"scale_second_weight", ScaleSecondWeight});
  return passes;
}

TEST(Bisect, FindsTheBrokenPassWhereverItStands) {
  const Network network;
  const size_t count = WithBroken(0).size();
  for (size_t position : {size_t{0}, size_t{4}, count / 2, count - 2}) {
    const auto report = BisectPasses(network.t.graph, WithBroken(position), network.inputs, {});
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->pass, "scale_second_weight") << "at position " << position;
    ASSERT_TRUE(report->parting.has_value());
    EXPECT_GT(report->parting->error.relative, 1e-3);
    EXPECT_LT(report->parting->error.relative, 0.1);
    EXPECT_NE(report->parting->op.find("Conv"), std::string::npos) << report->parting->op;
    ASSERT_GE(report->parting->inputs.size(), 2u);
    EXPECT_FALSE(report->parting->inputs[0].constant);
    EXPECT_TRUE(report->parting->inputs[1].constant);
    EXPECT_LT(report->parting->inputs[1].min, report->parting->inputs[1].max);
  }
}

// Folding a batch norm gives the convolution's result another meaning under the same name: on purpose, so it is no
// culprit, neither in the block before the error nor as a suspect.
TEST(Bisect, AValueWhoseMeaningChangedOnPurposeIsNotBlamed) {
  const Network network;
  std::vector<Pass> folds = SimplifyPasses();
  Graph folded = network.t.graph.Clone();
  ASSERT_TRUE(RunPasses(folded, folds, {}).ok());
  ASSERT_TRUE(ScaleSecondWeight(folded, {}).ok());
  const auto report = BisectGraphs(folded, network.t.graph, network.inputs, {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_TRUE(report->parting.has_value());
  EXPECT_EQ(report->parting->op, "Conv");
  for (const TracedOperand& input : report->parting->inputs) {
    EXPECT_NE(input.name, "image") << "the first convolution is right";
  }
}

TEST(Bisect, SoundPassesAndKernelsDoNotPart) {
  ConfigureLibraries();
  const Network network;
  std::vector<Pass> passes = SimplifyPasses();
  for (const Pass& pass : FusePasses()) passes.push_back(pass);
  const auto report = BisectPasses(network.t.graph, passes, network.inputs, {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_FALSE(report->parted()) << report->pass;
  ASSERT_EQ(report->trials.size(), 1u);
  EXPECT_LT(report->trials[0].error, 1e-4);

  const auto fused = Fuse(network.t.graph, {});
  ASSERT_TRUE(fused.ok());
  BisectOptions options;
  options.threads = 1;
  const auto kernels = BisectKernels(*fused, network.inputs, {}, options);
  ASSERT_TRUE(kernels.ok()) << kernels.status().message();
  EXPECT_FALSE(kernels->parted());
  // f32 kernels and references that sum in double part at the last bits, and the kernel is named.
  options.tolerance = 1e-12;
  const auto strict = BisectKernels(*fused, network.inputs, {}, options);
  ASSERT_TRUE(strict.ok()) << strict.status().message();
  ASSERT_TRUE(strict->parting.has_value());
  EXPECT_NE(strict->parting->kernel, "reference");
}

TEST(Bisect, APassThatFailsIsNamed) {
  const Network network;
  const std::vector<Pass> passes = {{"drop_identity", DropIdentity},
                                    {"cut_the_output", [](Graph& graph, const PassOptions&) -> Status {
                                       graph.RemoveNode(graph.value(graph.outputs[0]).producer);
                                       return {};
                                     }}};
  const auto report = BisectPasses(network.t.graph, passes, network.inputs, {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->pass, "cut_the_output");
  ASSERT_FALSE(report->trials.empty());
  EXPECT_FALSE(report->trials[0].failed.empty());
}

TEST(Trace, ErrorsOfValues) {
  Tensor a(DType::kFloat32, {3}), b(DType::kFloat32, {3});
  const float x[] = {1, 2, -4}, y[] = {1, 2.5f, -5};
  std::copy_n(x, 3, a.Data<float>());
  std::copy_n(y, 3, b.Data<float>());
  EXPECT_DOUBLE_EQ(ErrorOf(a, b).absolute, 1);
  EXPECT_DOUBLE_EQ(ErrorOf(a, b).relative, 0.2);
  a.Data<float>()[0] = NAN;
  EXPECT_TRUE(std::isinf(ErrorOf(a, b).relative));
  b.Data<float>()[0] = NAN;
  EXPECT_DOUBLE_EQ(ErrorOf(a, b).absolute, 1);
  EXPECT_TRUE(std::isinf(ErrorOf(a, Tensor(DType::kFloat32, {4})).relative));
  const auto ints = [](const Ints& values) { return Tensor::Int64s(values); };
  EXPECT_EQ(ErrorOf(ints({1, 2}), ints({1, 2})).relative, 0);
  EXPECT_TRUE(std::isinf(ErrorOf(ints({1, 2}), ints({1, 3})).relative));
}

}  // namespace
}  // namespace tamis
