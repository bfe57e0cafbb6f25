// Every kernel of the CUDA backend against the operators' references. Skipped where no GPU is found.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "src/base/float16.h"
#include "src/base/hash.h"
#include "src/cuda/device.h"
#include "src/ops/op_def.h"

namespace tamis {
namespace {

struct Case {
  std::string op, domain;
  std::map<std::string, Attribute> attributes;
  std::vector<Tensor> inputs;  // undefined: omitted
  std::set<size_t> constants;  // inputs that are known when the kernel is prepared
  std::vector<DType> output_dtypes = {};
  bool exact = false;                 // small integers: no rounding anywhere
  std::vector<Tensor> expected = {};  // empty: what the operator's reference gives
};

class Random {
 public:
  explicit Random(uint32_t seed) : generator_(seed) {}
  Tensor Floats(DType dtype, Dims dims, float scale = 1) {
    std::normal_distribution<float> normal(0, scale);
    return Make(dtype, std::move(dims), [&] { return normal(generator_); });
  }
  Tensor Integers(DType dtype, Dims dims, int most) {
    std::uniform_int_distribution<int> uniform(-most, most);
    return Make(dtype, std::move(dims), [&] { return static_cast<float>(uniform(generator_)); });
  }

 private:
  template <class F>
  Tensor Make(DType dtype, Dims dims, F&& next) {
    Tensor tensor(dtype, std::move(dims));
    for (int64_t i = 0; i < tensor.NumElements(); ++i) {
      if (dtype == DType::kFloat16) {
        tensor.Data<uint16_t>()[i] = FloatToHalf(next());
      } else {
        tensor.Data<float>()[i] = next();
      }
    }
    return tensor;
  }
  std::mt19937 generator_;
};

Tensor Halves(const Tensor& wide) {
  Tensor half(DType::kFloat16, wide.dims());
  for (int64_t i = 0; i < wide.NumElements(); ++i) half.Data<uint16_t>()[i] = FloatToHalf(wide.Data<float>()[i]);
  return half;
}

// The results of `c` by the reference of an operator, which may be another, on operands, which may be others.
Result<std::vector<Tensor>> Reference(const Case& c, const std::string& op, const std::vector<Tensor>& inputs) {
  Node node;
  node.op = op;
  node.domain = c.domain;
  node.attributes = c.attributes;
  std::vector<const Tensor*> operands;
  for (const Tensor& input : inputs) {
    operands.push_back(input.Defined() ? &input : nullptr);
    node.inputs.push_back(input.Defined() ? static_cast<ValueId>(operands.size()) : kNoValue);
  }
  for (size_t i = 0; i < std::max<size_t>(c.output_dtypes.size(), 1); ++i) {
    node.outputs.push_back(static_cast<ValueId>(100 + i));
  }
  return EvaluateNode(node, 21, operands, c.output_dtypes);
}

class CudaKernels : public testing::Test {
 protected:
  void SetUp() override {
    auto device = CudaDevice::Open(0);
    if (!device.ok()) GTEST_SKIP() << device.status().message();
    device_ = std::move(device).value();
  }

