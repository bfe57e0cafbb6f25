#include "src/runtime/dynamic_program.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "src/engine/engine.h"
#include "src/ops/op_def.h"
#include "src/runtime/engine_session.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

Tensor Ints(const std::vector<int64_t>& values) {
  return Tensor::Int64s(values);
}

Tensor Int(int64_t value) {
  return Tensor::Of<int64_t>(DType::kInt64, {}, std::span<const int64_t>(&value, 1));
}

Tensor Bool(bool value) {
  return Tensor::Of<bool>(DType::kBool, {}, std::span<const bool>(&value, 1));
}

Tensor Floats(Dims dims, const std::vector<float>& values) {
  return Tensor::Of<float>(DType::kFloat32, std::move(dims), values);
}

std::vector<float> Values(const Datum& datum) {
  const auto span = datum.tensor().Span<float>();
  return {span.begin(), span.end()};
}

Type F32(Shape shape) {
  return Type::Tensor(DType::kFloat32, std::move(shape));
}

// Builds graphs and bodies; types are inferred once the main graph is whole.
struct Builder {
  Graph graph;

  explicit Builder(std::string name = "g") {
    graph.name = std::move(name);
    graph.opsets[""] = 21;
  }
  ValueId Input(const std::string& name, Type type = {}) {
    graph.inputs.push_back(graph.AddValue(name, std::move(type)));
    return graph.inputs.back();
  }
  ValueId Constant(const std::string& name, Tensor tensor) { return graph.AddConstant(name, std::move(tensor)); }
  ValueId Op(const std::string& op, std::vector<ValueId> inputs, const std::string& name,
             std::map<std::string, Attribute> attributes = {}) {
    return Ops(op, std::move(inputs), {name}, std::move(attributes), {})[0];
  }
  std::vector<ValueId> Ops(const std::string& op, std::vector<ValueId> inputs, const std::vector<std::string>& names,
                           std::map<std::string, Attribute> attributes, std::vector<Region> regions) {
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    for (const std::string& name : names) node.outputs.push_back(graph.AddValue(name));
    node.attributes = std::move(attributes);
    node.regions = std::move(regions);
    const auto outputs = node.outputs;
    graph.AddNode(std::move(node));
    return outputs;
  }
  Region AsRegion(const std::string& name, std::vector<ValueId> captures) {
    return {name, std::make_unique<Graph>(std::move(graph)), std::move(captures)};
  }
};

template <class... R>
std::vector<Region> Regions(R... regions) {
  std::vector<Region> list;
  (list.push_back(std::move(regions)), ...);
  return list;
}

std::unique_ptr<DynamicProgram> Make(Graph graph, const std::vector<Dims>& dims, PackCache& cache) {
  Status status = InferShapes(graph);
  EXPECT_TRUE(status.ok()) << status.message();
  status = graph.Verify();
  EXPECT_TRUE(status.ok()) << status.message();
  auto concrete = Specialize(graph, dims);
  EXPECT_TRUE(concrete.ok()) << concrete.status().message();
  status = concrete->Verify();
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(RunsNodeByNode(*concrete)) << concrete->ToString();
  auto program = DynamicProgram::Make(std::move(*concrete), {.threads = 2, .wish = {}, .arenas = nullptr}, cache);
  EXPECT_TRUE(program.ok()) << program.status().message();
  return std::move(*program);
}

class DynamicPrograms : public ::testing::Test {
 protected:
  std::vector<Datum> Run(const DynamicProgram& program, const std::vector<Datum>& inputs) {
    auto results = program.Run(inputs, pool_);
    EXPECT_TRUE(results.ok()) << results.status().message();
    return results.ok() ? *results : std::vector<Datum>(program.graph().outputs.size());
  }
  PackCache cache_;
  ThreadPool pool_{2};
};

// The rows of x that hold a positive number in column 0, each times two.
Graph PositiveRows() {
  Builder b;
  const ValueId x = b.Input("x", F32({Dim::Symbol("n"), 3}));
  const ValueId zero = b.Constant("zero", Tensor::Float(0));
  const ValueId column = b.Op("Gather", {x, b.Constant("first", Int(0))}, "column", {{"axis", int64_t{1}}});
  const ValueId positive = b.Op("Greater", {column, zero}, "positive");
  const ValueId where = b.Op("NonZero", {positive}, "where");
  const ValueId rows = b.Op("Reshape", {where, b.Constant("flat", Ints({-1}))}, "rows");
  const ValueId picked = b.Op("Gather", {x, rows}, "picked", {{"axis", int64_t{0}}});
  const ValueId y = b.Op("Add", {picked, picked}, "y");
  b.graph.outputs = {y};
  return std::move(b.graph);
}

