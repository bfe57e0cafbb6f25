#include "src/kernels/block/row_block.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <set>

#include "src/kernels/family_test.h"
#include "src/kernels/problem.h"
#include "src/kernels/row_kernel.h"
#include "src/ops/op_def.h"
#include "src/ops/op_tamis.h"

namespace tamis::kernel_test {
namespace {

using Attributes = std::map<std::string, Attribute>;
using Ints = std::vector<int64_t>;

// Chains of layers as passes leave them, at random weights.
class Network {
 public:
  // What lies between layers is in `dtype`: f32, bf16, or u8.
  Network(DType dtype, Dims x, uint64_t seed) : dtype_(dtype), seed_(seed) {
    graph.opsets[""] = 20;
    graph.inputs = {AddInput("x", x)};
    last = graph.inputs[0];
  }

  // A convolution of `outputs` channels, or one filter per channel if that is 0.
  void Conv(int64_t outputs, int64_t kernel, int64_t stride, const std::string& activation, ValueId residual = kNoValue,
            int64_t dilation = 1) {
    const int64_t channels = graph.value(last).type.shape.back().Constant().value();
    const int64_t pad = dilation * (kernel - 1) / 2;
    Attributes attributes = {{"strides", Ints{stride, stride}},
                             {"dilations", Ints{dilation, dilation}},
                             {"pads", Ints{pad, pad, pad, pad}},
                             {"group", outputs == 0 ? channels : int64_t{1}}};
    const int64_t y = outputs == 0 ? channels : outputs;
    Layer(dtype_ == DType::kUInt8 ? "QuantizedConv" : "ChannelsLastConv",
          {y, kernel, kernel, outputs == 0 ? 1 : channels}, activation, residual, std::move(attributes));
  }
  void Linear(int64_t outputs, const std::string& activation, ValueId residual = kNoValue) {
    const int64_t depth = graph.value(last).type.shape.back().Constant().value();
    Layer(dtype_ == DType::kUInt8 ? "QuantizedLinear" : "Linear", {outputs, depth}, activation, residual, {});
  }
  // x is a picture, plane by plane.
  void ToChannelsLast() { Add("Transpose", {}, {{"perm", Ints{0, 2, 3, 1}}}); }
  // A bias, a norm and an activation, in f32 between codes.
  void BiasNormActivation() {
    const DType dtype = dtype_ == DType::kUInt8 ? DType::kFloat32 : dtype_;
    const int64_t channels = graph.value(last).type.shape.back().Constant().value();
    const auto row = [&](double low, double high) {
      const uint64_t seed = seed_++;
      return graph.AddConstant("c" + std::to_string(seed), RandomTensor(dtype, {channels}, seed, low, high));
    };
    const auto code = [&](const char* op) {
      Tensor scale(DType::kFloat32, {}), zero(DType::kUInt8, {});
      scale.Data<float>()[0] = 0.03f;
      zero.Data<uint8_t>()[0] = 9;
      const std::string name = "c" + std::to_string(seed_++);
      Add(op, {graph.AddConstant(name + "s", scale), graph.AddConstant(name + "z", zero)});
    };
    if (dtype_ == DType::kUInt8) code("DequantizeLinear");
    Add("Add", {row(-1, 1)});
    Add("LayerNormalization", {row(0.5, 2), row(-1, 1)});
    Add("Gelu", {});
    if (dtype_ == DType::kUInt8) code("QuantizeLinear");
  }
  void MaxPool(int64_t kernel, int64_t stride) {
    const int64_t pad = (kernel - 1) / 2;
    Add("ChannelsLastMaxPool", {},
        {{"kernel_shape", Dims{kernel, kernel}}, {"strides", Dims{stride, stride}}, {"pads", Dims(4, pad)}},
        kTamisDomain);
  }
  ValueId AddInput(const std::string& name, const Dims& dims) {
    Shape shape;
    for (const int64_t dim : dims) shape.emplace_back(dim);
    return graph.AddValue(name, Type::Tensor(dtype_, shape));
  }
  void Finish() { graph.outputs = {last}; }

  Graph graph;
  ValueId last = kNoValue;
  std::vector<std::string> names;  // of the layers

