#include "src/kernels/gemm/gemm_shape.h"

#include <algorithm>

namespace tamis {
namespace {
constexpr double kCyclesPerSecond = 3.5e9;
constexpr double kBytesPerSecond = 40e9;  // of operands that a cache holds, shared by the threads
constexpr double kLaunchSeconds = 1e-6;

bool FloatOrBf16(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kBFloat16;
}

// Cores whose 512-bit shuffles do not run on a port of the multipliers alone. Elsewhere a shuffle costs what the saved
// multiply-add would have.
bool ShufflesBesideMultiplies() {
  return Cpu().model.find("AMD") != std::string::npos;
}
}  // namespace

Status CheckOperands(const Problem& problem) {
  const Operand& x = problem.input(0);
  const Operand& weight = problem.input(1);
  const Operand& bias = problem.input(2);
  const Operand& residual = problem.input(3);
  if (!x.Present() || !weight.Present() || problem.outputs.size() != 1) return UserError("needs x, weight and y");
  const DType out = problem.outputs[0].dtype;
  if (!FloatOrBf16(x.dtype)) return UserError("x is {}; needs float32 or bfloat16", Name(x.dtype));
  if (weight.dtype != x.dtype) return UserError("weight is {} but x is {}", Name(weight.dtype), Name(x.dtype));
  if (weight.constant == nullptr) return UserError("the weight is not constant");
  if (!FloatOrBf16(out)) return UserError("y is {}; needs float32 or bfloat16", Name(out));
  if (bias.Present() && (bias.dtype != DType::kFloat32 || bias.dims != Dims{weight.dims[0]})) {
    return UserError("bias must be float32[{}]", weight.dims[0]);
  }
  if (residual.Present() && (!FloatOrBf16(residual.dtype) || residual.dims != problem.outputs[0].dims)) {
    return UserError("residual must be float32 or bfloat16 and have the shape of y");
  }
  return {};
}

Result<GemmShape> ReadLinear(const Problem& problem) {
  const Operand& x = problem.input(0);
  const Operand& weight = problem.input(1);
  if (weight.Present() && weight.dims.size() != 2) return UserError("the weight must be [N, K]");
  TAMIS_RETURN_IF_ERROR(CheckOperands(problem));
  if (x.dims.empty() || x.dims.back() != weight.dims[1]) return UserError("the last axis of x is not K of the weight");
  GemmShape shape;
  shape.depth = weight.dims[1];
  shape.outputs = weight.dims[0];
  if (shape.depth == 0 || shape.outputs == 0) return UserError("an empty weight");
  shape.rows = NumElements({x.dims.data(), x.dims.size() - 1});
  if (shape.rows <= 0) return UserError("no rows");
  Dims expected = x.dims;
  expected.back() = shape.outputs;
  if (problem.outputs[0].dims != expected) return UserError("y is not x with its last axis replaced by N");
  shape.in = x.dtype;
  shape.out = problem.outputs[0].dtype;
  shape.residual = problem.input(3).dtype;
  shape.epilogue = EpilogueOf(*problem.node);
  return shape;
}

double PanelFlopsPerCycle(Isa isa, DType dtype) {
  switch (isa) {
    case Isa::kAvx512:
      return dtype == DType::kBFloat16 ? 128 : 64;
    case Isa::kAvx2:
      return 32;
    case Isa::kX86_64:
      break;
  }
  return 8;
}

double DenseFlopsPerCycle(DType dtype) {
  if (dtype == DType::kBFloat16 && Cpu().amx) return 1024;
  return PanelFlopsPerCycle(Cpu().isa, dtype);
}

double TileFlopsPerCycle(int64_t rows) {
  // Of 1024 what is left where operands come from the second-level cache; a tile of fewer rows takes as many loads of
  // the weight, which are then what it waits for.
  constexpr double kWhole = 640;
  constexpr int64_t kRows = 16;
  return kWhole * static_cast<double>(std::min(rows, kRows)) / kRows;
}

double SparseShare() {
  return ShufflesBesideMultiplies() ? 1.36 : 0.95;
}

double SparseFlopsPerCycle(Isa isa, DType dtype) {
  if (isa == Isa::kX86_64) return 0.5;  // the portable loops
  return PanelFlopsPerCycle(isa, dtype) * SparseShare();
}

double PredictSeconds(double flops, double flops_per_cycle, double bytes, int threads) {
  const double arithmetic = flops / (flops_per_cycle * kCyclesPerSecond * std::max(threads, 1));
  return std::max(arithmetic, bytes / kBytesPerSecond) + kLaunchSeconds;
}

double GemmBytes(const GemmShape& shape, double weight_share) {
  const double in_bytes = BitSize(shape.in) / 8.0;
  const double out_bytes = BitSize(shape.out) / 8.0 + (shape.epilogue.residual ? BitSize(shape.residual) / 8.0 : 0);
  const auto rows = static_cast<double>(shape.rows);
  const auto outputs = static_cast<double>(shape.outputs);
  const auto depth = static_cast<double>(shape.depth);
  return rows * depth * in_bytes + rows * outputs * out_bytes + weight_share * outputs * depth * in_bytes;
}

}  // namespace tamis