TEST_F(DynamicPrograms, RunShapesThatDependOnData) {
  const auto program = Make(PositiveRows(), {{4, 3}}, cache_);
  const Tensor all = Floats({4, 3}, {1, 2, 3, -1, 0, 0, 4, 5, 6, 0, 1, 1});
  EXPECT_EQ(Values(Run(*program, {all})[0]), (std::vector<float>{2, 4, 6, 8, 10, 12}));
  const auto none = Run(*program, {Floats({4, 3}, std::vector<float>(12, -1))});
  EXPECT_EQ(none[0].tensor().dims(), (Dims{0, 3}));
}

// x plus one, i times, in a body that captures `one` and `limit` and holds an If that captures through it.
Graph NestedCaptures() {
  Builder b;
  const ValueId x = b.Input("x", F32({Dim::Symbol("n")}));
  const ValueId limit = b.Input("limit", Type::Tensor(DType::kInt64, {}));
  const ValueId one = b.Op("Abs", {b.Input("step", F32({}))}, "one");

  Builder body("body");
  const ValueId i = body.Input("i", Type::Tensor(DType::kInt64, {}));
  const ValueId condition = body.Input("cond_in", Type::Tensor(DType::kBool, {}));
  const ValueId state = body.Input("state");
  const ValueId inner_limit = body.Input("limit");
  const ValueId inner_one = body.Input("one");
  const ValueId below = body.Op("Less", {i, inner_limit}, "below");
  Builder then_branch("then");
  const ValueId a = then_branch.Input("state");
  const ValueId c = then_branch.Input("one");
  then_branch.graph.outputs = {then_branch.Op("Add", {a, c}, "more")};
  Builder else_branch("else");
  else_branch.graph.outputs = {else_branch.Input("state")};
  const ValueId next = body.Ops("If", {below}, {"next"}, {},
                                Regions(then_branch.AsRegion("then_branch", {state, inner_one}),
                                        else_branch.AsRegion("else_branch", {state})))[0];
  body.graph.outputs = {body.Op("Identity", {condition}, "cond_out"), next, next};

  const ValueId trips = b.Constant("trips", Int(5));
  const auto results =
      b.Ops("Loop", {trips, kNoValue, x}, {"last", "all"}, {}, Regions(body.AsRegion("body", {limit, one})));
  b.graph.outputs = results;
  return std::move(b.graph);
}

TEST_F(DynamicPrograms, BodiesReadWhatTheyCapture) {
  const auto program = Make(NestedCaptures(), {{2}, {}, {}}, cache_);
  const auto& all = program->graph().value(program->graph().outputs[1]).type;
  EXPECT_EQ(all.ToString(), "float32[5, 2]");  // the trip count is known and the state keeps its shape
  const auto results = Run(*program, {Floats({2}, {1, 10}), Int(3), Tensor::Float(-0.5f)});
  EXPECT_EQ(Values(results[0]), (std::vector<float>{2.5f, 11.5f}));
  EXPECT_EQ(Values(results[1]), (std::vector<float>{1.5f, 10.5f, 2, 11, 2.5f, 11.5f, 2.5f, 11.5f, 2.5f, 11.5f}));
}

// A state that grows by a row in each iteration.
Graph Growing() {
  Builder b;
  const ValueId x = b.Input("x", F32({1, 2}));
  const ValueId trips = b.Input("trips", Type::Tensor(DType::kInt64, {}));
  Builder body("body");
  body.Input("i", Type::Tensor(DType::kInt64, {}));
  const ValueId condition = body.Input("cond_in", Type::Tensor(DType::kBool, {}));
  const ValueId state = body.Input("state", F32({1, 2}));  // what a file declares may hold for the first iteration only
  const ValueId row = body.Input("row");
  const ValueId grown = body.Op("Concat", {state, row}, "grown", {{"axis", int64_t{0}}});
  body.graph.value(grown).type = F32({2, 2});
  body.graph.outputs = {condition, grown};
  b.graph.outputs = b.Ops("Loop", {trips, kNoValue, x}, {"y"}, {}, Regions(body.AsRegion("body", {x})));
  return std::move(b.graph);
}

