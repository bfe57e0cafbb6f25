// Bisection of networks with a pass that is broken on purpose.
#include "src/compiler/gate/bisect.h"

#include <gtest/gtest.h>

#include "src/kernels/problem.h"
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
Status ScaleSecondWeight(Graph& graph, const PassOptions& options) {
  int seen = 0;
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if ((!node.Is("Conv") && !node.IsTamis("ChannelsLastConv")) || ++seen != 2) continue;
    Tensor wrong = graph.value(node.inputs[1]).constant->Clone();
    for (float& w : wrong.Span<float>()) w *= 1.02f;
    graph.value(node.inputs[1]).constant = wrong;
    options.Edited();
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

// The first convolutions, with kernels that run them by rows.
BlockSpec FirstLayers(const Graph& fused, size_t layers) {
  BlockSpec spec;
  PackCache cache;
  for (const NodeId id : fused.NodeIds()) {
    const Node& node = fused.node(id);
    if (!node.IsTamis("ChannelsLastConv") || spec.layers.size() == layers) continue;
    const auto problem = MakeProblem(fused, node, 1);
    for (const KernelDef* kernel : CandidateKernels(*problem, nullptr)) {
      if (!PrepareByRows(*kernel, *problem, cache).ok()) continue;
      spec.layers.push_back(fused.value(node.outputs[0]).name);
      spec.kernels.emplace_back(kernel->name);
      break;
    }
  }
  return spec;
}

TEST(Bisect, BlocksAreJudgedByTheirLayers) {
  ConfigureLibraries();
  const Network network;
  const auto fused = Fuse(network.t.graph, {});
  ASSERT_TRUE(fused.ok());
  BlockSpec spec = FirstLayers(*fused, 2);
  if (spec.layers.size() < 2) GTEST_SKIP() << "no kernels that run by rows here";
  const auto sound = BisectBlocks(*fused, network.inputs, {&spec, 1}, {});
  ASSERT_TRUE(sound.ok()) << sound.status().message();
  EXPECT_FALSE(sound->parted());
  EXPECT_TRUE(sound->trials.empty()) << sound->trials[0].what << ": " << sound->trials[0].failed;
  // No two results are as near as this: the block was run, and is named.
  BisectOptions impossible;
  impossible.tolerance = -1;
  const auto strict = BisectBlocks(*fused, network.inputs, {&spec, 1}, impossible);
  ASSERT_TRUE(strict.ok() && strict->parting.has_value());
  EXPECT_EQ(strict->parting->value, spec.layers.back());
  EXPECT_EQ(strict->parting->error.absolute, 0);
  // Layers that are not there are no parting, but said.
  spec.layers[0] = "nowhere";
  const auto absent = BisectBlocks(*fused, network.inputs, {&spec, 1}, {});
  ASSERT_TRUE(absent.ok());
  ASSERT_EQ(absent->trials.size(), 1u);
  EXPECT_NE(absent->trials[0].failed.find("nowhere"), std::string::npos);
}

TEST(Bisect, APassThatFailsIsNamed) {
  const Network network;
  const std::vector<Pass> passes = {{"drop_identity", DropIdentity},
                                    {"cut_the_output", [](Graph& graph, const PassOptions& options) -> Status {
                                       graph.RemoveNode(graph.value(graph.outputs[0]).producer);
                                       options.Edited();
                                       return {};
                                     }}};
  const auto report = BisectPasses(network.t.graph, passes, network.inputs, {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->pass, "cut_the_output");
  ASSERT_FALSE(report->trials.empty());
  EXPECT_FALSE(report->trials[0].failed.empty());
}

// A Loop whose body multiplies and rectifies its state and keeps what it made in a sequence.
struct LoopNetwork {
  TestGraph t{17};
  NamedTensors inputs = {{"x", RandomTensor({2, 8}, 3)}};

  LoopNetwork() {
    const ValueId x = t.Input("x", {2, 8});
    const ValueId trips = t.Ints({3});
    t.graph.value(trips).constant = t.graph.value(trips).constant->Reshaped({});
    t.graph.value(trips).type = Type::Tensor(DType::kInt64, {});
    TestGraph body{17};
    body.graph.name = "step";
    body.Input("i", {}, DType::kInt64);
    const ValueId go = body.Input("go", {}, DType::kBool);
    const ValueId state = body.Input("state", {2, 8});
    body.graph.inputs.push_back(body.graph.AddValue("pieces"));
    const ValueId product = body.Op("MatMul", {state, body.Weight({8, 8})});
    const ValueId next = body.Op("Relu", {body.Op("Add", {product, body.Weight({8})})});
    body.graph.outputs = {go, next, body.Op("SequenceInsert", {body.graph.inputs[3], next})};
    Node loop;
    loop.op = "Loop";
    loop.name = "steps";
    loop.inputs = {trips, kNoValue, x, t.Op("SequenceEmpty", {})};
    loop.outputs = {t.graph.AddValue("last"), t.graph.AddValue("all")};
    loop.regions.push_back({"body", std::make_unique<Graph>(std::move(body.graph)), {}});
    const NodeId id = t.graph.AddNode(std::move(loop));
    EXPECT_TRUE(InferNode(t.graph, id).ok());
    t.graph.outputs = {t.Op("Neg", {t.graph.node(id).outputs[0]}), t.graph.node(id).outputs[1]};
  }
};

Status ScaleWeightInBodies(Graph& graph, const PassOptions& options) {
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (!node.Is("MatMul") && !node.IsTamis("Linear")) continue;
    Tensor wrong = graph.value(node.inputs[1]).constant->Clone();
    for (float& w : wrong.Span<float>()) w *= 1.02f;
    graph.value(node.inputs[1]).constant = wrong;
    options.Edited();
  }
  return {};
}

TEST(Bisect, PassesThatAreWrongInABodyAreFound) {
  const LoopNetwork network;
  std::vector<Pass> passes = SimplifyPasses();
  for (const Pass& pass : FusePasses()) passes.push_back(pass);
  const auto sound = BisectPasses(network.t.graph, passes, network.inputs, {});
  ASSERT_TRUE(sound.ok()) << sound.status().message();
  EXPECT_FALSE(sound->parted()) << sound->pass;
  passes.insert(passes.begin() + 20, {"scale_weight", ScaleWeightInBodies});
  const auto report = BisectPasses(network.t.graph, passes, network.inputs, {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->pass, "scale_weight");
  ASSERT_TRUE(report->parting.has_value());
  EXPECT_EQ(report->parting->op, "Loop");
  EXPECT_EQ(report->parting->node, "steps");
  EXPECT_EQ(report->parting->value, "last");
  ASSERT_EQ(report->parting->inputs.size(), 3u);
  EXPECT_EQ(report->parting->inputs[2].kind, "sequence");
  EXPECT_EQ(report->parting->inputs[2].dims, (Dims{0}));
}

TEST(Bisect, KernelsOfBodiesAreJudged) {
  ConfigureLibraries();
  const LoopNetwork network;
  const auto fused = Fuse(network.t.graph, {});
  ASSERT_TRUE(fused.ok()) << fused.status().message();
  BisectOptions options;
  options.threads = 1;
  const auto sound = BisectKernels(*fused, network.inputs, {}, options);
  ASSERT_TRUE(sound.ok()) << sound.status().message();
  EXPECT_FALSE(sound->parted());
  EXPECT_TRUE(sound->trials.empty()) << sound->trials[0].what << ": " << sound->trials[0].failed;
  options.tolerance = 1e-12;  // as above: f32 against double
  const auto strict = BisectKernels(*fused, network.inputs, {}, options);
  ASSERT_TRUE(strict.ok()) << strict.status().message();
  ASSERT_TRUE(strict->parting.has_value());
  EXPECT_EQ(strict->parting->op, "tamis.Linear");
  ASSERT_EQ(strict->trials.size(), 1u) << "a body is judged once, however often it runs";
  EXPECT_EQ(strict->trials[0].what.find("body 'step': "), 0u) << strict->trials[0].what;
}

TEST(Trace, InputsThatAreNoTensorsAreRefused) {
  LoopNetwork network;
  Type sequence;
  sequence.kind = Type::Kind::kSequence;
  sequence.element = std::make_shared<const Type>(Type::Tensor(DType::kFloat32, {2}));
  network.t.graph.inputs.push_back(network.t.graph.AddValue("pieces", sequence));
  const auto values = TraceReference(network.t.graph, network.inputs);
  ASSERT_FALSE(values.ok());
  EXPECT_EQ(values.status().message(),
            "input 'pieces' is sequence(float32[2]): only networks whose inputs are all tensors can be traced");
}

TEST(Trace, ErrorsOfSequencesAndStrings) {
  const Datum one = Datum::Sequence({Tensor::Float(1), Tensor::Float(2)});
  const Datum other = Datum::Sequence({Tensor::Float(1), Tensor::Float(4)});
  EXPECT_EQ(ErrorOf(one, one).relative, 0);
  EXPECT_DOUBLE_EQ(ErrorOf(one, other).absolute, 2);
  EXPECT_DOUBLE_EQ(ErrorOf(one, other).relative, 0.5);
  EXPECT_TRUE(std::isinf(ErrorOf(one, Datum::Sequence({Tensor::Float(1)})).relative));
  EXPECT_TRUE(std::isinf(ErrorOf(one, Tensor::Float(1)).relative));
  EXPECT_EQ(ErrorOf(Datum(), Datum()).relative, 0);
  EXPECT_EQ(ErrorOf(Tensor::Strings({2}, {"a", "b"}), Tensor::Strings({2}, {"a", "b"})).relative, 0);
  EXPECT_TRUE(std::isinf(ErrorOf(Tensor::Strings({2}, {"a", "b"}), Tensor::Strings({2}, {"a", "c"})).relative));
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