  // Runs every variant of every kernel on the case. Returns how many there were.
  int Check(const Case& c) {
    Node node;
    node.op = c.op;
    node.domain = c.domain;
    node.attributes = c.attributes;
    for (size_t i = 0; i < c.inputs.size(); ++i) {
      node.inputs.push_back(c.inputs[i].Defined() ? static_cast<ValueId>(i + 1) : kNoValue);
    }
    const size_t outputs = std::max<size_t>(c.output_dtypes.size(), 1);
    for (size_t i = 0; i < outputs; ++i) node.outputs.push_back(static_cast<ValueId>(100 + i));
    Result<std::vector<Tensor>> expected(c.expected);
    if (c.expected.empty()) expected = Reference(c, c.op, c.inputs);
    EXPECT_TRUE(expected.ok()) << c.op << ": " << expected.status().message();
    if (!expected.ok()) return 0;

    Problem problem;
    problem.node = &node;
    for (size_t i = 0; i < c.inputs.size(); ++i) {
      Operand operand;
      operand.dtype = c.inputs[i].dtype();
      operand.dims = c.inputs[i].dims();
      if (c.inputs[i].Defined() && c.constants.count(i) != 0) {
        operand.constant = &c.inputs[i];
        operand.constant_hash = HashTensor(c.inputs[i]);
      }
      problem.inputs.push_back(operand);
    }
    for (const Tensor& output : *expected) {
      Operand operand;
      operand.dtype = output.dtype();
      operand.dims = output.dims();
      problem.outputs.push_back(operand);
    }
    auto candidates = device_->Candidates(problem);
    EXPECT_TRUE(candidates.ok()) << candidates.status().message();
    if (!candidates.ok()) return 0;
    int tried = 0;
    for (const CudaCandidate& candidate : *candidates) {
      for (int v = 0; v < candidate.variants; ++v) {
        SCOPED_TRACE(Describe(c) + " by " + candidate.Variant(v));
        auto kernel = device_->Prepare(problem, candidate.Variant(v));
        if (!kernel.ok()) {
          // A library may have fewer engines than there are variants, but the first of ours must be there.
          EXPECT_TRUE(v > 0 || candidate.kernel == "conv_cudnn") << kernel.status().message();
          continue;
        }
        ++tried;
        const Status status = RunAndCompare(c, problem, kernel->get(), *expected, candidate.kernel);
        EXPECT_TRUE(status.ok()) << status.message();
        if (!status.ok()) return tried;
      }
    }
    return tried;
  }

  std::shared_ptr<CudaDevice> device_;

 private:
  static std::string Describe(const Case& c) {
    std::string text = c.op;
    for (const Tensor& input : c.inputs) {
      text += input.Defined() ? " " + std::string(Name(input.dtype())) + ToString(input.dims()) : " -";
    }
    return text;
  }

  Status RunAndCompare(const Case& c, const Problem& problem, const TamisCudaKernel* kernel,
                       const std::vector<Tensor>& expected, const std::string& name) {
    const TamisCudaApi& api = device_->api();
    TAMIS_ASSIGN_OR_RETURN(const CudaStream stream, device_->MakeStream());
    const TamisCudaKernelFacts facts = device_->Describe(kernel);
    std::vector<CudaMemory> memory;
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    for (size_t i = 0; i < c.inputs.size(); ++i) {
      if (!c.inputs[i].Defined() || (facts.packed_inputs >> i & 1) != 0) {
        inputs.push_back(nullptr);
        continue;
      }
      TAMIS_ASSIGN_OR_RETURN(CudaMemory block, CudaMemory::OnDevice(device_, c.inputs[i].NumBytes() + 256));
      TAMIS_RETURN_IF_ERROR(CallCuda(api.copy, stream.get(), static_cast<void*>(block.data()),
                                     static_cast<const void*>(c.inputs[i].raw()),
                                     static_cast<uint64_t>(c.inputs[i].NumBytes()), int32_t{TAMIS_CUDA_TO_DEVICE}));
      inputs.push_back(block.data());
      memory.push_back(std::move(block));
    }
    constexpr size_t kGuard = 256;  // bytes on both sides of a result, which must stay as they are
    for (const Operand& output : problem.outputs) {
      const size_t bytes = ByteSize(output.dtype, static_cast<size_t>(NumElements(output.dims)));
      TAMIS_ASSIGN_OR_RETURN(CudaMemory block, CudaMemory::OnDevice(device_, bytes + 2 * kGuard));
      TAMIS_RETURN_IF_ERROR(CallCuda(api.fill, stream.get(), static_cast<void*>(block.data()), int32_t{255},
                                     static_cast<uint64_t>(block.bytes())));
      outputs.push_back(block.data() + kGuard);
      memory.push_back(std::move(block));
    }
    TAMIS_ASSIGN_OR_RETURN(const CudaMemory workspace, CudaMemory::OnDevice(device_, facts.workspace_bytes + 256));
    TAMIS_RETURN_IF_ERROR(CallCuda(api.enqueue, kernel, stream.get(), static_cast<const void* const*>(inputs.data()),
                                   static_cast<void* const*>(outputs.data()), static_cast<void*>(workspace.data())));
    TAMIS_RETURN_IF_ERROR(CallCuda(api.synchronize, stream.get()));
    for (size_t i = 0; i < outputs.size(); ++i) {
      std::vector<uint8_t> bytes(expected[i].NumBytes() + 2 * kGuard);
      TAMIS_RETURN_IF_ERROR(CallCuda(api.copy, stream.get(), static_cast<void*>(bytes.data()),
                                     static_cast<const void*>(static_cast<std::byte*>(outputs[i]) - kGuard),
                                     static_cast<uint64_t>(bytes.size()), int32_t{TAMIS_CUDA_TO_HOST}));
      TAMIS_RETURN_IF_ERROR(CallCuda(api.synchronize, stream.get()));
      for (size_t g = 0; g < kGuard; ++g) {
        if (bytes[g] != 255 || bytes[bytes.size() - 1 - g] != 255) return InternalError("wrote outside of the result");
      }
      Tensor actual(expected[i].dtype(), expected[i].dims());
      std::copy_n(bytes.data() + kGuard, actual.NumBytes(), reinterpret_cast<uint8_t*>(actual.raw()));
      TAMIS_RETURN_IF_ERROR(Compare(c, actual, expected[i], name));
    }
    return {};
  }

