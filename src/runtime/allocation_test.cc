// What the request path allocates, counted by replacing the global operator new. What oneDNN allocates inside its own
// calls is not ours to avoid and not counted.
#include <gtest/gtest.h>
#include <link.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>

#include "src/ops/op_def.h"
#include "src/runtime/engine_session.h"

namespace {
std::atomic<int64_t> allocations{0};

struct Range {
  uintptr_t begin = 0, end = 0;
};
Range onednn;

int FindOneDnn(dl_phdr_info* info, size_t, void*) {
  if (std::strstr(info->dlpi_name, "libdnnl") == nullptr) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD || (info->dlpi_phdr[i].p_flags & PF_X) == 0) continue;
    onednn.begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    onednn.end = onednn.begin + info->dlpi_phdr[i].p_memsz;
  }
  return 1;
}

void* Allocate(size_t bytes, size_t alignment, void* caller) {
  const auto address = reinterpret_cast<uintptr_t>(caller);
  if (address < onednn.begin || address >= onednn.end) allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = nullptr;
  if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), std::max<size_t>(bytes, 1)) != 0) {
    throw std::bad_alloc();
  }
  return memory;
}

// Not inlined: g++ would see free() meet what operator new returned, and warn.
[[gnu::noinline]] void Free(void* memory) {
  std::free(memory);
}
}  // namespace

void* operator new(size_t bytes) {
  return Allocate(bytes, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new[](size_t bytes) {
  return Allocate(bytes, alignof(std::max_align_t), __builtin_return_address(0));
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment), __builtin_return_address(0));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment), __builtin_return_address(0));
}
void operator delete(void* memory) noexcept {
  Free(memory);
}
void operator delete[](void* memory) noexcept {
  Free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  Free(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  Free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  Free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  Free(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  Free(memory);
}
void operator delete[](void* memory, size_t, std::align_val_t) noexcept {
  Free(memory);
}

namespace tamis {
namespace {

Tensor Normal(Dims dims, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  Tensor tensor(DType::kFloat32, std::move(dims));
  for (float& value : tensor.Span<float>()) value = normal(random) * 0.1F;
  return tensor;
}

ValueId Add(Graph& graph, const char* op, std::string_view domain, std::vector<ValueId> inputs, const char* name,
            std::map<std::string, Attribute> attributes = {}) {
  Node node;
  node.op = op;
  node.domain = domain;
  node.inputs = std::move(inputs);
  node.outputs = {graph.AddValue(name)};
  node.attributes = std::move(attributes);
  const NodeId id = graph.AddNode(std::move(node));
  const Status status = InferNode(graph, id);
  EXPECT_TRUE(status.ok()) << status.message();
  return graph.node(id).outputs[0];
}

// A convolution, a pool, a product with residual, a norm, a softmax and arithmetic; two outputs, one of them a view.
std::shared_ptr<Engine> SmallNetwork() {
  auto engine = std::make_shared<Engine>();
  Graph& graph = engine->fused;
  graph.opsets[""] = 17;
  graph.inputs = {graph.AddValue("image", Type::Tensor(DType::kFloat32, {Dim::Symbol("n"), 12, 12, 8})),
                  graph.AddValue("rows", Type::Tensor(DType::kFloat32, {Dim::Symbol("n"), 32}))};
  const ValueId kernel = graph.AddConstant("kernel", Normal({32, 3, 3, 8}, 1));
  const ValueId conv = Add(graph, "ChannelsLastConv", kTamisDomain, {graph.inputs[0], kernel}, "conv",
                           {{"pads", std::vector<int64_t>{1, 1, 1, 1}},
                            {"strides", std::vector<int64_t>{1, 1}},
                            {"dilations", std::vector<int64_t>{1, 1}},
                            {"group", int64_t{1}}});
  const ValueId pooled = Add(graph, "ChannelsLastGlobalAveragePool", kTamisDomain, {conv}, "pooled");
  const ValueId target = graph.AddConstant("target", Tensor::Int64s(std::vector<int64_t>{-1, 32}));
  const ValueId flat = Add(graph, "Reshape", "", {pooled, target}, "flat");
  const ValueId sum = Add(graph, "Add", "", {flat, graph.inputs[1]}, "sum");
  const ValueId weight = graph.AddConstant("weight", Normal({32, 32}, 2));
  const ValueId linear = Add(graph, "Linear", kTamisDomain, {sum, weight}, "linear");
  const ValueId scale = graph.AddConstant("scale", Normal({32}, 3));
  const ValueId norm = Add(graph, "LayerNormalization", "", {linear, scale}, "norm", {{"axis", int64_t{-1}}});
  const ValueId active = Add(graph, "Tanh", "", {norm}, "active");
  graph.outputs = {Add(graph, "Softmax", "", {active}, "y", {{"axis", int64_t{-1}}}), active};
  engine->plans.emplace_back();
  return engine;
}

TEST(RequestPath, AllocatesNothingAfterWarmUp) {
  dl_iterate_phdr(FindOneDnn, nullptr);
  for (const int threads : {1, 2}) {
    SessionOptions options;
    options.threads = threads;
    const auto session = Session::Create(SmallNetwork(), options);
    ASSERT_TRUE(session.ok()) << session.status().message();
    const NamedTensors small = {{"image", Normal({1, 12, 12, 8}, 4)}, {"rows", Normal({1, 32}, 5)}};
    const NamedTensors large = {{"image", Normal({7, 12, 12, 8}, 6)}, {"rows", Normal({7, 32}, 7)}};
    const auto expected = (*session)->Run(large);
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    const auto times = (*session)->Profile(large, 1);
    for (const auto& node : *times) EXPECT_NE(node.tactic, "reference") << node.name;

    NamedTensors small_out, large_out;
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE((*session)->RunInto(small, small_out).ok());
      ASSERT_TRUE((*session)->RunInto(large, large_out).ok());
    }
    const int64_t before = allocations.load();
    bool ok = true;
    for (int i = 0; i < 50; ++i) {
      ok = (*session)->RunInto(small, small_out).ok() && ok;
      ok = (*session)->RunInto(large, large_out).ok() && ok;
    }
    const int64_t allocated = allocations.load() - before;
    EXPECT_TRUE(ok);
    EXPECT_EQ(allocated, 0) << threads << " threads";
    for (const char* name : {"y", "active"}) {
      EXPECT_EQ(std::memcmp(large_out.at(name).raw(), expected->at(name).raw(), expected->at(name).NumBytes()), 0);
    }
  }
}

TEST(RequestPath, WritesIntoTheCallersMemory) {
  const auto session = Session::Create(SmallNetwork());
  ASSERT_TRUE(session.ok());
  const NamedTensors inputs = {{"image", Normal({2, 12, 12, 8}, 4)}, {"rows", Normal({2, 32}, 5)}};
  std::vector<float> mine(2 * 32 + 16, -1);
  NamedTensors outputs = {{"y", Tensor::View(DType::kFloat32, {2, 32}, mine.data(), nullptr)}};
  ASSERT_TRUE((*session)->RunInto(inputs, outputs).ok());
  const auto expected = (*session)->Run(inputs);
  EXPECT_EQ(outputs.at("y").raw(), reinterpret_cast<std::byte*>(mine.data()));
  EXPECT_EQ(std::memcmp(mine.data(), expected->at("y").raw(), 2 * 32 * sizeof(float)), 0);
  EXPECT_EQ(mine[2 * 32], -1);
}

}  // namespace
}  // namespace tamis