TEST_F(DynamicPrograms, StatesMayChangeTheirShape) {
  const auto program = Make(Growing(), {{1, 2}, {}}, cache_);
  for (int64_t trips : {0, 1, 40}) {
    const auto results = Run(*program, {Floats({1, 2}, {1, 2}), Int(trips)});
    EXPECT_EQ(results[0].tensor().dims(), (Dims{trips + 1, 2}));
    EXPECT_EQ(results[0].tensor().Span<float>().back(), 2);
  }
}

// Pieces of x appended to a sequence for as long as there are any.
Graph Chunks() {
  Builder b;
  const ValueId x = b.Input("x", F32({Dim::Symbol("n")}));
  const ValueId empty = b.Op("SequenceEmpty", {}, "empty", {{"dtype", int64_t{1}}});
  Builder body("body");
  const ValueId i = body.Input("i", Type::Tensor(DType::kInt64, {}));
  const ValueId condition = body.Input("cond_in", Type::Tensor(DType::kBool, {}));
  const ValueId sequence = body.Input("seq_in");
  const ValueId whole = body.Input("x");
  const ValueId axis = body.Constant("axis", Ints({0}));
  const ValueId end = body.Op("Unsqueeze", {i, axis}, "end");
  const ValueId piece = body.Op("Slice", {whole, axis, end}, "piece");
  const ValueId longer = body.Op("SequenceInsert", {sequence, piece}, "longer");
  body.graph.outputs = {condition, longer};
  const ValueId size = b.Op("Size", {x}, "size");
  const auto results = b.Ops("Loop", {size, kNoValue, empty}, {"chunks"}, {}, Regions(body.AsRegion("body", {x})));
  const ValueId last = b.Op("SequenceAt", {results[0], b.Constant("minus", Int(-1))}, "last");
  b.graph.outputs = {results[0], b.Op("Neg", {last}, "negative")};
  return std::move(b.graph);
}

TEST_F(DynamicPrograms, LoopsCarrySequences) {
  const auto program = Make(Chunks(), {{4}}, cache_);
  const auto results = Run(*program, {Floats({4}, {1, 2, 3, 4})});
  ASSERT_EQ(results[0].elements().size(), 4u);
  EXPECT_EQ(Values(results[0].elements()[3]), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(results[0].elements()[0].tensor().dims(), Dims{0});
  EXPECT_EQ(Values(results[1]), (std::vector<float>{-1, -2, -3}));
}

Graph Choice(bool constant) {
  Builder b;
  const ValueId x = b.Input("x", F32({Dim::Symbol("n"), 2}));
  ValueId condition = kNoValue;
  if (constant) {  // known once n is
    const ValueId shape = b.Op("Shape", {x}, "shape");
    const ValueId n = b.Op("Gather", {shape, b.Constant("zero", Int(0))}, "n");
    condition = b.Op("Equal", {n, b.Constant("two", Int(2))}, "square");
  } else {
    condition = b.Input("choose", Type::Tensor(DType::kBool, {}));
  }
  Builder then_branch("then");
  const ValueId a = then_branch.Input("x");
  then_branch.graph.outputs = {then_branch.Op("MatMul", {a, a}, "y"), a};
  Builder else_branch("else");
  const ValueId c = else_branch.Input("x");
  else_branch.graph.outputs = {else_branch.Op("Transpose", {c}, "y"), else_branch.Constant("k", Tensor::Float(7))};
  b.graph.outputs = b.Ops("If", {condition}, {"y", "z"}, {},
                          Regions(then_branch.AsRegion("then_branch", {x}), else_branch.AsRegion("else_branch", {x})));
  return std::move(b.graph);
}

TEST_F(DynamicPrograms, BranchesMayDifferInShape) {
  const auto program = Make(Choice(false), {{2, 2}, {}}, cache_);
  const Tensor x = Floats({2, 2}, {1, 2, 3, 4});
  auto results = Run(*program, {x, Bool(true)});
  EXPECT_EQ(Values(results[0]), (std::vector<float>{7, 10, 15, 22}));
  EXPECT_EQ(Values(results[1]), (std::vector<float>{1, 2, 3, 4}));
  results = Run(*program, {x, Bool(false)});
  EXPECT_EQ(Values(results[0]), (std::vector<float>{1, 3, 2, 4}));
  EXPECT_EQ(results[1].tensor().dims(), Dims{});
}

TEST_F(DynamicPrograms, KnownBranchesAreInlined) {
  Graph graph = Choice(true);
  ASSERT_TRUE(InferShapes(graph).ok());
  const auto square = Specialize(graph, {{2, 2}});
  ASSERT_TRUE(square.ok()) << square.status().message();
  EXPECT_TRUE(square->Verify().ok()) << square->Verify().message();
  EXPECT_FALSE(RunsNodeByNode(*square)) << square->ToString();
  const auto other = Specialize(graph, {{3, 2}});
  ASSERT_TRUE(other.ok()) << other.status().message();
  EXPECT_FALSE(RunsNodeByNode(*other)) << other->ToString();
  EXPECT_EQ(other->value(other->outputs[0]).type.ToString(), "float32[2, 3]");
  EXPECT_EQ(other->value(other->outputs[1]).name, "z");
}

// Counts without end.
Graph Endless() {
  Builder b;
  const ValueId x = b.Input("x", F32({}));
  Builder body("body");
  body.Input("i", Type::Tensor(DType::kInt64, {}));
  const ValueId condition = body.Input("cond_in", Type::Tensor(DType::kBool, {}));
  const ValueId state = body.Input("state");
  body.graph.outputs = {condition, body.Op("Neg", {state}, "next")};
  b.graph.outputs = b.Ops("Loop", {kNoValue, kNoValue, x}, {"y"}, {}, Regions(body.AsRegion("body", {})));
  return std::move(b.graph);
}

TEST_F(DynamicPrograms, RunsCanBeCancelled) {
  const auto program = Make(Endless(), {{}}, cache_);
  std::atomic<bool> cancelled = false;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    cancelled = true;
  });
  const std::vector<Datum> inputs = {Tensor::Float(1)};
  const auto results = program->Run(inputs, pool_, [&] { return cancelled.load(); });
  canceller.join();
  ASSERT_FALSE(results.ok());
  EXPECT_EQ(results.status().kind(), ErrorKind::kRuntime);
  EXPECT_NE(results.status().message().find("cancelled"), std::string::npos);
}

