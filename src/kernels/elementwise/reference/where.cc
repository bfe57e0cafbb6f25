// Where: elements of x or y by a bool condition, all three broadcast. Moves bytes, so any dtype of 1, 2, 4 or 8 bytes.
#include "src/kernels/elementwise/broadcast.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

struct WhereArgs {
  BroadcastLoops loops;
  int bytes = 0;
};

// One row of the innermost loop. Its steps are constants, without which no compiler makes vectors of it.
template <class T, int kX, int kY>
void Choose(const uint8_t* condition, const T* x, const T* y, T* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const T from_x = x[i * kX], from_y = y[i * kY];
    out[i] = condition[i] != 0 ? from_x : from_y;
  }
}

template <class T>
void Rows(const WhereArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end) {
  const BroadcastLoops& loops = args.loops;
  const int last = loops.rank - 1;
  const int64_t inner = loops.dims[last];
  const int64_t c_step = loops.strides[0][last], x_step = loops.strides[1][last], y_step = loops.strides[2][last];
  const auto choose = x_step == 0 ? (y_step == 0 ? Choose<T, 0, 0> : Choose<T, 0, 1>)
                                  : (y_step == 0 ? Choose<T, 1, 0> : Choose<T, 1, 1>);
  for (int64_t at = begin; at < end;) {
    int64_t offsets[kMaxOperands];
    RowOffsets(loops, at / inner, offsets);
    const int64_t first = at % inner, count = std::min(inner - first, end - at);
    const auto* condition = static_cast<const uint8_t*>(inputs[0]) + offsets[0] + first * c_step;
    const T* x = static_cast<const T*>(inputs[1]) + offsets[1] + first * x_step;
    const T* y = static_cast<const T*>(inputs[2]) + offsets[2] + first * y_step;
    T* out = static_cast<T*>(outputs[0]) + at;
    if (c_step == 1) {
      choose(condition, x, y, out, count);
    } else {  // one condition for the row
      const T* chosen = *condition != 0 ? x : y;
      const int64_t step = *condition != 0 ? x_step : y_step;
      for (int64_t i = 0; i < count; ++i) out[i] = chosen[i * step];
    }
    at += count;
  }
}

void Body(const WhereArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  switch (args.bytes) {
    case 1:
      return Rows<uint8_t>(args, inputs, outputs, begin, end);
    case 2:
      return Rows<uint16_t>(args, inputs, outputs, begin, end);
    case 4:
      return Rows<uint32_t>(args, inputs, outputs, begin, end);
    default:
      return Rows<uint64_t>(args, inputs, outputs, begin, end);
  }
}

Result<BroadcastLoops> LoopsOf(const Problem& problem) {
  const Dims* operands[] = {&problem.input(0).dims, &problem.input(1).dims, &problem.input(2).dims};
  return MakeBroadcastLoops(problem.outputs[0].dims, operands);
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.input(0).dtype != DType::kBool) return UserError("the condition is not bool");
  const DType dtype = problem.outputs[0].dtype;
  if (problem.input(1).dtype != dtype || problem.input(2).dtype != dtype)
    return UserError("the operands' dtypes differ");
  const int bits = BitSize(dtype);
  if (bits != 8 && bits != 16 && bits != 32 && bits != 64) return UserError("{} is not supported", Name(dtype));
  const auto loops = LoopsOf(problem);
  return loops.ok() ? Status() : loops.status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  WhereArgs args;
  TAMIS_ASSIGN_OR_RETURN(args.loops, LoopsOf(problem));
  args.bytes = BitSize(problem.outputs[0].dtype) / 8;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<WhereArgs>>(args, Body, args.loops.count, 32768, problem.threads));
}

}  // namespace

extern const KernelDef kernel_where = {
    .name = "where",
    .family = "elementwise",
    .ops = {"Where"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
