// A Linear or ChannelsLastConv with its operands, for tests and benchmarks of kernels: owns what a Problem points to.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "src/base/float16.h"
#include "src/base/hash.h"
#include "src/kernels/kernel.h"

namespace tamis {

struct KernelCase {
  Node node;
  std::vector<Tensor> inputs;  // x, weight, bias, residual; undefined where omitted
  Tensor output;
  Problem problem;
  PackCache cache;

  KernelCase(std::string op, std::map<std::string, Attribute> attributes, std::vector<Tensor> case_inputs, DType out,
             Dims out_dims, Pattern pattern, int threads)
      : inputs(std::move(case_inputs)), output(out, std::move(out_dims)) {
    node.op = std::move(op);
    node.attributes = std::move(attributes);
    node.domain = std::string(kTamisDomain);
    if (IsFloat(out)) node.attributes["output_dtype"] = static_cast<int64_t>(out);
    for (size_t i = 0; i < inputs.size(); ++i) {
      node.inputs.push_back(inputs[i].Defined() ? static_cast<ValueId>(i) : kNoValue);
      Operand& operand = problem.inputs.emplace_back();
      if (!inputs[i].Defined()) continue;
      operand.dtype = inputs[i].dtype();
      operand.dims = inputs[i].dims();
    }
    Operand& weight = problem.inputs[1];
    weight.constant = &inputs[1];
    weight.constant_hash = HashTensor(inputs[1]);
    weight.pattern = pattern;
    problem.outputs.push_back({output.dtype(), output.dims()});
    problem.node = &node;
    problem.threads = threads;
  }
  void SetConstant(size_t input) {
    problem.inputs[input].constant = &inputs[input];
    problem.inputs[input].constant_hash = HashTensor(inputs[input]);
  }
  KernelCase(const KernelCase&) = delete;
  KernelCase& operator=(const KernelCase&) = delete;

  void Run(const PreparedKernel& kernel, Tensor& workspace, ThreadPool& pool) {
    std::vector<const void*> in;
    for (const Tensor& input : inputs) in.push_back(input.Defined() ? input.raw() : nullptr);
    void* out = output.raw();
    kernel.Run(in, {&out, 1}, workspace.raw(), pool);
  }
  // Whether the kernel may write y over the residual, and this case has one that it fits.
  bool RunsOverResidual(const KernelDef& kernel) const {
    return (kernel.in_place >> 3 & 1U) != 0 && inputs.size() > 3 && inputs[3].Defined() &&
           inputs[3].dtype() == output.dtype();
  }
  void RunOverResidual(const PreparedKernel& kernel, Tensor& workspace, ThreadPool& pool) {
    std::memcpy(output.raw(), inputs[3].raw(), output.NumBytes());
    std::vector<const void*> in;
    for (const Tensor& input : inputs) in.push_back(input.Defined() ? input.raw() : nullptr);
    in[3] = output.raw();
    void* out = output.raw();
    kernel.Run(in, {&out, 1}, workspace.raw(), pool);
  }
};

inline Tensor WorkspaceFor(const PreparedKernel& kernel) {
  return Tensor(DType::kUInt8, {static_cast<int64_t>(kernel.WorkspaceBytes())});
}

inline Tensor ToBf16(const Tensor& f32) {
  Tensor result(DType::kBFloat16, f32.dims());
  for (int64_t i = 0; i < f32.NumElements(); ++i) result.Data<uint16_t>()[i] = FloatToBf16(f32.Data<float>()[i]);
  return result;
}

// Zeroes two random elements of every group of four along the last axis (of a shorter last group: one if it has three).
inline void MakeTwoFour(Tensor& f32, std::mt19937& random) {
  const int64_t last = f32.dim(-1);
  for (int64_t row = 0; row < f32.NumElements() / last; ++row) {
    for (int64_t k = 0; k < last; k += 4) {
      const auto size = static_cast<int>(std::min<int64_t>(4, last - k));
      float* group = f32.Data<float>() + row * last + k;
      for (int kept = size; kept > 2; --kept) {
        int victim = std::uniform_int_distribution<int>(0, kept - 1)(random);
        for (int i = 0; i < size; ++i) {
          if (group[i] == 0) continue;
          if (victim-- == 0) {
            group[i] = 0;
            break;
          }
        }
      }
    }
  }
}

// Gives rows i and 31 - i of every 32 the same masks: pairs for kernels that make use of them. Some kept elements
// become zero, which breaks no pair.
inline void MakePaired(Tensor& f32) {
  const int64_t rows = f32.dim(0), columns = f32.NumElements() / rows;
  for (int64_t first = 0; first < rows; first += 32) {
    const int64_t some = std::min<int64_t>(32, rows - first);
    for (int64_t i = 0; i < some / 2; ++i) {
      const float* from = f32.Data<float>() + (first + i) * columns;
      float* to = f32.Data<float>() + (first + some - 1 - i) * columns;
      for (int64_t k = 0; k < columns; ++k) to[k] = from[k] == 0 ? 0 : static_cast<float>((i + k) % 9 - 4);
    }
  }
}

}  // namespace tamis
