// What the gemm kernels read from a Problem of operator Linear, and the cost model they share.
#pragma once

#include "src/kernels/kernel.h"
#include "src/ops/op_tamis.h"

namespace tamis {

// y[rows, outputs] = act(x[rows, depth] . w[outputs, depth]^T + bias + residual)
struct GemmShape {
  int64_t rows = 0;
  int64_t outputs = 0;
  int64_t depth = 0;
  DType in = DType::kUndefined;   // of x and w: f32 or bf16
  DType out = DType::kUndefined;  // of y: f32 or bf16
  DType residual = DType::kUndefined;
  Epilogue epilogue;
};

// KernelDef::in_place of kernels that read an element of the residual and write y's, and no other of either: y may lie
// where the residual does.
constexpr uint32_t kOverResidual = 1U << 3;

// Every problem with x and w both f32 or both bf16, w constant, and dimensions that agree; otherwise the reason.
Result<GemmShape> ReadLinear(const Problem& problem);
// The dtype and bias conditions that Linear and ChannelsLastConv share. Inputs are x, weight, bias, residual.
Status CheckOperands(const Problem& problem);

// Multiply-adds times two that one core does in a cycle: dense at the peak of the machine, dense by the vector
// instructions of `isa`, and 2:4 by the shuffle method (dense-equivalent).
double DenseFlopsPerCycle(DType dtype);
double PanelFlopsPerCycle(Isa isa, DType dtype);
double TileFlopsPerCycle(int64_t rows);  // in bf16, by tiles (AMX)
double SparseFlopsPerCycle(Isa isa, DType dtype);
// Speed of the shuffle method with vectors of 512 bits over dense, on this CPU.
double SparseShare();
// max(arithmetic, memory) + launch, in seconds, for `flops` dense-equivalent operations over `bytes` of operands.
double PredictSeconds(double flops, double flops_per_cycle, double bytes, int threads);
// Bytes of x, y, residual and a weight that takes `weight_share` of its dense size.
double GemmBytes(const GemmShape& shape, double weight_share);

}  // namespace tamis
