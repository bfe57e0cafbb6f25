#include "src/kernels/operand_check.h"

#include <algorithm>
#include <numeric>

namespace tamis {

Status CheckDomain(const Problem& problem, std::string_view domain) {
  if (problem.node->domain == domain) return {};
  return UserError("computes {} of domain '{}', not of '{}'", problem.node->op, domain, problem.node->domain);
}

Status CheckF32OrBf16(const Operand& operand, std::string_view what) {
  if (operand.dtype == DType::kFloat32 || operand.dtype == DType::kBFloat16) return {};
  if (!operand.Present()) return UserError("{} is missing", what);
  return UserError("{} is {}; float32 and bfloat16 are supported", what, Name(operand.dtype));
}

Status CheckF32IfPresent(const Operand& operand, std::string_view what) {
  if (!operand.Present() || operand.dtype == DType::kFloat32) return {};
  return UserError("{} is {}; float32 is supported", what, Name(operand.dtype));
}

Status CheckOutputs(const Problem& problem, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (i >= problem.outputs.size() || !problem.outputs[i].Present()) return UserError("output {} is missing", i);
  }
  for (size_t i = count; i < problem.outputs.size(); ++i) {
    if (problem.outputs[i].Present()) return UserError("output {} is not supported", i);
  }
  return {};
}

int64_t Elements(const Operand& operand) {
  return NumElements(operand.dims);
}

size_t Bytes(const Operand& operand) {
  return operand.Present() ? ByteSize(operand.dtype, static_cast<size_t>(Elements(operand))) : 0;
}

int64_t Product(const Dims& dims, size_t begin, size_t end) {
  return std::accumulate(dims.begin() + static_cast<int64_t>(begin), dims.begin() + static_cast<int64_t>(end),
                         int64_t{1}, std::multiplies<>());
}

int64_t NormalizeAxis(int64_t axis, size_t rank) {
  const auto signed_rank = static_cast<int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) return -1;
  return axis < 0 ? axis + signed_rank : axis;
}

double PredictSeconds(const Problem& problem, Isa isa, double flops) {
  double bytes = 64;
  for (const Operand& operand : problem.inputs) bytes += static_cast<double>(Bytes(operand));
  for (const Operand& operand : problem.outputs) bytes += static_cast<double>(Bytes(operand));
  // Bytes and operations a second; wider registers also keep more loads in flight.
  const double traffic = isa == Isa::kAvx512 ? 20e9 : isa == Isa::kAvx2 ? 18e9 : 10e9;
  const double rate = isa == Isa::kAvx512 ? 100e9 : isa == Isa::kAvx2 ? 50e9 : 10e9;
  return 2e-6 + (bytes / traffic + flops / rate) / std::max(problem.threads, 1);
}

}  // namespace tamis