TEST_F(DynamicPrograms, ThreadsMayShareOne) {
  const auto program = Make(NestedCaptures(), {{2}, {}, {}}, cache_);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t limit = 0; limit < 20; ++limit) {
        const auto results = program->Run(
            std::vector<Datum>{Floats({2}, {0, static_cast<float>(t)}), Int(limit % 6), Tensor::Float(1)}, pool_);
        ASSERT_TRUE(results.ok());
        const auto steps = static_cast<float>(std::min<int64_t>(limit % 6, 5));
        EXPECT_EQ(Values((*results)[0]), (std::vector<float>{steps, static_cast<float>(t) + steps}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(DynamicPrograms, ProfilesNameTheNodesOfBodies) {
  const auto program = Make(NestedCaptures(), {{2}, {}, {}}, cache_);
  const std::vector<Datum> inputs = {Floats({2}, {1, 10}), Int(3), Tensor::Float(1)};
  const auto times = program->Profile(inputs, 2, pool_);
  ASSERT_TRUE(times.ok()) << times.status().message();
  std::vector<std::string> names;
  for (const auto& time : *times) names.push_back(time.name);
  EXPECT_NE(std::find(names.begin(), names.end(), "last/next/more"), names.end());
}

TEST(Sessions, RunDataAndRefuseSequencesElsewhere) {
  auto engine = std::make_shared<Engine>();
  engine->fused = Chunks();
  ASSERT_TRUE(InferShapes(engine->fused).ok());
  engine->plans.emplace_back();
  const auto session = Session::Create(engine, {.threads = 2});
  ASSERT_TRUE(session.ok()) << session.status().message();
  EXPECT_EQ((*session)->outputs()[0].type, "seq(tensor(float))");
  EXPECT_TRUE((*session)->outputs()[0].sequence);
  const Tensor x = Floats({3}, {1, 2, 3});
  const auto data = (*session)->RunData({{"x", x}});
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(data->at("chunks").elements().size(), 3u);
  const auto tensors = (*session)->Run({{"x", x}});
  ASSERT_FALSE(tensors.ok());
  EXPECT_NE(tensors.status().message().find("'chunks' is a sequence"), std::string::npos);
  const auto wrong = (*session)->RunData({{"x", Datum::Sequence({x})}});
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.status().message(), "input 'x' is a sequence, the network wants tensor(float)");
}

}  // namespace
}  // namespace tamis
