// LpNormalization and Hardmax along any axis: rows, or blocks of neighbouring rows where the axis is not the last.
#include <algorithm>
#include <cmath>

#include "src/kernels/norm/row_sums.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

constexpr int64_t kColumns = 64;

enum class Kind : uint8_t { kL1, kL2, kHardmax };

struct Args {
  Kind kind = Kind::kL2;
  int64_t size = 0, step = 1, blocks = 1;
};

void Scale(const float* x, float* y, int64_t n, double norm) {
  const float factor = norm == 0 ? 0.0f : static_cast<float>(1 / norm);
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * factor;
}

// The place of the first of the largest; of a row that begins with a NaN, 0.
int64_t LargestPlace(const float* x, int64_t n) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, x[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] = x[i + lane] > lanes[lane] ? x[i + lane] : lanes[lane];
  }
  float best = x[0];
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  for (const float lane : lanes) best = lane > best ? lane : best;
  const float* found = std::find(x, x + n, best);
  return found == x + n ? 0 : found - x;
}

void Block(const Args& args, const float* x, float* y, int64_t columns) {
  if (args.kind == Kind::kHardmax && args.step == 1) {
    std::fill_n(y, args.size, 0.0f);
    y[LargestPlace(x, args.size)] = 1;
    return;
  }
  if (args.kind == Kind::kHardmax) {
    float best[kColumns];
    int64_t places[kColumns] = {};
    std::copy_n(x, columns, best);
    for (int64_t i = 0; i < args.size; ++i) {
      for (int64_t c = 0; c < columns; ++c) {
        const float value = x[i * args.step + c];
        places[c] = value > best[c] ? i : places[c];
        best[c] = value > best[c] ? value : best[c];
        y[i * args.step + c] = 0;
      }
    }
    for (int64_t c = 0; c < columns; ++c) y[places[c] * args.step + c] = 1;
    return;
  }
  double sums[kColumns] = {};
  for (int64_t i = 0; i < args.size; ++i) {
    for (int64_t c = 0; c < columns; ++c) {
      const auto value = static_cast<double>(x[i * args.step + c]);
      sums[c] += args.kind == Kind::kL1 ? std::abs(value) : value * value;
    }
  }
  float factors[kColumns];
  for (int64_t c = 0; c < columns; ++c) {
    const double norm = args.kind == Kind::kL1 ? sums[c] : std::sqrt(sums[c]);
    factors[c] = norm == 0 ? 0.0f : static_cast<float>(1 / norm);
  }
  for (int64_t i = 0; i < args.size; ++i) {
    for (int64_t c = 0; c < columns; ++c) y[i * args.step + c] = x[i * args.step + c] * factors[c];
  }
}

void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  for (int64_t item = begin; item < end; ++item) {
    const int64_t column = item % args.blocks * kColumns;
    const int64_t at = item / args.blocks * args.size * args.step + column;
    const float* x = static_cast<const float*>(inputs[0]) + at;
    float* y = static_cast<float*>(outputs[0]) + at;
    if (args.step == 1 && args.kind == Kind::kL1) {
      Scale(x, y, args.size, SumOfRow(x, args.size, [](float v) { return std::abs(v); }));
    } else if (args.step == 1 && args.kind == Kind::kL2) {
      Scale(x, y, args.size, std::sqrt(SumOfRow(x, args.size, [](float v) { return v * v; })));
    } else {
      Block(args, x, y, std::min(kColumns, args.step - column));
    }
  }
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand& x = problem.input(0);
  if (x.dtype != DType::kFloat32) return UserError("input 0 is {}; float32 is supported", Name(x.dtype));
  const int64_t p = problem.node->Int("p", 2);
  if (p != 1 && p != 2) return UserError("a norm of order {}", p);
  if (NormalizeAxis(problem.node->Int("axis", -1), x.dims.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(x.dims));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Node& node = *problem.node;
  const Dims& dims = problem.input(0).dims;
  const auto axis = static_cast<size_t>(NormalizeAxis(node.Int("axis", -1), dims.size()));
  Args args;
  args.kind = node.op == "Hardmax" ? Kind::kHardmax : node.Int("p", 2) == 1 ? Kind::kL1 : Kind::kL2;
  args.size = dims[axis];
  args.step = Product(dims, axis + 1, dims.size());
  args.blocks = (args.step + kColumns - 1) / kColumns;
  const int64_t items = args.size == 0 ? 0 : Product(dims, 0, axis) * args.blocks;
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<Args>>(
      args, Rows, items, GrainFor(args.size * std::min(args.step, kColumns)), problem.threads));
}

}  // namespace

extern const KernelDef kernel_row_norm = {
    .name = "row_norm",
    .family = "norm",
    .ops = {"LpNormalization", "Hardmax"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
