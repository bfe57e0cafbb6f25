#include "src/runtime/micro_batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "src/ops/op_def.h"
#include "src/runtime/batch_entries.h"
#include "src/runtime/program.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

using Kind = BatchEntries::Kind;

// Small multiples of 1/16.
Tensor Filled(Dims dims, uint32_t seed) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  std::mt19937 random(seed);
  for (float& x : tensor.Span<float>()) x = static_cast<float>(static_cast<int>(random() % 9) - 4) / 16;
  return tensor;
}

class Network {
 public:
  explicit Network(Dims dims, const Dim& batch = Dim::Symbol("n")) {
    graph.opsets[""] = 17;
    Shape shape = {batch};
    for (const int64_t size : dims) shape.emplace_back(size);
    x = graph.AddValue("x", Type::Tensor(DType::kFloat32, std::move(shape)));
    graph.inputs = {x};
  }
  ValueId Constant(Dims dims, uint32_t seed = 1) {
    return graph.AddConstant("c" + std::to_string(graph.NumValues()), Filled(std::move(dims), seed));
  }
  ValueId Add(const char* op, std::string_view domain, std::vector<ValueId> inputs,
              std::map<std::string, Attribute> attributes, const std::string& name) {
    Node node;
    node.op = op;
    node.domain = std::string(domain);
    node.inputs = std::move(inputs);
    node.outputs = {graph.AddValue(name)};
    node.attributes = std::move(attributes);
    const NodeId id = graph.AddNode(std::move(node));
    const Status status = InferNode(graph, id);
    EXPECT_TRUE(status.ok()) << status.message();
    return graph.node(id).outputs[0];
  }
  ValueId Conv(ValueId input, int64_t from, int64_t to, const std::string& name, ValueId residual = kNoValue) {
    return Add("ChannelsLastConv", kTamisDomain, {input, Constant({to, 3, 3, from}), kNoValue, residual},
               {{"group", int64_t{1}},
                {"strides", std::vector<int64_t>{1, 1}},
                {"dilations", std::vector<int64_t>{1, 1}},
                {"pads", std::vector<int64_t>{1, 1, 1, 1}},
                {"output_dtype", static_cast<int64_t>(DType::kFloat32)}},
               name);
  }
  ValueId Ints(std::vector<int64_t> elements) {
    Tensor tensor(DType::kInt64, {static_cast<int64_t>(elements.size())});
    std::copy(elements.begin(), elements.end(), tensor.Span<int64_t>().begin());
    return graph.AddConstant("i" + std::to_string(graph.NumValues()), std::move(tensor));
  }

  Graph graph;
  ValueId x = kNoValue;
};

// Two convolutions with a residual around them, a third, and a reduction over pixels as rows. `rows_in_file`: what the
// file calls the batch in its Reshape.
Network Residual(const Dim& batch = Dim::Symbol("n"), int64_t rows_in_file = -1) {
  Network network({24, 20, 8}, batch);
  const ValueId a = network.Conv(network.x, 8, 8, "a");
  const ValueId b = network.Conv(a, 8, 8, "b", network.x);
  const ValueId c = network.Conv(b, 8, 4, "c");
  const ValueId rows = network.Add("Reshape", "", {c, network.Ints({rows_in_file, 1920})}, {}, "rows");
  const ValueId y = network.Add("Linear", kTamisDomain, {rows, network.Constant({7, 1920})},
                                {{"output_dtype", static_cast<int64_t>(DType::kFloat32)}}, "y");
  network.graph.outputs = {y};
  return network;
}

std::unique_ptr<Program> Make(const Graph& concrete, const MicroBatchSpec& spec) {
  ProgramOptions options;
  options.threads = 2;
  options.micro_batches = spec;
  static PackCache cache;
  auto program = Program::Make(concrete.Clone(), options, cache);
  EXPECT_TRUE(program.ok()) << program.status().message();
  return std::move(program).value();
}

