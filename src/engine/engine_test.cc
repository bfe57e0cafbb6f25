#include "src/engine/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "src/base/float16.h"
#include "src/engine/engine_test_graphs.h"

namespace tamis {
namespace {

using testing::RandomTensor;
using testing::TemporaryFolder;

void ExpectSameTensor(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.dtype(), b.dtype());
  ASSERT_EQ(a.dims(), b.dims());
  if (a.dtype() == DType::kString) {
    const auto x = a.Span<std::string>(), y = b.Span<std::string>();
    EXPECT_TRUE(std::equal(x.begin(), x.end(), y.begin()));
  }
  EXPECT_TRUE(a.NumBytes() == 0 || std::memcmp(a.raw(), b.raw(), a.NumBytes()) == 0);
}

void ExpectSameType(const Type& a, const Type& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.dtype, b.dtype);
  EXPECT_EQ(a.has_rank, b.has_rank);
  EXPECT_EQ(a.shape, b.shape) << ToString(a.shape) << " and " << ToString(b.shape);
  ASSERT_EQ(a.element != nullptr, b.element != nullptr);
  if (a.element) ExpectSameType(*a.element, *b.element);
}

void ExpectSameGraph(const Graph& a, const Graph& b) {
  EXPECT_EQ(a.ToString(), b.ToString());
  EXPECT_EQ(a.opsets, b.opsets);
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.outputs, b.outputs);
  EXPECT_EQ(a.input_docs, b.input_docs);
  ASSERT_EQ(a.NumValues(), b.NumValues());
  for (size_t i = 0; i < a.NumValues(); ++i) {
    const Value& x = a.value(static_cast<ValueId>(i));
    const Value& y = b.value(static_cast<ValueId>(i));
    SCOPED_TRACE(x.name);
    EXPECT_EQ(x.name, y.name);
    ExpectSameType(x.type, y.type);
    ASSERT_EQ(x.constant.has_value(), y.constant.has_value());
    if (x.constant) ExpectSameTensor(*x.constant, *y.constant);
    EXPECT_EQ(x.contents, y.contents);
    ASSERT_EQ(x.origin.has_value(), y.origin.has_value());
    if (x.origin) {
      EXPECT_EQ(x.origin->initializer, y.origin->initializer);
      EXPECT_EQ(x.origin->transform, y.origin->transform);
    }
    EXPECT_EQ(x.pattern, y.pattern);
    EXPECT_EQ(x.producer, y.producer);
  }
  ASSERT_EQ(a.NumNodes(), b.NumNodes());
  for (NodeId id : a.NodeIds()) {
    const Node& x = a.node(id);
    const Node& y = b.node(id);
    SCOPED_TRACE(x.op);
    EXPECT_EQ(std::tie(x.op, x.domain, x.name, x.inputs, x.outputs),
              std::tie(y.op, y.domain, y.name, y.inputs, y.outputs));
    ASSERT_EQ(x.attributes.size(), y.attributes.size());
    for (const auto& [key, value] : x.attributes) {
      SCOPED_TRACE(key);
      const Attribute& other = y.attributes.at(key);
      ASSERT_EQ(value.index(), other.index());
      std::visit(
          [&](const auto& v) {
            using T = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<T, Tensor>) {
              ExpectSameTensor(v, std::get<T>(other));
            } else {
              EXPECT_EQ(v, std::get<T>(other));
            }
          },
          value);
    }
    ASSERT_EQ(x.regions.size(), y.regions.size());
    for (size_t i = 0; i < x.regions.size(); ++i) {
      EXPECT_EQ(x.regions[i].name, y.regions[i].name);
      EXPECT_EQ(x.regions[i].captures, y.regions[i].captures);
      ExpectSameGraph(*x.regions[i].body, *y.regions[i].body);
    }
  }
}