 private:
  void Layer(const std::string& op, const Dims& weight, const std::string& activation, ValueId residual,
             Attributes attributes) {
    const bool codes = dtype_ == DType::kUInt8;
    attributes["activation"] = activation;
    attributes["clip_min"] = 0.0f;
    attributes["clip_max"] = 6.0f;
    const std::string name = "v" + std::to_string(names.size());
    const auto constant = [&](const char* what, Tensor tensor) {
      return graph.AddConstant(name + "." + what, std::move(tensor));
    };
    std::vector<ValueId> operands;
    if (codes) {
      std::mt19937 random(static_cast<uint32_t>(seed_++));
      Tensor w(DType::kInt8, weight);
      for (int8_t& code : w.Span<int8_t>()) code = static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
      const double depth = static_cast<double>(w.NumElements()) / static_cast<double>(weight[0]);
      Tensor scale(DType::kFloat32, {weight[0]});
      for (float& s : scale.Span<float>()) s = static_cast<float>(1.0 / (40 * std::sqrt(depth)));
      attributes["x_zero_point"] = int64_t{7};
      attributes["y_zero_point"] = int64_t{7};
      attributes["y_scale"] = 0.05f;
      attributes["y_dtype"] = static_cast<int64_t>(DType::kUInt8);
      attributes["residual_scale"] = 0.04f;
      attributes["residual_zero_point"] = int64_t{7};
      operands = {constant("w", w), constant("scale", scale),
                  constant("bias", RandomTensor(DType::kFloat32, {weight[0]}, seed_++)), residual};
    } else {
      attributes["output_dtype"] = static_cast<int64_t>(dtype_);
      operands = {constant("w", RandomTensor(dtype_, weight, seed_++, -0.3, 0.3)),
                  constant("bias", RandomTensor(DType::kFloat32, {weight[0]}, seed_++)), residual};
    }
    if (residual == kNoValue) operands.pop_back();
    Add(op, std::move(operands), std::move(attributes), kTamisDomain);
  }

  // A node that reads the last one's result and these.
  void Add(const std::string& op, std::vector<ValueId> operands, Attributes attributes = {},
           std::string_view domain = "") {
    Node node;
    node.op = op;
    node.domain = std::string(domain);
    node.inputs = {last};
    node.inputs.insert(node.inputs.end(), operands.begin(), operands.end());
    node.attributes = std::move(attributes);
    names.push_back("v" + std::to_string(names.size()));
    node.outputs = {graph.AddValue(names.back())};
    const NodeId id = graph.AddNode(std::move(node));
    const Status status = InferNode(graph, id);
    EXPECT_TRUE(status.ok()) << status.message();
    last = graph.node(id).outputs[0];
  }

  DType dtype_;
  uint64_t seed_;
};

Tensor Input(const Type& type, uint64_t seed) {
  const Dims dims = *ConstantDims(type.shape);
  if (type.dtype != DType::kUInt8) return RandomTensor(type.dtype, dims, seed);
  Tensor codes(type.dtype, dims);
  std::mt19937 random(static_cast<uint32_t>(seed));
  for (uint8_t& code : codes.Span<uint8_t>()) code = static_cast<uint8_t>(random());
  return codes;
}

// Room for a tensor and for what kernels may load behind it, filled with bytes that are NaNs and no likely codes.
class Buffer {
 public:
  explicit Buffer(size_t bytes) : tensor_(DType::kUInt8, {static_cast<int64_t>(bytes + 64)}), bytes_(bytes) {
    std::memset(tensor_.raw(), 0xff, bytes + 64);
  }
  std::byte* data() { return tensor_.raw(); }
  size_t bytes() const { return bytes_; }