TEST(MicroBatches, GiveWhatTheWholeBatchGivesInLessMemory) {
  const Network network = Residual();
  const Tensor x = Filled({6, 24, 20, 8}, 3);
  const Graph concrete = Specialize(network.graph, {x.dims()}).value();
  ThreadPool pool(2);
  const auto whole = Make(concrete, {});
  const auto want = whole->Run({&x, 1}, pool);
  ASSERT_TRUE(want.ok());
  for (const int64_t entries : {1, 2, 3}) {
    const auto cuts = MicroBatchCuts(concrete, entries);
    // Behind a two values are open, x not counted; views are no place to cut.
    ASSERT_EQ(cuts.size(), 3u);
    EXPECT_EQ(cuts[0].spec.results, (std::vector<std::string>{"b"}));
    EXPECT_EQ(cuts[1].spec.results, (std::vector<std::string>{"c"}));
    EXPECT_EQ(cuts[2].layers, (std::vector<std::string>{"a", "b", "c", "rows", "y"}));
    for (const MicroBatchCut& cut : cuts) {
      const auto parts = Make(concrete, cut.spec);
      const auto got = parts->Run({&x, 1}, pool);
      ASSERT_TRUE(got.ok());
      // The cost model may choose other kernels for a part, with other roundings: four layers, Winograd's method
      // 1.6e-6 of the largest result each.
      const auto wanted = (*want)[0].Span<float>(), found = (*got)[0].Span<float>();
      const float largest = *std::max_element(wanted.begin(), wanted.end());
      for (size_t i = 0; i < wanted.size(); ++i) ASSERT_NEAR(wanted[i], found[i], 1e-5F * largest);
      EXPECT_TRUE(entries > 1 || parts->ArenaBytes() < whole->ArenaBytes());
      const auto times = parts->Profile({&x, 1}, 2, pool);
      ASSERT_TRUE(times.ok());
      std::vector<std::string> names;
      for (const auto& time : *times) names.push_back(time.name);
      EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c", "y"}));
    }
  }
}

TEST(MicroBatches, CutABatchThatTheFileFixes) {
  const Network free = Residual(), fixed = Residual(6, 6);
  const Tensor x = Filled({6, 24, 20, 8}, 3);
  const Graph concrete = Specialize(fixed.graph, {x.dims()}).value();
  const auto cuts = MicroBatchCuts(concrete, 2);
  ASSERT_EQ(cuts.size(), 3u);
  ThreadPool pool(2);
  const auto got = Make(concrete, cuts[2].spec)->Run({&x, 1}, pool);
  const auto want = Make(Specialize(free.graph, {x.dims()}).value(), cuts[2].spec)->Run({&x, 1}, pool);
  ASSERT_TRUE(got.ok() && want.ok());
  EXPECT_TRUE(std::ranges::equal((*got)[0].Span<float>(), (*want)[0].Span<float>()));
}

TEST(MicroBatches, APartIsANetworkOfItsOwn) {
  const Network network = Residual(6, 6);
  const Tensor x = Filled({6, 24, 20, 8}, 3), third = Filled({2, 24, 20, 8}, 4);
  const Graph concrete = Specialize(network.graph, {x.dims()}).value();
  auto part = PartOfNetwork(concrete, 2);
  ASSERT_TRUE(part && part->Verify().ok());
  const auto specs = InputSpecs(*part);
  ASSERT_EQ(specs.size(), 1u);
  EXPECT_EQ(specs[0].dims, third.dims());
  // Specializing it once more infers every shape anew.
  ThreadPool pool(1);
  const auto got = Make(SpecializeAt(*part, {}).value(), {})->Run({&third, 1}, pool);
  const auto want = Make(Specialize(Residual().graph, {third.dims()}).value(), {})->Run({&third, 1}, pool);
  ASSERT_TRUE(got.ok() && want.ok());
  EXPECT_TRUE(std::ranges::equal((*got)[0].Span<float>(), (*want)[0].Span<float>()));
  EXPECT_FALSE(PartOfNetwork(concrete, 4));  // no multiple
}

TEST(MicroBatches, TakeEnoughEntriesForTheThreads) {
  const Network network = Residual();
  const auto together = [&](int64_t batch, int threads) {
    return EntriesTogether(Specialize(network.graph, {{batch, 24, 20, 8}}).value(), threads);
  };
  EXPECT_EQ(together(8, 2), 1);
  EXPECT_EQ(together(8, 8), 4);
  EXPECT_EQ(together(9, 8), 3);
  EXPECT_EQ(together(1, 2), 0);
  EXPECT_EQ(together(4, 16), 0);
}