TEST(EngineFile, RoundTripsEverything) {
  const TemporaryFolder folder;
  const Engine engine = testing::EverythingEngine();
  ASSERT_TRUE(WriteEngine(engine, folder / "a.tamis").ok());
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    auto file = ReadEngine(folder / "a.tamis", mode);
    ASSERT_TRUE(file.ok()) << file.status().message();
    ASSERT_TRUE(file->weights->Verify().ok());
    const Engine& read = *file->engine;
    ExpectSameGraph(engine.fused, read.fused);
    EXPECT_EQ(read.source.NumNodes(), 0u);
    auto source = file->LoadSource();
    ASSERT_TRUE(source.ok()) << source.status().message();
    ExpectSameGraph(engine.source, *source);
    EXPECT_TRUE(std::signbit(std::get<float>(read.fused.node(0).attributes.at("float"))));

    ASSERT_EQ(read.plans.size(), 2u);
    const Plan& plan = read.plans[1];
    EXPECT_EQ(plan.device, "a cpu");
    EXPECT_EQ(plan.threads, 2);
    EXPECT_EQ(plan.workspace_limit, uint64_t{5} << 30);
    EXPECT_TRUE(plan.measured);
    EXPECT_EQ(plan.profile.at("batch").opt, 2);
    ASSERT_EQ(plan.points.size(), 1u);
    EXPECT_EQ(plan.points[0].binding.at("batch"), 2);
    EXPECT_EQ(plan.points[0].nodes[0].candidates[0].reason, "slower");
    ASSERT_EQ(plan.points[0].blocks.size(), 1u);
    EXPECT_EQ(plan.points[0].blocks[0].layers, (std::vector<std::string>{"h", "y"}));
    EXPECT_EQ(plan.points[0].blocks[0].kernels, (std::vector<std::string>{"first", "second"}));
    EXPECT_DOUBLE_EQ(plan.points[0].Seconds(), 8e-4);
    EXPECT_EQ(plan.points[0].micro_batches.entries, 1);
    EXPECT_EQ(plan.points[0].micro_batches.results, std::vector<std::string>{"h"});
    EXPECT_EQ(read.provenance.accuracy, engine.provenance.accuracy);
    ASSERT_EQ(read.provenance.values.size(), 1U);
    const ValueRecord& record = read.provenance.values[0];
    EXPECT_EQ(record.name, "x");
    EXPECT_TRUE(record.input);
    EXPECT_EQ(record.samples, 64);
    EXPECT_EQ(record.low, -1.5);
    EXPECT_EQ(record.high, 2.5);
    EXPECT_EQ(record.mean, 0.25);
    EXPECT_EQ(record.deviation, 1.0);
    EXPECT_EQ(record.growth, 0.02);
    EXPECT_EQ(record.bins, engine.provenance.values[0].bins);
    EXPECT_EQ(read.provenance.model, engine.provenance.model);
    EXPECT_EQ(read.provenance.layers[0].pattern, "2:4");
    EXPECT_EQ(read.provenance.nodes_before, 12);
    EXPECT_TRUE(read.provenance.source_exact);
  }
}

// Bytes of the process's memory that are pages of this file.
int64_t ResidentBytes(const std::string& path) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  int64_t bytes = 0;
  bool here = false;
  while (std::getline(maps, line)) {
    if (line.find('-') < line.find(' ')) here = line.ends_with(path);
    if (here && line.starts_with("Rss:")) bytes += std::strtoll(line.c_str() + 4, nullptr, 10) * 1024;
  }
  return bytes;
}

TEST(EngineFile, PackedWeightsLeaveTheProcess) {
  const TemporaryFolder folder;
  constexpr int64_t kRows = 1024, kColumns = 1024, kWeightBytes = kRows * kColumns * 4;
  Engine engine;
  Graph& graph = engine.fused;
  Tensor weight(DType::kFloat32, {kRows, kColumns});
  for (int64_t i = 0; i < kRows * kColumns; ++i) weight.Data<float>()[i] = static_cast<float>(i);
  const ValueId x = graph.AddValue("x", Type::Tensor(DType::kFloat32, {kRows, kColumns}));
  const ValueId w = graph.AddConstant("w", weight);
  const ValueId y = graph.AddValue("y", Type::Tensor(DType::kFloat32, {kRows, kColumns}));
  graph.AddNode(MakeNode("Add", "", {x, w}, {y}));
  graph.inputs = {x};
  graph.outputs = {y};
  const std::string path = folder / "large.tamis";
  ASSERT_TRUE(WriteEngine(engine, path).ok());
  const auto file = ReadEngine(path, ReadMode::kMap);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_TRUE(file->weights->Verify().ok());
  EXPECT_LT(ResidentBytes(path), kWeightBytes / 2) << "checksums keep nothing";
  const Tensor* constant = nullptr;
  const Graph& read = file->engine->fused;
  for (size_t i = 0; i < read.NumValues(); ++i) {
    if (read.value(static_cast<ValueId>(i)).constant) constant = &*read.value(static_cast<ValueId>(i)).constant;
  }
  ASSERT_NE(constant, nullptr);
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(std::memcmp(constant->raw(), weight.raw(), weight.NumBytes()), 0);
    EXPECT_GE(ResidentBytes(path), kWeightBytes);
    file->weights->Packed(*constant);
    EXPECT_LT(ResidentBytes(path), kWeightBytes / 2);
  }
  file->weights->Packed(weight);  // memory of its own stays as it is
  EXPECT_EQ(std::memcmp(constant->raw(), weight.raw(), weight.NumBytes()), 0);
}

TEST(EngineFile, StoresAWeightOnceAndCompressed) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteEngine(testing::EverythingEngine(), folder / "a.tamis").ok());
  auto file = ReadEngine(folder / "a.tamis", ReadMode::kMap);
  ASSERT_TRUE(file.ok()) << file.status().message();
  // w (shared with the source's transposed one), dense, the tensor attribute, one in each branch.
  EXPECT_EQ(file->facts.weights, 5);
  EXPECT_EQ(file->facts.sparse_weights, 1);
  EXPECT_EQ(file->facts.sparse_bytes, 32u * 64 * 4 / 2 + 32 * 64 / 4 / 2);
  EXPECT_EQ(file->facts.dense_bytes, 4u * (32 * 33 + 30 * 20 + 20 * 20 + 20 * 20));
  EXPECT_EQ(file->facts.unpacked_bytes, file->facts.dense_bytes + 32 * 64 * 4);
  for (const char* name : {"w", "dense"}) {
    for (size_t i = 0; i < file->engine->fused.NumValues(); ++i) {
      const Value& value = file->engine->fused.value(static_cast<ValueId>(i));
      if (value.name != name) continue;
      EXPECT_NE(value.constant_hash, 0u);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(value.constant->raw()) % 64, 0u);
    }
  }
}

