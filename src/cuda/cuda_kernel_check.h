// Runs every variant of the kernels of the CUDA backend on a case and compares with the operator's reference. For
// tests; they are skipped where no GPU is found.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "src/base/float16.h"
#include "src/base/hash.h"
#include "src/cuda/device.h"
#include "src/ops/op_def.h"

namespace tamis {

struct CudaCase {
  std::string op, domain;
  std::map<std::string, Attribute> attributes;
  std::vector<Tensor> inputs;  // undefined: omitted
  std::set<size_t> constants;  // inputs that are known when the kernel is prepared
  std::vector<DType> output_dtypes = {};
  bool exact = false;                 // small integers: no rounding anywhere
  bool codes = false;                 // integer results were rounded: some may be the neighbouring code
  double cut = 0;                     // share of the largest result that sums may lose on their way
  Pattern weight = Pattern::kDense;   // what input 1 follows
  std::vector<Tensor> expected = {};  // empty: what the operator's reference gives
};

class CudaRandom {
 public:
  explicit CudaRandom(uint32_t seed) : generator_(seed) {}
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
      } else if (dtype == DType::kBFloat16) {
        tensor.Data<uint16_t>()[i] = FloatToBf16(next());
      } else {
        tensor.Data<float>()[i] = next();
      }
    }
    return tensor;
  }
  std::mt19937 generator_;
};

// In f16 or bf16.
inline Tensor Narrowed(const Tensor& wide, DType dtype) {
  Tensor narrow(dtype, wide.dims());
  std::transform(wide.Data<float>(), wide.Data<float>() + wide.NumElements(), narrow.Data<uint16_t>(),
                 dtype == DType::kFloat16 ? FloatToHalf : FloatToBf16);
  return narrow;
}
inline Tensor Halves(const Tensor& wide) {
  return Narrowed(wide, DType::kFloat16);
}

// The results of `c` by the reference of an operator, which may be another, on operands, which may be others.
inline Result<std::vector<Tensor>> Reference(const CudaCase& c, const std::string& op,
                                             const std::vector<Tensor>& inputs) {
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
  int Check(const CudaCase& c) {
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
      if (i == 1) operand.pattern = c.weight;
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
  static std::string Describe(const CudaCase& c) {
    std::string text = c.op;
    for (const Tensor& input : c.inputs) {
      text += input.Defined() ? " " + std::string(Name(input.dtype())) + ToString(input.dims()) : " -";
    }
    return text;
  }

  Status RunAndCompare(const CudaCase& c, const Problem& problem, const TamisCudaKernel* kernel,
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

  // A number within f32's error of the middle between two codes may become either.
  static Status CompareIntegers(const CudaCase& c, const std::vector<int64_t>& actual,
                                const std::vector<int64_t>& expected, double most_neighbours) {
    size_t neighbours = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      const int64_t difference = std::abs(actual[i] - expected[i]);
      if (difference > (c.codes ? 1 : 0)) {
        return InternalError("element {} of {} is {}, not {}", i, expected.size(), actual[i], expected[i]);
      }
      neighbours += static_cast<size_t>(difference);
    }
    if (static_cast<double>(neighbours) <= 1 + most_neighbours * static_cast<double>(expected.size())) return {};
    return InternalError("{} of {} codes are next to the right ones", neighbours, expected.size());
  }

  static Status Compare(const CudaCase& c, const Tensor& actual, const Tensor& expected, const std::string& name) {
    const bool library = name == "linear_cublaslt" || name == "float8_cublaslt" || name == "conv_cudnn";
    // Their GELU is x / 2 * (1 + t), where t is off by 2^-10.9 of itself until it is 1, from 6 on, and the polynomial
    // inside by 2.5e-5 of the result.
    const auto activation = c.attributes.find("activation");
    const std::string kind = activation != c.attributes.end() ? std::get<std::string>(activation->second) : "";
    const bool by_tanh = name.find("_wgmma") != std::string::npos && (kind == "Gelu" || kind == "Silu");
    if (IsFloat(expected.dtype()) && BitSize(expected.dtype()) <= 8) {  // codes
      const bool same = std::equal(actual.raw(), actual.raw() + actual.NumBytes(), expected.raw());
      return same ? Status() : InternalError("some codes of {} are others", Name(expected.dtype()));
    }
    if (!IsFloat(expected.dtype())) {
      // The activation's error of 2e-3 is a tenth of the distance of codes in the tests.
      return CompareIntegers(c, actual.ToInt64s(), expected.ToInt64s(), by_tanh ? 0.2 : 0.005);
    }
    const Tensor a = actual.ToFloat32(), e = expected.ToFloat32();
    double magnitude = 0;
    for (int64_t i = 0; i < e.NumElements(); ++i) {
      if (std::isfinite(e.Data<float>()[i])) {
        magnitude = std::max(magnitude, std::abs(static_cast<double>(e.Data<float>()[i])));
      }
    }
    // One rounding of the result, which f16 may round from a neighbouring f32, and sums in f32 whose error is a few
    // units in the last place of the largest terms. The weights of attention are as its operands.
    const bool f16 = expected.dtype() == DType::kFloat16, half = f16 || expected.dtype() == DType::kBFloat16;
    // Of one rounding to 16 bits; tf32 has f16's mantissa, and keys and values are cut off instead of rounded.
    const double unit = f16 ? 0x1p-11 : half ? 0x1p-8 : 0x1p-10;
    // Softmax's reference in 16 bits rounds its exponentials too.
    const double relative = half ? (c.op.find("Softmax") != std::string::npos ? 4 : 2) * unit : 0x1p-18;
    // LinearNorm's sums may be rounded before their norm.
    const bool attention = c.op.find("Attention") != std::string::npos || c.op == "LinearNorm";
    // The libraries round the bias, and the product before our part of the epilogue, to the type of the result; some of
    // cuDNN's convolutions of f32 transform their operands (Winograd's). tf32 is f32 of f16's mantissa.
    const double f32_share = c.attributes.count("tf32") != 0 ? 2 * 0x1p-11 : name == "conv_cudnn" ? 0x1p-14 : 0x1p-18;
    const double share = attention ? 4 * unit : library && half ? 2 * unit : f32_share;
    const double absolute = magnitude * (share + c.cut) + (f16 ? 0x1p-24 : 0) + (by_tanh ? 3e-5 + 3 * 0x1.1p-11 : 0);
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

inline constexpr auto kBrain = static_cast<int64_t>(DType::kBFloat16);
inline constexpr auto kHalf = static_cast<int64_t>(DType::kFloat16);
inline constexpr auto kFull = static_cast<int64_t>(DType::kFloat32);

}  // namespace tamis
