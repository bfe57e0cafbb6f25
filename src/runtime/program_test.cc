#include "src/runtime/program.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <set>
#include <thread>

#include "src/ops/op_def.h"
#include "src/runtime/engine_session.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

Tensor Filled(Dims dims, float step) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  for (int64_t i = 0; i < tensor.NumElements(); ++i) tensor.Data<float>()[i] = step * static_cast<float>(i % 7 - 3);
  return tensor;
}

ValueId Add(Graph& graph, std::string op, std::string_view domain, std::vector<ValueId> inputs, const std::string& name,
            std::map<std::string, Attribute> attributes = {}) {
  Node node;
  node.op = std::move(op);
  node.domain = domain;
  node.inputs = std::move(inputs);
  node.outputs = {graph.AddValue(name)};
  node.attributes = std::move(attributes);
  const NodeId id = graph.AddNode(std::move(node));
  const Status status = InferNode(graph, id);
  EXPECT_TRUE(status.ok()) << status.message();
  return graph.node(id).outputs[0];
}

// x[n, 8] -> Linear -> Reshape by a computed shape -> Relu, and a second output that is a view of the first's input.
Graph SmallGraph() {
  Graph graph;
  graph.opsets[""] = 17;
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {Dim::Symbol("n"), 8}));
  graph.inputs = {x};
  const ValueId weight = graph.AddConstant("w", Filled({6, 8}, 0.25f));
  const ValueId hidden = Add(graph, "Linear", kTamisDomain, {x, weight}, "hidden");
  const ValueId shape = Add(graph, "Shape", "", {x}, "shape");
  const int64_t zero = 0;
  const ValueId index = graph.AddConstant("zero", Tensor::Of<int64_t>(DType::kInt64, {1}, std::span(&zero, 1)));
  const ValueId rows = Add(graph, "Gather", "", {shape, index}, "rows");
  const std::vector<int64_t> tail = {2, 3};
  const ValueId rest = graph.AddConstant("tail", Tensor::Int64s(tail));
  const ValueId target = Add(graph, "Concat", "", {rows, rest}, "target", {{"axis", int64_t{0}}});
  const ValueId cube = Add(graph, "Reshape", "", {hidden, target}, "cube");
  const ValueId y = Add(graph, "Relu", "", {cube}, "y");
  graph.outputs = {y, cube};
  return graph;
}

TEST(Specialize, FoldsShapeComputations) {
  const auto concrete = Specialize(SmallGraph(), {{5, 8}});
  ASSERT_TRUE(concrete.ok()) << concrete.status().message();
  EXPECT_EQ(concrete->NumNodes(), 3u) << concrete->ToString();  // Linear, Reshape, Relu
}

TEST(Specialize, ContradictionsAreAllNamed) {
  Graph graph = SmallGraph();
  const auto wrong_rank = Specialize(graph, {{5}});
  ASSERT_FALSE(wrong_rank.ok());
  EXPECT_EQ(wrong_rank.status().kind(), ErrorKind::kUser);
  const auto wrong_size = Specialize(graph, {{5, 9}});
  ASSERT_FALSE(wrong_size.ok());
  EXPECT_NE(wrong_size.status().message().find("must be 8"), std::string::npos) << wrong_size.status().message();
}

TEST(Program, ComputesWhatTheReferenceComputes) {
  for (const int64_t n : {1, 5, 33}) {
    auto concrete = Specialize(SmallGraph(), {{n, 8}});
    ASSERT_TRUE(concrete.ok());
    PackCache cache;
    ThreadPool pool(2);
    const auto program = Program::Make(std::move(*concrete), {.threads = 2, .wish = {}, .arenas = nullptr}, cache);
    ASSERT_TRUE(program.ok()) << program.status().message();
    const std::vector<Tensor> inputs = {Filled({n, 8}, 0.5f)};
    const auto outputs = (*program)->Run(inputs, pool);
    ASSERT_TRUE(outputs.ok()) << outputs.status().message();
    const Tensor weight = Filled({6, 8}, 0.25f);
    for (int64_t i = 0; i < n * 6; ++i) {
      double sum = 0;
      for (int64_t k = 0; k < 8; ++k) {
        sum += static_cast<double>(inputs[0].Data<float>()[i / 6 * 8 + k]) * weight.Data<float>()[i % 6 * 8 + k];
      }
      EXPECT_NEAR((*outputs)[1].Data<float>()[i], sum, 1e-5);
      EXPECT_NEAR((*outputs)[0].Data<float>()[i], std::max(sum, 0.0), 1e-5);
    }
    EXPECT_EQ((*outputs)[0].dims(), (Dims{n, 2, 3}));
  }
}

TEST(Program, MemoryOfResultsIsUsedAgain) {
  auto concrete = Specialize(SmallGraph(), {{64, 8}});
  ASSERT_TRUE(concrete.ok());
  PackCache cache;
  ThreadPool pool(1);
  const auto program = Program::Make(std::move(*concrete), {.threads = 1, .wish = {}, .arenas = nullptr}, cache);
  ASSERT_TRUE(program.ok()) << program.status().message();
  const std::vector<Tensor> inputs = {Filled({64, 8}, 0.5f)};
  auto first = (*program)->Run(inputs, pool);
  const auto second = (*program)->Run(inputs, pool);
  ASSERT_TRUE(first.ok() && second.ok());
  const std::set<const std::byte*> memory = {(*first)[0].raw(), (*first)[1].raw()};
  EXPECT_EQ(memory.count((*second)[0].raw()), 0u);  // all are held
  *first = std::vector<Tensor>();
  const auto third = (*program)->Run(inputs, pool);
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(memory.count((*third)[0].raw()), 1u);
}

std::shared_ptr<Session> SmallSession() {
  auto engine = std::make_shared<Engine>();
  engine->fused = SmallGraph();
  engine->plans.emplace_back();
  auto session = Session::Create(engine, {.threads = 2, .map_file = true});
  EXPECT_TRUE(session.ok());
  return *session;
}

TEST(Session, ReportsEveryProblemOfARequest) {
  const auto session = SmallSession();
  const auto answer = session->Run({{"y", Tensor(DType::kFloat32, {1})}});
  ASSERT_FALSE(answer.ok());
  EXPECT_NE(answer.status().message().find("unknown input 'y'"), std::string::npos);
  EXPECT_NE(answer.status().message().find("input 'x' is missing"), std::string::npos);
  const auto dtype = session->Run({{"x", Tensor(DType::kInt64, {1, 8})}});
  ASSERT_FALSE(dtype.ok());
  EXPECT_NE(dtype.status().message().find("int64"), std::string::npos);
}

TEST(Session, ThreadsMayRunAtOnce) {
  const auto session = SmallSession();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const Tensor x = Filled({t + 1, 8}, 0.5f);
      const auto first = session->Run({{"x", x}});
      for (int i = 0; i < 20; ++i) {
        const auto again = session->Run({{"x", x}});
        if (!first.ok() || !again.ok() ||
            std::memcmp(first->at("y").raw(), again->at("y").raw(), first->at("y").NumBytes()) != 0) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tamis
