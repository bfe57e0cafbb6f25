// Graphs and engines for the tests of this folder.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <string>

#include "src/engine/engine.h"
#include "src/ir/make_node.h"

namespace tamis::testing {

inline Tensor RandomTensor(Dims dims, uint32_t seed) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (float& x : tensor.Span<float>()) x = normal(random);
  return tensor;
}

// Zeroes the first two of each group of four along the last axis.
inline Tensor PrunedTensor(Dims dims, uint32_t seed) {
  Tensor tensor = RandomTensor(std::move(dims), seed);
  const int64_t row = tensor.dim(-1);
  auto x = tensor.Span<float>();
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t in_group = (static_cast<int64_t>(i) % row) % 4;
    if ((static_cast<int64_t>(i) / row + in_group) % 4 < 2) x[i] = 0;
  }
  return tensor;
}

// One of everything the IR can hold.
inline Graph EverythingGraph() {
  Graph graph;
  graph.name = "everything";
  graph.opsets = {{"", 17}, {"tamis", 1}};
  const Dim n = Dim::Symbol("batch"), s = Dim::Symbol("a name, with *odd* (signs) / - 2");
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {n, s, 64}));
  graph.inputs = {x};
  graph.input_docs = {"what goes in"};
  const ValueId w = graph.AddConstant("w", PrunedTensor({32, 64}, 1));
  graph.value(w).pattern = Pattern::kTwoFour;
  graph.value(w).origin = WeightOrigin{"w_source", WeightTransform::kTransposed2D};
  const ValueId dense = graph.AddConstant("dense", RandomTensor({32, 33}, 2));
  const ValueId small = graph.AddConstant("small", Tensor::Float(-0.0f));
  const ValueId empty = graph.AddConstant("empty", Tensor(DType::kInt64, {0, 5}));
  const std::vector<int64_t> ends = {-1, INT64_MAX, INT64_MIN};
  const ValueId shape = graph.AddConstant("shape", Tensor::Int64s(ends));
  graph.value(shape).contents = {Dim(-1), Dim(INT64_MAX), Dim(INT64_MIN)};
  const ValueId y = graph.AddValue(
      "y",
      Type::Tensor(DType::kFloat32, {Dim::FloorDiv(n * s + Dim(3), Dim(4)), Dim::Max(n, Dim::Mod(s, n + Dim(1)) * s),
                                     Dim::Min(n - s, Dim(7)) * Dim::Min(n - s, Dim(7)) * Dim(5) - Dim(2)}));
  Node node = MakeNode("Op", "", {x, w, kNoValue, dense, small, empty, shape}, {y, kNoValue});
  node.domain = "tamis";
  node.name = "the node";
  node.attributes["int"] = int64_t{-5};
  node.attributes["float"] = -0.0f;
  node.attributes["string"] = std::string("zero\0inside", 11);
  node.attributes["tensor"] = RandomTensor({3, 2}, 3);
  node.attributes["big"] = RandomTensor({30, 20}, 4);
  node.attributes["words"] = Tensor::Strings({1, 2}, {"", std::string("zero\0inside", 11)});
  node.attributes["ints"] = std::vector<int64_t>{};
  node.attributes["floats"] = std::vector<float>{1.5f, -2};
  node.attributes["strings"] = std::vector<std::string>{"", "b"};
  graph.AddNode(std::move(node));
  Type sequence;
  sequence.kind = Type::Kind::kSequence;
  Type optional;
  optional.kind = Type::Kind::kOptional;
  Type element;
  element.dtype = DType::kInt64;
  optional.element = std::make_shared<const Type>(element);
  sequence.element = std::make_shared<const Type>(optional);
  const ValueId z = graph.AddValue("z", sequence);
  Node branch = MakeNode("If", "", {y}, {z});
  for (const char* name : {"then_branch", "else_branch"}) {
    auto body = std::make_unique<Graph>();
    const ValueId captured = body->AddValue("captured", Type::Tensor(DType::kFloat32, {n}));
    body->inputs = {captured};
    const ValueId inner = body->AddConstant(std::string(name) + "_w", RandomTensor({20, 20}, name[0]));
    const ValueId out = body->AddValue("out");
    body->AddNode(MakeNode("Add", "", {captured, inner}, {out}));
    body->outputs = {out};
    branch.regions.push_back({name, std::move(body), {y}});
  }
  graph.AddNode(std::move(branch));
  graph.outputs = {z, y};
  return graph;
}

inline Engine EverythingEngine() {
  Engine engine;
  engine.fused = EverythingGraph();
  Graph& source = engine.source;
  source.name = "source";
  const ValueId x = source.AddValue("x", Type::Tensor(DType::kFloat32, {Dim::Symbol("batch"), 64}));
  source.inputs = {x};
  const Tensor w = PrunedTensor({32, 64}, 1);  // "w" of the fused graph
  Tensor transposed(DType::kFloat32, {64, 32});
  for (int64_t i = 0; i < 32; ++i) {
    for (int64_t j = 0; j < 64; ++j) transposed.Data<float>()[j * 32 + i] = w.Data<float>()[i * 64 + j];
  }
  const ValueId weight = source.AddConstant("w_source", transposed);
  const ValueId y = source.AddValue("y");
  source.AddNode(MakeNode("MatMul", "", {x, weight}, {y}));
  source.outputs = {y};
  Plan plan;
  plan.device = "a cpu";
  plan.workspace_limit = uint64_t{5} << 30;
  plan.threads = 2;
  plan.measured = true;
  plan.profile["batch"] = {1, 2, 3};
  plan.points = {{{{"batch", 2}}, {{"y", "kernel", 1e-3, {{"other", 2e-3, "slower"}}}}}};
  plan.points[0].blocks = {{{"h", "y"}, {"first", "second"}, 3e-4, 5e-4}};
  plan.points[0].micro_batches = {1, {"h"}};
  engine.plans = {Plan(), plan};
  Provenance& p = engine.provenance;
  p.tamis_version = "1";
  p.source_file = "net.onnx";
  p.precision = "f32";
  p.accuracy["cosine"] = 0.99;
  p.layers = {{"w_source", "2:4", "", 0.9, 0.1, 1e-3, 5e-4}};
  ValueRecord record{"x", true, 64, -1.5, 2.5, 0.25, 1.0, 0.02, {}};
  record.bins = {1, 0, uint64_t{1} << 40, 7};
  p.values = {record};
  p.model = {"maker", "1.2", "com.example", "what it is", "how it is built", 7, {{"names", "cat"}, {"author", ""}}};
  p.nodes_before = 12;
  p.nodes_after = 2;
  return engine;
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    path_ = ::testing::TempDir() + "tamis_test_XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TemporaryFolder() { (void)!std::system(("rm -rf '" + path_ + "'").c_str()); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void WriteBytes(const std::string& path, const std::string& bytes) {
  unlink(path.c_str());  // some file systems sync a file that is truncated and rewritten
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace tamis::testing