TEST(EngineFile, ReturnsAConvolutionWeightInItsOwnOrder) {
  const TemporaryFolder folder;
  Engine engine;
  const Tensor oihw = RandomTensor({8, 6, 3, 3}, 5);
  Tensor ohwi(DType::kFloat32, {8, 3, 3, 6});
  for (int64_t o = 0; o < 8; ++o) {
    for (int64_t i = 0; i < 6; ++i) {
      for (int64_t rs = 0; rs < 9; ++rs) {
        ohwi.Data<float>()[(o * 9 + rs) * 6 + i] = oihw.Data<float>()[(o * 6 + i) * 9 + rs];
      }
    }
  }
  for (Graph* graph : {&engine.source, &engine.fused}) {
    const bool fused = graph == &engine.fused;
    const ValueId x = graph->AddValue("x");
    graph->inputs = {x};
    const ValueId w = graph->AddConstant(fused ? "kernel" : "w", fused ? ohwi : oihw);
    if (fused) graph->value(w).origin = WeightOrigin{"w", WeightTransform::kOihwToOhwi};
    const ValueId y = graph->AddValue("y");
    graph->AddNode(MakeNode("Conv", "", {x, w}, {y}));
    graph->outputs = {y};
  }
  ASSERT_TRUE(WriteEngine(engine, folder / "a.tamis").ok());
  auto file = ReadEngine(folder / "a.tamis", ReadMode::kMap);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->facts.weights, 1);
  auto source = file->LoadSource();
  ASSERT_TRUE(source.ok()) << source.status().message();
  ExpectSameGraph(engine.source, *source);
}

TEST(EngineFile, SaysThatABf16EngineRoundedItsSource) {
  const TemporaryFolder folder;
  Engine engine;
  const Tensor wide = RandomTensor({64, 48}, 6);
  Tensor narrow(DType::kBFloat16, {48, 64});
  for (int64_t i = 0; i < 64; ++i) {
    for (int64_t j = 0; j < 48; ++j) narrow.Data<uint16_t>()[j * 64 + i] = FloatToBf16(wide.Data<float>()[i * 48 + j]);
  }
  for (Graph* graph : {&engine.source, &engine.fused}) {
    const bool fused = graph == &engine.fused;
    const ValueId x = graph->AddValue("x");
    graph->inputs = {x};
    const ValueId w = graph->AddConstant("w", fused ? narrow : wide);
    if (fused) graph->value(w).origin = WeightOrigin{"w", WeightTransform::kTransposed2D};
    const ValueId y = graph->AddValue("y");
    graph->AddNode(MakeNode("MatMul", "", {x, w}, {y}));
    graph->outputs = {y};
  }
  ASSERT_TRUE(WriteEngine(engine, folder / "a.tamis").ok());
  auto file = ReadEngine(folder / "a.tamis", ReadMode::kRead);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->facts.weights, 1);
  EXPECT_FALSE(file->engine->provenance.source_exact);
  auto source = file->LoadSource();
  ASSERT_TRUE(source.ok()) << source.status().message();
  const Tensor& restored = *source->value(1).constant;
  ASSERT_EQ(restored.dtype(), DType::kFloat32);
  for (size_t i = 0; i < 64 * 48; ++i) {
    EXPECT_EQ(restored.Data<float>()[i], Bf16ToFloat(FloatToBf16(wide.Data<float>()[i])));
  }
}

TEST(EngineFile, DropsWhatNobodyReads) {
  const TemporaryFolder folder;
  Engine engine;
  engine.fused = testing::EverythingGraph();
  engine.fused.AddConstant("left over", RandomTensor({100, 100}, 9));
  ASSERT_TRUE(WriteEngine(engine, folder / "a.tamis").ok());
  auto file = ReadEngine(folder / "a.tamis", ReadMode::kMap);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ExpectSameGraph(testing::EverythingGraph(), file->engine->fused);
  auto source = file->LoadSource();
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.status().kind(), ErrorKind::kUser);
}

TEST(EngineFile, RefusesAFalsePattern) {
  const TemporaryFolder folder;
  Engine engine = testing::EverythingEngine();
  const ValueId dense = 2;
  ASSERT_EQ(engine.fused.value(dense).name, "dense");
  engine.fused.value(dense).pattern = Pattern::kTwoFour;
  const Status status = WriteEngine(engine, folder / "a.tamis");
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("'dense'"), std::string::npos) << status.message();
  EXPECT_NE(access((folder / "a.tamis").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace tamis
