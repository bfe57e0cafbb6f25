// Reductions of f32 other than sums: the greatest, the least, products and norms.
#include <cmath>

#include "src/kernels/operand_check.h"
#include "src/kernels/reduce/reduce.h"

namespace tamis {
namespace {

// total = step(total, x) over the rows of each column, from `start`; then `finish`. A single column is added up in
// double: its sums may be long.
template <class Step, class Finish>
void Fold(const ReduceArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          float start, Step step, Finish finish) {
  for (int64_t item = begin; item < end; ++item) {
    const int64_t outer = item / args.chunks, first = item % args.chunks * args.chunk;
    const float* x = static_cast<const float*>(inputs[0]) + outer * args.rows * args.columns + first;
    float* y = static_cast<float*>(outputs[0]) + outer * args.columns + first;
    if (args.columns == 1) {
      auto total = static_cast<double>(start);
      for (int64_t r = 0; r < args.rows; ++r) total = step(total, static_cast<double>(x[r]));
      *y = static_cast<float>(finish(total));
      continue;
    }
    const int64_t n = std::min(args.chunk, args.columns - first);
    for (int64_t c = 0; c < n; ++c) y[c] = start;
    for (int64_t r = 0; r < args.rows; ++r) {
      for (int64_t c = 0; c < n; ++c) y[c] = step(y[c], x[r * args.columns + c]);
    }
    for (int64_t c = 0; c < n; ++c) y[c] = finish(y[c]);
  }
}

constexpr auto kSame = [](auto total) { return total; };
constexpr auto kSquares = [](auto total, auto x) { return total + x * x; };
// A NaN stays.
constexpr auto kGreater = [](auto total, auto x) { return x > total || x != x ? x : total; };
constexpr auto kLesser = [](auto total, auto x) { return x < total || x != x ? x : total; };

using Body = ReduceBody;

Body BodyOf(const std::string& op) {
  if (op == "ReduceMax") {
    return [](const ReduceArgs& args, const void* const* in, void* const* out, int64_t begin, int64_t end, std::byte*) {
      Fold(args, in, out, begin, end, -HUGE_VALF, kGreater, kSame);
    };
  }
  if (op == "ReduceMin") {
    return [](const ReduceArgs& args, const void* const* in, void* const* out, int64_t begin, int64_t end, std::byte*) {
      Fold(args, in, out, begin, end, HUGE_VALF, kLesser, kSame);
    };
  }
  if (op == "ReduceProd") {
    return [](const ReduceArgs& args, const void* const* in, void* const* out, int64_t begin, int64_t end, std::byte*) {
      Fold(
          args, in, out, begin, end, 1, [](auto total, auto x) { return total * x; }, kSame);
    };
  }
  if (op == "ReduceL1") {
    return [](const ReduceArgs& args, const void* const* in, void* const* out, int64_t begin, int64_t end, std::byte*) {
      Fold(
          args, in, out, begin, end, 0, [](auto total, auto x) { return total + std::abs(x); }, kSame);
    };
  }
  if (op == "ReduceL2") {
    return [](const ReduceArgs& args, const void* const* in, void* const* out, int64_t begin, int64_t end, std::byte*) {
      Fold(args, in, out, begin, end, 0, kSquares, [](auto total) { return std::sqrt(total); });
    };
  }
  return [](const ReduceArgs& args, const void* const* in, void* const* out, int64_t begin, int64_t end, std::byte*) {
    Fold(args, in, out, begin, end, 0, kSquares, kSame);
  };
}

Status Supports(const Problem& problem) {
  if (problem.input(0).dtype != DType::kFloat32)
    return UserError("reduces float32, not {}", Name(problem.input(0).dtype));
  return SupportsReduce(problem);
}

}  // namespace

extern const KernelDef kernel_reduce_other = {
    .name = "reduce_other",
    .family = "reduce",
    .ops = {"ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, ReduceFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareReduce(problem, BodyOf(problem.node->op)); },
};

}  // namespace tamis
