#include "src/tuner/candidate_check.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/ops/op_def.h"
#include "src/ops/op_random.h"
#include "src/ops/op_small_float.h"
#include "src/tuner/problem_text.h"

namespace tamis {
namespace {

// Multiplies that the reference would do: output elements times the weight's row length.
double Work(const Problem& problem) {
  double work = 0;
  for (const Operand& output : problem.outputs) work += static_cast<double>(NumElements(output.dims));
  if (problem.inputs.size() > 1 && !problem.inputs[1].dims.empty()) {
    const Dims& dims = problem.inputs[1].dims;
    double row = 1;
    for (size_t i = 1; i < dims.size(); ++i) row *= static_cast<double>(dims[i]);
    work *= row;
  }
  return work;
}

Tensor Numbers(const Tensor& tensor) {
  if (BitSize(tensor.dtype()) != 8) return tensor.ToFloat32();
  Tensor numbers(DType::kFloat32, tensor.dims());
  std::transform(tensor.raw(), tensor.raw() + tensor.NumBytes(), numbers.Data<float>(), [&](std::byte code) {
    return static_cast<float>(DecodeSmallFloat(tensor.dtype(), std::to_integer<uint8_t>(code)));
  });
  return numbers;
}

}  // namespace

std::vector<Tensor> SeededInputs(const Problem& problem) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < problem.inputs.size(); ++i) {
    const Operand& operand = problem.inputs[i];
    if (!operand.Present()) {
      inputs.emplace_back();
    } else if (operand.constant != nullptr) {
      inputs.push_back(*operand.constant);
    } else {
      inputs.push_back(RandomTensor(operand.dtype, operand.dims, Pattern::kDense, 1000 + i));
    }
  }
  return inputs;
}

bool IsRepeatable(const Problem& problem) {
  return !IsRandom(*problem.node) || problem.node->Has("seed");
}

std::vector<Tensor> CheapReference(const Problem& problem, const std::vector<Tensor>& inputs) {
  if (Work(problem) >= 0x1p27) return {};
  if (!IsRepeatable(problem)) return {};
  std::vector<const Tensor*> operands;
  for (const Tensor& input : inputs) operands.push_back(input.Defined() ? &input : nullptr);
  std::vector<DType> dtypes;
  for (const Operand& output : problem.outputs) dtypes.push_back(output.dtype);
  auto results = EvaluateNode(*problem.node, 21, operands, dtypes);
  return results.ok() ? std::move(results).value() : std::vector<Tensor>();
}

double Difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i].Defined() || !IsFloat(a[i].dtype()) || BitSize(a[i].dtype()) < 8) continue;
    const Tensor fa = Numbers(a[i]);
    const Tensor fb = Numbers(b[i]);
    const std::span<const float> xs = fa.Span<float>(), ys = fb.Span<float>();
    float magnitude = 1e-6f;
    float difference = 0;
    bool nan = false;
    for (size_t e = 0; e < xs.size(); ++e) {
      nan |= std::isnan(xs[e]) || std::isnan(ys[e]);
      magnitude = std::max(magnitude, std::abs(ys[e]));
      difference = std::max(difference, std::abs(xs[e] - ys[e]));
    }
    if (nan) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, static_cast<double>(difference) / static_cast<double>(magnitude));
  }
  return worst;
}

double Tolerance(const Problem& problem) {
  // Codes at a tie may be neighbours; tensor cores keep 13 bits of the sums of products of codes.
  if (!problem.outputs.empty() && problem.outputs[0].dtype == DType::kFloat8E4M3) return 0x1.4p-4;
  if (!problem.inputs.empty() && problem.inputs[0].dtype == DType::kFloat8E4M3) return 2e-2;
  for (const Operand& operand : problem.inputs) {
    if (operand.dtype == DType::kBFloat16) return 4e-2;
    if (operand.dtype == DType::kFloat16) return 5e-3;
  }
  return 1e-3;
}

}  // namespace tamis