  static Status Compare(const Case& c, const Tensor& actual, const Tensor& expected, const std::string& name) {
    const bool library = name == "linear_cublaslt" || name == "conv_cudnn";
    // Its GELU is x / 2 * (1 + t), where t is off by 2^-10.9 of itself until it is 1, from 6 on, and the polynomial
    // inside by 2.5e-5 of the result.
    const auto activation = c.attributes.find("activation");
    const bool by_tanh = name.find("_wgmma") != std::string::npos && activation != c.attributes.end() &&
                         std::get<std::string>(activation->second) == "Gelu";
    if (!IsFloat(expected.dtype())) {
      const bool same = actual.ToInt64s() == expected.ToInt64s();
      return same ? Status() : InternalError("integers differ");
    }
    const Tensor a = actual.ToFloat32(), e = expected.ToFloat32();
    double magnitude = 0;
    for (int64_t i = 0; i < e.NumElements(); ++i) {
      if (std::isfinite(e.Data<float>()[i])) {
        magnitude = std::max(magnitude, std::abs(static_cast<double>(e.Data<float>()[i])));
      }
    }
    // One rounding of the result, which f16 may round from a neighbouring f32, and sums in f32 whose error is a few
    // units in the last place of the largest terms. The weights of attention are f16.
    const bool half = expected.dtype() == DType::kFloat16;
    // Softmax's reference in f16 rounds its exponentials too.
    const double relative = half ? (c.op.find("Softmax") != std::string::npos ? 0x1p-9 : 0x1p-10) : 0x1p-18;
    // LinearNorm's sums may be rounded before their norm.
    const bool attention = c.op.find("Attention") != std::string::npos || c.op == "LinearNorm";
    // The libraries round the bias, and the product before our part of the epilogue, to the type of the result.
    const double share = attention ? 0x1p-9 : library && half ? 0x1p-10 : 0x1p-18;
    const double absolute = magnitude * share + (half ? 0x1p-24 : 0) + (by_tanh ? 3e-5 + 3 * 0x1.1p-11 : 0);
    for (int64_t i = 0; i < e.NumElements(); ++i) {
      const auto x = static_cast<double>(a.Data<float>()[i]), y = static_cast<double>(e.Data<float>()[i]);
      if (std::isnan(x) && std::isnan(y)) continue;
      if (x == y) continue;
      if (c.exact || !(std::abs(x - y) <= relative * std::abs(y) + absolute)) {
        return InternalError("element {} of {} is {}, not {}", i, e.NumElements(), x, y);
      }
    }
    return {};
  }
};

constexpr auto kHalf = static_cast<int64_t>(DType::kFloat16);
constexpr auto kFull = static_cast<int64_t>(DType::kFloat32);

// The operators' own cases, with float operands in f32 and in f16 (biases of products and masks stay f32).
TEST_F(CudaKernels, TheOperatorsOwnCases) {
  std::map<std::string, int> runs;
  for (const OpDef* op : AllOps()) {
    if (op->test_cases == nullptr) continue;
    for (const OpTestCase& own : op->test_cases()) {
      for (const bool half : {false, true}) {
        Case c;
        c.op = op->name;
        c.domain = op->domain;
        c.attributes = own.attributes;
        const bool product = c.op == "Linear" || c.op == "ChannelsLastConv";
        bool any = false;
        for (size_t i = 0; i < own.inputs.size(); ++i) {
          const Tensor& input = own.inputs[i];
          const bool narrow =
              half && input.dtype() == DType::kFloat32 && !(product && i == 2) && !(c.op == "Attention" && i == 3);
          any = any || narrow;
          c.inputs.push_back(narrow ? Halves(input) : input);
          const bool steers = i > 0 && (product || c.op == "Clip" || !IsFloat(input.dtype()));
          if (input.Defined() && steers && c.op != "Gather") c.constants.insert(i);
        }
        if (half && !any) continue;
        if (half && c.domain == kTamisDomain) c.attributes["output_dtype"] = kHalf;
        if (c.op == "Split" || c.op == "Cast") continue;           // below
        if (half && !Reference(c, c.op, c.inputs).ok()) continue;  // not every operator knows f16
        runs[c.op] += Check(c);
        if (HasFailure()) return;
      }
    }
  }
  std::string text;
  for (const auto& [name, count] : runs) {
    if (count > 0) text += " " + name + ":" + std::to_string(count);
  }
  std::printf("runs of kernels by operator:%s\n", text.c_str());
  for (const char* name : {"Linear", "ChannelsLastConv", "Attention", "LayerNormalization", "Softmax", "Add", "Gelu",
                           "Transpose", "Gather", "ChannelsLastMaxPool", "ChannelsLastGlobalAveragePool", "Concat"}) {
    EXPECT_GT(runs[name], 0) << name;
  }
}

TEST_F(CudaKernels, Products) {
  Random random(2025);
  struct Shape {
    int64_t rows, outputs, depth;
  };
  int tried = 0;
  for (const Shape& s : {Shape{1, 1000, 2048},
                         {128, 768, 3072},
                         {128, 2304, 768},
                         {77, 200, 136},
                         {300, 72, 8},
                         {4096, 768, 768},
                         {49, 2048, 512},
                         {130, 130, 264}}) {
    for (const char* activation : {"", "Relu", "Gelu"}) {
      for (const bool residual : {false, true}) {
        for (const int64_t out : {kHalf, kFull}) {
          if (s.rows * s.outputs > 200000 && residual != (out == kHalf)) continue;  // the references take seconds
          Case c;
          c.op = "Linear";
          c.domain = kTamisDomain;
          c.attributes = {{"activation", std::string(activation)}, {"output_dtype", out}};
          const float scale = 1 / std::sqrt(static_cast<float>(s.depth));
          c.inputs = {random.Floats(DType::kFloat16, {s.rows, s.depth}),
                      random.Floats(DType::kFloat16, {s.outputs, s.depth}, scale),
                      random.Floats(DType::kFloat32, {s.outputs})};
          if (residual) c.inputs.push_back(random.Floats(static_cast<DType>(out), {s.rows, s.outputs}));
          c.constants = {1, 2};
          c.output_dtypes = {static_cast<DType>(out)};
          tried += Check(c);
          ASSERT_FALSE(HasFailure());
        }
      }
    }
  }
  Case exact;
  exact.op = "Linear";
  exact.domain = kTamisDomain;
  exact.attributes = {{"output_dtype", kHalf}};
  exact.inputs = {random.Integers(DType::kFloat16, {70, 192}, 2), random.Integers(DType::kFloat16, {96, 192}, 2)};
  exact.constants = {1};
  exact.output_dtypes = {DType::kFloat16};
  exact.exact = true;
  tried += Check(exact);
  std::printf("%d runs\n", tried);
}

TEST_F(CudaKernels, Convolutions) {
  Random random(2026);
  struct Shape {
    int64_t batch, height, width, channels, outputs, kernel, stride, pad, dilation, group;
  };
  int tried = 0;
  for (const Shape& s : {Shape{1, 56, 56, 64, 64, 3, 1, 1, 1, 1},
                         {2, 28, 28, 128, 128, 3, 2, 1, 1, 1},
                         {1, 7, 7, 512, 512, 3, 1, 1, 1, 1},
                         {2, 33, 29, 3, 64, 7, 2, 3, 1, 1},
                         {1, 28, 28, 256, 512, 1, 2, 0, 1, 1},
                         {3, 14, 14, 256, 1024, 1, 1, 0, 1, 1},
                         {2, 15, 17, 16, 24, 3, 1, 2, 2, 1},
                         {2, 20, 19, 96, 96, 3, 2, 1, 1, 96},
                         {1, 9, 9, 40, 40, 5, 1, 2, 1, 40}}) {
    for (const char* activation : {"", "Relu", "Clip"}) {
      for (const bool residual : {false, true}) {
        if (residual != (std::string(activation) == "Relu")) continue;  // the references take seconds
        const int64_t taken = (s.kernel - 1) * s.dilation + 1;
        const int64_t out_h = (s.height + 2 * s.pad - taken) / s.stride + 1;
        const int64_t out_w = (s.width + 2 * s.pad - taken) / s.stride + 1;
        Case c;
        c.op = "ChannelsLastConv";
        c.domain = kTamisDomain;
        c.attributes = {{"activation", std::string(activation)},     {"output_dtype", kHalf},
                        {"strides", Dims{s.stride, s.stride}},       {"pads", Dims(4, s.pad)},
                        {"dilations", Dims{s.dilation, s.dilation}}, {"group", s.group}};
        if (std::string(activation) == "Clip") {
          c.attributes["clip_min"] = 0.0f;
          c.attributes["clip_max"] = 1.0f;
        }
        const int64_t depth = s.kernel * s.kernel * s.channels / s.group;
        const float scale = 1 / std::sqrt(static_cast<float>(depth));
        c.inputs = {random.Floats(DType::kFloat16, {s.batch, s.height, s.width, s.channels}),
                    random.Floats(DType::kFloat16, {s.outputs, s.kernel, s.kernel, s.channels / s.group}, scale),
                    random.Floats(DType::kFloat32, {s.outputs})};
        if (residual) c.inputs.push_back(random.Floats(DType::kFloat16, {s.batch, out_h, out_w, s.outputs}));
        c.constants = {1, 2};
        c.output_dtypes = {DType::kFloat16};
        tried += Check(c);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
  std::printf("%d runs\n", tried);
}

TEST_F(CudaKernels, Attention) {
  Random random(2027);
  struct Shape {
    int64_t batch, heads, kv_heads, queries, keys, depth;
    Dims mask;
    int64_t causal = 0, causal_offset = 0;
    bool apart = false;  // [batch, heads, rows, depth]
  };
  int tried = 0;
  for (const Shape& s : {Shape{1, 12, 12, 128, 128, 64, {1, 1, 1, 128}}, Shape{2, 3, 3, 77, 200, 64, {}},
                         Shape{2, 2, 2, 50, 33, 32, {2, 1, 1, 33}}, Shape{1, 2, 2, 130, 65, 128, {130, 65}},
                         Shape{2, 4, 4, 150, 150, 64, {}, 1}, Shape{1, 6, 2, 70, 200, 64, {}, 1, 130},
                         Shape{2, 4, 1, 40, 90, 32, {2, 1, 40, 90}, 1, 50, true}, Shape{1, 8, 4, 33, 130, 128, {}},
                         Shape{1, 2, 2, 90, 40, 64, {}, 1, -20}}) {
    for (const bool zero_masked : {false, true}) {
      Case c;
      c.op = "Attention";
      c.domain = kTamisDomain;
      c.attributes = {{"num_heads", s.heads},
                      {"kv_heads", s.kv_heads},
                      {"causal", s.causal},
                      {"causal_offset", s.causal_offset},
                      {"zero_masked", int64_t{zero_masked}},
                      {"scale", 1 / std::sqrt(static_cast<float>(s.depth))},
                      {"output_dtype", kHalf}};
      const auto rows = [&](int64_t heads, int64_t count) {
        return random.Floats(DType::kFloat16,
                             s.apart ? Dims{s.batch, heads, count, s.depth} : Dims{s.batch, count, heads * s.depth});
      };
      c.inputs = {rows(s.heads, s.queries), rows(s.kv_heads, s.keys), rows(s.kv_heads, s.keys)};
      if (!s.mask.empty()) {
        c.inputs.push_back(random.Floats(DType::kFloat32, s.mask, 3));
        // Some keys are closed; with them all of the first step, where the running maximum is still -infinity.
        float* mask = c.inputs.back().Data<float>();
        for (int64_t i = 0; i < std::min<int64_t>(64, s.mask.back() - 1); ++i) {
          mask[i] = -std::numeric_limits<float>::infinity();
        }
      }
      c.output_dtypes = {DType::kFloat16};
      tried += Check(c);
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_GE(tried, 18 * 3);
  std::printf("%d runs\n", tried);
}

// What FuseForCuda makes.
TEST_F(CudaKernels, PackedAttention) {
  Random random(2030);
  for (const int64_t depth : {32, 64, 128}) {
    constexpr int64_t kBatch = 2, kRows = 70, kHeads = 3;
    const int64_t width = kHeads * depth;
    Case c;
    c.op = "PackedAttention";
    c.domain = kTamisDomain;
    c.attributes = {{"num_heads", kHeads}, {"scale", 0.2f}, {"output_dtype", kHalf}};
    c.inputs = {random.Floats(DType::kFloat16, {kBatch, kRows, 3 * width}),
                random.Floats(DType::kFloat32, {kBatch, 1, 1, kRows})};
    c.output_dtypes = {DType::kFloat16};
    std::vector<Tensor> parts;
    for (int64_t part = 0; part < 3; ++part) {
      parts.emplace_back(DType::kFloat16, Dims{kBatch, kRows, width});
      for (int64_t i = 0; i < parts.back().NumElements(); ++i) {
        parts.back().Data<uint16_t>()[i] =
            c.inputs[0].Data<uint16_t>()[i / width * 3 * width + part * width + i % width];
      }
    }
    parts.push_back(c.inputs[1]);
    c.expected = Reference(c, "Attention", parts).value();
    EXPECT_GT(Check(c), 0);
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(CudaKernels, LinearNorm) {
  Random random(2032);
  struct Shape {
    int64_t rows, outputs, depth;
    bool residual, bias;
  };
  int tried = 0;
  for (const Shape& s :
       {Shape{128, 768, 768, true, true}, Shape{77, 768, 3072, true, true}, Shape{1, 1024, 256, false, true},
        Shape{300, 256, 136, true, false}, Shape{130, 384, 64, false, false}, Shape{40, 72, 40, true, true}}) {
    Case c;
    c.op = "LinearNorm";
    c.domain = kTamisDomain;
    c.attributes = {{"output_dtype", kHalf}, {"epsilon", 1e-5f}};
    const float scale = 1 / std::sqrt(static_cast<float>(s.depth));
    c.inputs = {random.Floats(DType::kFloat16, {s.rows, s.depth}),
                random.Floats(DType::kFloat16, {s.outputs, s.depth}, scale),
                s.bias ? random.Floats(DType::kFloat32, {s.outputs}) : Tensor(),
                s.residual ? random.Floats(DType::kFloat16, {s.rows, s.outputs}) : Tensor(),
                random.Floats(DType::kFloat16, {s.outputs}),
                random.Floats(DType::kFloat16, {s.outputs})};
    c.constants = {1, 2, 4, 5};
    c.output_dtypes = {DType::kFloat16};
    Case linear;
    linear.domain = kTamisDomain;
    linear.attributes = {{"output_dtype", kFull}};
    linear.output_dtypes = {DType::kFloat32};
    const auto sums = Reference(linear, "Linear", {c.inputs.begin(), c.inputs.begin() + 4});
    ASSERT_TRUE(sums.ok()) << sums.status().message();
    Case norm;
    norm.attributes = {{"axis", int64_t{-1}}, {"epsilon", 1e-5f}};
    norm.output_dtypes = {DType::kFloat32};
    const auto expected =
        Reference(norm, "LayerNormalization", {(*sums)[0], c.inputs[4].ToFloat32(), c.inputs[5].ToFloat32()});
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    c.expected = {Halves((*expected)[0])};
    tried += Check(c);
    ASSERT_FALSE(HasFailure());
  }
  std::printf("%d runs\n", tried);
}

TEST_F(CudaKernels, EmbeddingNorm) {
  Random random(2033);
  for (const int64_t columns : {8, 72, 768, 2048}) {
    for (const DType dtype : {DType::kFloat16, DType::kFloat32}) {
      constexpr int64_t kBatch = 3, kRows = 50, kTable = 17;
      Case c;
      c.op = "EmbeddingNorm";
      c.domain = kTamisDomain;
      c.attributes = {{"epsilon", 1e-5f}};
      std::vector<int64_t> indices;
      for (int64_t i = 0; i < kBatch * kRows; ++i) indices.push_back(i * 7 % (2 * kTable) - kTable);
      c.inputs = {random.Floats(DType::kFloat32, {kTable, columns}), Tensor::Int64s(indices).Reshaped({kBatch, kRows}),
                  random.Floats(DType::kFloat32, {kRows, columns}), random.Floats(DType::kFloat32, {columns}),
                  random.Floats(DType::kFloat32, {columns})};
      c.constants = {0, 2, 3, 4};
      c.output_dtypes = {dtype};
      Tensor rows(DType::kFloat32, {kBatch, kRows, columns});
      for (int64_t i = 0; i < rows.NumElements(); ++i) {
        const int64_t index = (indices[static_cast<size_t>(i / columns)] + kTable) % kTable;
        rows.Data<float>()[i] =
            c.inputs[0].Data<float>()[index * columns + i % columns] + c.inputs[2].Data<float>()[i % (kRows * columns)];
      }
      Case norm;
      norm.attributes = {{"axis", int64_t{-1}}, {"epsilon", 1e-5f}};
      norm.output_dtypes = {DType::kFloat32};
      const auto expected = Reference(norm, "LayerNormalization", {rows, c.inputs[3], c.inputs[4]});
      ASSERT_TRUE(expected.ok()) << expected.status().message();
      c.expected = {dtype == DType::kFloat16 ? Halves((*expected)[0]) : (*expected)[0]};
      EXPECT_EQ(Check(c), 1);
      ASSERT_FALSE(HasFailure());
    }
  }
}

TEST_F(CudaKernels, ChannelsFirstConv) {
  Random random(2031);
  struct Shape {
    int64_t batch, channels, height, width, outputs, kernel, stride, pad;
  };
  for (const Shape& s :
       {Shape{2, 3, 33, 29, 64, 7, 2, 3}, Shape{1, 3, 40, 40, 24, 3, 1, 1}, Shape{2, 1, 9, 9, 16, 5, 1, 0},
        Shape{1, 4, 32, 32, 96, 4, 4, 0}, Shape{2, 3, 64, 48, 72, 16, 16, 0}, Shape{3, 3, 30, 31, 32, 3, 2, 1}}) {
    Case c;
    c.op = "ChannelsFirstConv";
    c.domain = kTamisDomain;
    c.attributes = {{"activation", std::string("Relu")},
                    {"output_dtype", kHalf},
                    {"strides", Dims{s.stride, s.stride}},
                    {"pads", Dims(4, s.pad)},
                    {"dilations", Dims{1, 1}},
                    {"group", int64_t{1}}};
    const float scale = 1 / std::sqrt(static_cast<float>(s.kernel * s.kernel * s.channels));
    c.inputs = {random.Floats(DType::kFloat32, {s.batch, s.channels, s.height, s.width}),
                random.Floats(DType::kFloat16, {s.outputs, s.kernel, s.kernel, s.channels}, scale),
                random.Floats(DType::kFloat32, {s.outputs})};
    c.constants = {1, 2};
    c.output_dtypes = {DType::kFloat16};
    Tensor last(DType::kFloat32, {s.batch, s.height, s.width, s.channels});
    const int64_t pixels = s.height * s.width;
    for (int64_t i = 0; i < last.NumElements(); ++i) {
      const int64_t channel = i % s.channels, pixel = i / s.channels % pixels, b = i / s.channels / pixels;
      last.Data<float>()[i] = c.inputs[0].Data<float>()[(b * s.channels + channel) * pixels + pixel];
    }
    c.expected = Reference(c, "ChannelsLastConv", {Halves(last), c.inputs[1], c.inputs[2]}).value();
    EXPECT_GT(Check(c), 0);
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(CudaKernels, NormsOfManyWidths) {
  Random random(2028);
  for (const int64_t columns : {8, 768, 1024, 1536, 2048, 4096, 77}) {
    for (const DType dtype : {DType::kFloat16, DType::kFloat32}) {
      for (const int64_t rows : {3, 1200}) {
        Case c;
        c.op = "LayerNormalization";
        c.inputs = {random.Floats(dtype, {rows, columns}, 2), random.Floats(dtype, {columns}),
                    random.Floats(dtype, {columns})};
        c.attributes = {{"axis", int64_t{-1}}};
        c.output_dtypes = {dtype};
        EXPECT_EQ(Check(c), 1);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

TEST_F(CudaKernels, CastsAndSplits) {
  Random random(2029);
  for (const DType from : {DType::kFloat32, DType::kFloat16, DType::kInt64, DType::kInt32, DType::kBool}) {
    for (const DType to : {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kInt64, DType::kInt32,
                           DType::kInt8, DType::kUInt8, DType::kBool}) {
      Case c;
      c.op = "Cast";
      c.attributes = {{"to", static_cast<int64_t>(to)}};
      Tensor x = random.Integers(DType::kFloat32, {5, 16}, 100);
      if (from == DType::kFloat16) x = Halves(x);
      if (!IsFloat(from)) {
        x = Tensor(from, {5, 16});
        for (int64_t i = 0; i < 80; ++i) x.raw()[static_cast<size_t>(i) * ByteSize(from, 1)] = std::byte(i % 2);
      }
      const bool negative_to_unsigned = IsFloat(from) && to == DType::kUInt8;  // ONNX leaves it open
      if (negative_to_unsigned) continue;
      c.inputs = {x};
      c.output_dtypes = {to};
      c.exact = true;
      EXPECT_EQ(Check(c), 1);
      ASSERT_FALSE(HasFailure());
    }
  }
  Case split;
  split.op = "Split";
  split.attributes = {{"axis", int64_t{1}}};
  split.inputs = {random.Floats(DType::kFloat16, {3, 9, 5}), Tensor::Int64s(std::vector<int64_t>{2, 4, 3})};
  split.constants = {1};
  split.output_dtypes = {DType::kFloat16, DType::kFloat16, DType::kFloat16};
  split.exact = true;
  EXPECT_EQ(Check(split), 1);
}

TEST_F(CudaKernels, AProblemThatNobodyTakesHasReasons) {
  Node node;
  node.op = "Linear";
  node.domain = kTamisDomain;
  node.inputs = {0, 1};
  node.outputs = {2};
  Problem problem;
  problem.node = &node;
  problem.inputs.resize(2);
  problem.inputs[0].dtype = problem.inputs[1].dtype = DType::kFloat32;
  problem.inputs[0].dims = problem.inputs[1].dims = {4, 8};
  problem.outputs.resize(1);
  problem.outputs[0].dtype = DType::kFloat32;
  problem.outputs[0].dims = {4, 4};
  const auto candidates = device_->Candidates(problem);
  ASSERT_TRUE(candidates.ok());
  ASSERT_FALSE(candidates->empty());
  for (const CudaCandidate& candidate : *candidates) {
    EXPECT_EQ(candidate.variants, 0);
    EXPECT_FALSE(candidate.reason.empty());
  }
}

}  // namespace
}  // namespace tamis