 private:
  Tensor tensor_;
  size_t bytes_;
};

size_t BytesOf(const Operand& operand) {
  return ByteSize(operand.dtype, static_cast<size_t>(NumElements(operand.dims)));
}

std::vector<const void*> ConstantsOf(const Problem& problem) {
  std::vector<const void*> operands;
  for (const Operand& operand : problem.inputs) {
    operands.push_back(operand.constant != nullptr ? operand.constant->raw() : nullptr);
  }
  return operands;
}

Buffer RunAlone(const PreparedKernel& kernel, const Problem& problem, std::span<const void* const> operands,
                ThreadPool& pool) {
  Buffer workspace(kernel.WorkspaceBytes()), y(BytesOf(problem.outputs[0]));
  void* out = y.data();
  kernel.Run(operands, {&out, 1}, workspace.data(), pool);
  return y;
}

std::vector<const KernelDef*> RowKernels(const Problem& problem) {
  std::vector<const KernelDef*> kernels;
  PackCache cache;
  for (const KernelDef* kernel : CandidateKernels(problem, nullptr)) {
    if (PrepareByRows(*kernel, problem, cache).ok()) kernels.push_back(kernel);
  }
  return kernels;
}

struct NamedNetwork {
  std::string name;
  Network network;
};

// Depthwise and pointwise layers with residuals, strides and dilations, bottlenecks, and products of tokens.
std::vector<NamedNetwork> Networks(DType dtype) {
  std::vector<NamedNetwork> networks;
  const auto add = [&](const std::string& name, Dims x) -> Network& {
    networks.push_back({name, Network(dtype, std::move(x), 100 * (networks.size() + 1))});
    return networks.back().network;
  };
  {
    Network& n = add("depthwise, pointwise", {1, 14, 14, 40});
    n.Conv(0, 3, 1, "Clip");
    n.Conv(24, 1, 1, "");
    n.Finish();
  }
  {
    Network& n = add("inverted residual", {2, 13, 11, 24});
    const ValueId x = n.last;
    n.Conv(72, 1, 1, "Clip");
    n.Conv(0, 3, 1, "Clip");
    n.Conv(24, 1, 1, "", x);
    n.Finish();
  }
  {
    Network& n = add("strided, 5 x 5, residual from outside", {2, 15, 16, 16});
    n.Conv(33, 1, 1, "Relu");
    n.Conv(0, 5, 2, "Relu");
    const ValueId residual = n.AddInput("residual", {2, 8, 8, 20});
    n.graph.inputs.push_back(residual);
    n.Conv(20, 1, 1, "Relu", residual);
    n.Finish();
  }
  {
    Network& n = add("bottleneck", {2, 9, 9, 32});
    const ValueId x = n.last;
    n.Conv(16, 1, 1, "Relu");
    n.Conv(16, 3, 1, "Relu");
    n.Conv(32, 1, 1, "Relu", x);
    n.Finish();
  }
  {
    Network& n = add("windows one after another", {1, 20, 17, 8});
    n.Conv(16, 3, 2, "Relu");
    n.Conv(0, 3, 1, "Relu", kNoValue, 2);
    n.Conv(24, 3, 1, "Relu");
    n.Conv(0, 3, 2, "");
    n.Finish();
  }
  {
    Network& n = add("picture", {2, 3, 27, 96});
    n.ToChannelsLast();
    n.Conv(16, 3, 2, "Clip");
    n.Conv(0, 3, 1, "Clip");
    n.Conv(8, 1, 1, "");
    n.Finish();
  }
  if (dtype == DType::kUInt8) {  // pools of floats don't run by rows
    Network& n = add("pool", {2, 19, 23, 8});
    n.Conv(40, 3, 2, "Relu");
    n.MaxPool(3, 2);
    n.Conv(24, 1, 1, "");
    n.Finish();
  }
  {
    Network& n = add("tokens", {3, 37, 32});
    n.Linear(96, "Relu");
    n.Linear(32, "");
    n.Finish();
  }
  {
    Network& n = add("what lies between products", {2, 23, 48});
    n.Linear(52, "");
    n.BiasNormActivation();
    n.Finish();
  }
  return networks;
}

class RowKernelTest : public ::testing::TestWithParam<DType> {};

// What of x the rows do not need may be anything, and rows that were not asked for stay as they were.
TEST_P(RowKernelTest, RunsAnyRowsAsItRunsAll) {
  std::set<std::string_view> reached;
  for (const NamedNetwork& named : Networks(GetParam())) {
    const Graph& graph = named.network.graph;
    for (const NodeId id : graph.NodeIds()) {
      const auto problem = MakeProblem(graph, graph.node(id), 1);
      ASSERT_TRUE(problem.ok());
      for (const KernelDef* kernel : RowKernels(*problem)) {
        const std::string where =
            fmt::format("{}, {}, {}", named.name, graph.value(graph.node(id).outputs[0]).name, kernel->name);
        reached.insert(kernel->name);
        PackCache cache;
        const auto prepared = PrepareByRows(*kernel, *problem, cache);
        ASSERT_TRUE(prepared.ok()) << where;
        const auto& by_rows = static_cast<const RowKernel&>(**prepared);
        std::vector<Tensor> inputs;
        std::vector<const void*> operands = ConstantsOf(*problem);
        for (size_t i = 0; i < operands.size(); ++i) {
          if (!problem->inputs[i].Present() || operands[i] != nullptr) continue;
          inputs.push_back(Input(graph.value(graph.node(id).inputs[i]).type, 7 + i));
          operands[i] = inputs.back().raw();
        }
        ThreadPool pool(1);
        Buffer want = RunAlone(by_rows, *problem, operands, pool);
        const Dims& y = problem->outputs[0].dims;
        const int64_t rows = NumElements({y.data(), y.size() - 1}), unit = by_rows.RowUnit();
        const size_t row_bytes = want.bytes() / static_cast<size_t>(rows);
        const size_t x_row_bytes =
            ByteSize(problem->inputs[0].dtype, static_cast<size_t>(problem->inputs[0].dims.back()));
        for (const RowSpan part : {RowSpan{0, unit}, RowSpan{unit, std::min(5 * unit, rows)},
                                   RowSpan{rows / unit / 2 * unit, rows}, RowSpan{0, rows}}) {
          const RowSpan need = by_rows.Needs(part);
          Buffer x(inputs[0].NumBytes());
          std::memcpy(x.data() + static_cast<size_t>(need.begin) * x_row_bytes,
                      inputs[0].raw() + static_cast<size_t>(need.begin) * x_row_bytes,
                      static_cast<size_t>(need.size()) * x_row_bytes);
          operands[0] = x.data();
          Buffer y_part(want.bytes()), scratch(by_rows.RowScratchBytes(part.size()));
          void* out = y_part.data();
          by_rows.RunRows(operands, {&out, 1}, part, scratch.data());
          const size_t begin = static_cast<size_t>(part.begin) * row_bytes,
                       end = static_cast<size_t>(part.end) * row_bytes;
          EXPECT_EQ(std::memcmp(y_part.data() + begin, want.data() + begin, end - begin), 0)
              << where << ", rows " << part.begin << " to " << part.end;
          for (size_t i = 0; i < want.bytes(); ++i) {
            if (i >= begin && i < end) continue;
            ASSERT_EQ(y_part.data()[i], std::byte{0xff}) << where << ": wrote outside of rows " << part.begin;
          }
        }
      }
    }
  }
  EXPECT_TRUE(Cpu().isa == Isa::kX86_64 || !reached.empty());
  const auto norms = [](std::string_view kernel) { return FindKernel(kernel)->family == "norm"; };
  EXPECT_TRUE(std::any_of(reached.begin(), reached.end(), norms));
}

// The same bits as layer by layer with the same kernels, whatever the threads.
TEST_P(RowKernelTest, BlocksAreTheirLayersOneByOne) {
  for (const NamedNetwork& named : Networks(GetParam())) {
    const Graph& graph = named.network.graph;
    std::map<std::string, Tensor> inputs;
    for (const ValueId id : graph.inputs) inputs.emplace(graph.value(id).name, Input(graph.value(id).type, 3));
    for (size_t choice = 0; choice < 2; ++choice) {
      BlockSpec spec;
      std::map<ValueId, Buffer> values;
      ThreadPool one(1);
      bool all = true;
      for (const NodeId id : graph.NodeIds()) {
        const auto problem = MakeProblem(graph, graph.node(id), 1);
        ASSERT_TRUE(problem.ok());
        const auto kernels = RowKernels(*problem);
        all = all && !kernels.empty();
        if (!all) break;
        const KernelDef* kernel = choice == 0 ? kernels.front() : kernels.back();
        PackCache cache;
        const auto prepared = kernel->prepare(*problem, cache);
        ASSERT_TRUE(prepared.ok());
        std::vector<const void*> operands = ConstantsOf(*problem);
        for (size_t i = 0; i < operands.size(); ++i) {
          const ValueId input = graph.node(id).inputs[i];
          if (input == kNoValue || operands[i] != nullptr) continue;
          const auto made = values.find(input);
          operands[i] = made != values.end() ? made->second.data() : inputs.at(graph.value(input).name).raw();
        }
        values.emplace(graph.node(id).outputs[0], RunAlone(**prepared, *problem, operands, one));
        spec.layers.push_back(graph.value(graph.node(id).outputs[0]).name);
        spec.kernels.emplace_back(kernel->name);
      }
      if (!all) continue;  // this machine has no such kernels for the type
      Graph formed = graph.Clone();
      ASSERT_TRUE(FormBlock(formed, spec)) << named.name;
      ASSERT_EQ(formed.NumNodes(), 1u);
      const Node& block = formed.node(formed.NodeIds()[0]);
      EXPECT_EQ(formed.value(block.outputs[0]).name, named.network.names.back());
      for (const int threads : {1, 2, 3}) {
        const auto problem = MakeProblem(formed, block, threads);
        ASSERT_TRUE(problem.ok()) << problem.status().message();
        const auto candidates = CandidateKernels(*problem, nullptr);
        ASSERT_EQ(candidates.size(), 1u) << named.name;
        PackCache cache;
        const auto prepared = candidates[0]->prepare(*problem, cache);
        ASSERT_TRUE(prepared.ok()) << prepared.status().message();
        std::vector<const void*> operands;
        for (const ValueId id : block.inputs) {
          operands.push_back(id == kNoValue ? nullptr : inputs.at(formed.value(id).name).raw());
        }
        ThreadPool pool(threads);
        Buffer got = RunAlone(**prepared, *problem, operands, pool);
        Buffer& want = values.at(named.network.last);
        EXPECT_EQ(std::memcmp(got.data(), want.data(), want.bytes()), 0) << named.name << ", " << threads << " threads";
      }
    }
  }
  NoteFamilyChecked("block");
}

INSTANTIATE_TEST_SUITE_P(Types, RowKernelTest, ::testing::Values(DType::kFloat32, DType::kBFloat16, DType::kUInt8),
                         [](const auto& info) { return std::string(Name(info.param)); });

std::vector<std::string> AnyKernels(const Graph& graph) {
  std::vector<std::string> kernels;
  for (const NodeId id : graph.NodeIds()) {
    const auto problem = MakeProblem(graph, graph.node(id), 1);
    const auto by_rows = RowKernels(*problem);
    kernels.emplace_back(by_rows.empty() ? "" : by_rows[0]->name);
  }
  return kernels;
}

TEST(FormBlock, LeavesGraphsAloneThatHoldNoSuchChain) {
  Network n(DType::kFloat32, {1, 8, 8, 16}, 1);
  n.Conv(0, 3, 1, "Relu");
  const ValueId between = n.last;
  n.Conv(16, 1, 1, "");
  n.Finish();
  const BlockSpec spec = {{"v0", "v1"}, AnyKernels(n.graph)};
  if (spec.kernels[0].empty() || spec.kernels[1].empty()) GTEST_SKIP() << "no kernels that run by rows here";
  const auto formed = [](const Graph& graph, const BlockSpec& wanted) {
    Graph copy = graph.Clone();
    const bool changed = FormBlock(copy, wanted);
    EXPECT_EQ(copy.NumNodes(), changed ? graph.NumNodes() - wanted.layers.size() + 1 : graph.NumNodes());
    return changed;
  };
  EXPECT_TRUE(formed(n.graph, spec));
  EXPECT_FALSE(formed(n.graph, {{"v1", "v0"}, spec.kernels})) << "not in this order";
  EXPECT_FALSE(formed(n.graph, {{"v0", "other"}, spec.kernels})) << "no such layer";
  EXPECT_FALSE(formed(n.graph, {{"v0", "v1"}, {spec.kernels[0], "no_kernel"}}));
  EXPECT_FALSE(formed(n.graph, {{"v0", "v1"}, {spec.kernels[0]}}));
  EXPECT_FALSE(formed(n.graph, {{"v1"}, {spec.kernels[1]}})) << "one layer is no block";
  Graph output = n.graph.Clone();
  output.outputs.push_back(between);
  EXPECT_FALSE(formed(output, spec)) << "what lies between is an output";
}

// The residual may be written over where nothing else of the block is the same value.
TEST(FormBlock, PutsTheResidualWhereItMayBeWrittenOver) {
  enum class Residual { kOwnInput, kAlone, kOfBothLayers };
  for (const Residual kind : {Residual::kOwnInput, Residual::kAlone, Residual::kOfBothLayers}) {
    Network n(DType::kFloat32, {1, 8, 8, 16}, 1);
    const ValueId x = n.last;
    ValueId residual = x;
    if (kind != Residual::kOwnInput) n.graph.inputs.push_back(residual = n.AddInput("residual", {1, 8, 8, 16}));
    n.Conv(0, 3, 1, "Relu", kind == Residual::kOfBothLayers ? residual : kNoValue);
    n.Conv(16, 1, 1, "", residual);
    n.Finish();
    const BlockSpec spec = {n.names, AnyKernels(n.graph)};
    if (spec.kernels[0].empty() || spec.kernels[1].empty()) GTEST_SKIP() << "no kernels that run by rows here";
    ASSERT_TRUE(FormBlock(n.graph, spec));
    const Node& block = n.graph.node(n.graph.NodeIds()[0]);
    const bool over = (FindKernel(spec.kernels[1])->in_place >> 3 & 1U) != 0;
    EXPECT_EQ(block.input(0), x);
    EXPECT_EQ(block.input(1), kind == Residual::kAlone && over ? residual : kNoValue);
  }
}

}  // namespace
}  // namespace tamis::kernel_test