TEST(MicroBatches, AreNotFormedWhereTheyDoNotFit) {
  const Network network = Residual();
  const auto formed = [&](int64_t batch, const MicroBatchSpec& spec) {
    Graph concrete = Specialize(network.graph, {{batch, 24, 20, 8}}).value();
    const size_t nodes = concrete.NumNodes();
    const bool done = FormMicroBatches(concrete, spec);
    EXPECT_EQ(done, concrete.NumNodes() < nodes);
    EXPECT_TRUE(concrete.Verify().ok());
    return done;
  };
  EXPECT_TRUE(formed(6, {2, {"b"}}));
  EXPECT_TRUE(formed(4, {2, {"b"}}));      // another batch than the plan's
  EXPECT_FALSE(formed(5, {2, {"b"}}));     // no multiple
  EXPECT_FALSE(formed(2, {2, {"b"}}));     // one part
  EXPECT_FALSE(formed(6, {0, {}}));        // none wanted
  EXPECT_FALSE(formed(6, {2, {"gone"}}));  // of another network
  EXPECT_FALSE(formed(6, {-1, {"b"}}));
  EXPECT_TRUE(MicroBatchCuts(Specialize(network.graph, {{5, 24, 20, 8}}).value(), 2).empty());
}

TEST(MicroBatches, LeaveOutWhatOthersRead) {
  Network network({6, 5, 8});
  const ValueId a = network.Conv(network.x, 8, 8, "a");
  const ValueId b = network.Conv(a, 8, 8, "b");
  network.graph.outputs = {b, a};
  Graph concrete = Specialize(network.graph, {{4, 6, 5, 8}}).value();
  EXPECT_FALSE(FormMicroBatches(concrete, {2, {"b"}}));
  EXPECT_TRUE(FormMicroBatches(concrete, {2, {"a", "b"}}));
}

TEST(BatchEntries, KnowsWhatEachEntryFollowsFrom) {
  Network network({4, 8});
  const auto add = [&](const char* op, std::vector<ValueId> inputs, std::map<std::string, Attribute> attributes) {
    return network.Add(op, "", std::move(inputs), std::move(attributes),
                       op + std::to_string(network.graph.NumValues()));
  };
  const ValueId x = network.x;
  const auto norm = [&](int64_t axis, Dims scale) {
    return network.Add("QuantizedLayerNorm", kTamisDomain, {x, network.Constant(std::move(scale))},
                       {{"axis", axis}, {"y_dtype", static_cast<int64_t>(DType::kInt8)}, {"y_scale", 0.1f}},
                       "norm" + std::to_string(network.graph.NumValues()));
  };
  const std::vector<ValueId> cut = {
      norm(1, {4, 8}),
      add("Add", {x, network.Constant({8})}, {}),
      add("Mul", {x, network.Constant({1, 4, 8})}, {}),
      add("Softmax", {x}, {{"axis", int64_t{-1}}}),
      add("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 2, 1}}}),
      add("Reshape", {x, network.Ints({-1, 8})}, {}),
      add("Concat", {x, x}, {{"axis", int64_t{2}}}),
      add("MatMul", {x, network.Constant({8, 3})}, {}),
      add("Cast", {x}, {{"to", int64_t{11}}}),
  };
  const std::vector<ValueId> unknown = {
      add("Add", {x, network.Constant({6, 4, 8})}, {}),  // a constant with entries of its own
      add("Softmax", {x}, {{"axis", int64_t{0}}}),
      add("Transpose", {x}, {{"perm", std::vector<int64_t>{1, 0, 2}}}),
      add("Reshape", {x, network.Ints({1, -1})}, {}),
      add("Concat", {x, x}, {{"axis", int64_t{0}}}),
      add("MatMul", {network.Constant({6, 2, 4}), x}, {}),
      add("ReduceSum", {x}, {}),
      norm(0, {6, 4, 8}),
  };
  const ValueId whole = add("Mul", {network.Constant({8}), network.Constant({8})}, {});
  const ValueId behind = add("Relu", {unknown[0]}, {});
  for (const auto& list : {cut, unknown})
    network.graph.outputs.insert(network.graph.outputs.end(), list.begin(), list.end());
  network.graph.outputs.push_back(behind);
  // Not folded: ids stay.
  Graph concrete = network.graph.Clone();
  for (size_t i = 0; i < concrete.NumValues(); ++i) {
    for (Dim& dim : concrete.value(static_cast<ValueId>(i)).type.shape) dim = dim.Substitute({{"n", Dim(6)}});
  }
  const BatchEntries entries(concrete, 6, 3);
  EXPECT_EQ(entries.Of(x), Kind::kCut);
  for (const ValueId id : cut) EXPECT_EQ(entries.Of(id), Kind::kCut) << concrete.value(id).name;
  for (const ValueId id : unknown) EXPECT_EQ(entries.Of(id), Kind::kUnknown) << concrete.value(id).name;
  EXPECT_EQ(entries.Of(whole), Kind::kWhole);
  EXPECT_EQ(entries.Of(behind), Kind::kUnknown);
}

}  // namespace
}  // namespace tamis
