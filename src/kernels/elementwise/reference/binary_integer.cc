// Integer arithmetic with broadcasting: index and shape computations that stay in the graph.
#include "src/kernels/elementwise/elementwise.h"
#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

template <class T>
T Combine(BinaryKind kind, T a, T b) {
  using U = std::make_unsigned_t<T>;  // wraps around instead of undefined overflow
  switch (kind) {
    case BinaryKind::kSub:
      return static_cast<T>(static_cast<U>(a) - static_cast<U>(b));
    case BinaryKind::kMul:
      return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
    case BinaryKind::kMin:
      return std::min(a, b);
    case BinaryKind::kMax:
      return std::max(a, b);
    default:
      return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  }
}

template <class T>
void Rows(const BinaryArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end) {
  const BroadcastLoops& loops = args.loops;
  const int last = loops.rank - 1;
  for (int64_t at = begin; at < end;) {
    int64_t offsets[kMaxOperands];
    RowOffsets(loops, at / loops.dims[last], offsets);
    const T* a = static_cast<const T*>(inputs[0]) + offsets[0];
    const T* b = static_cast<const T*>(inputs[1]) + offsets[1];
    for (int64_t i = at % loops.dims[last]; i < loops.dims[last] && at < end; ++i, ++at) {
      static_cast<T*>(outputs[0])[at] =
          Combine(args.kind, a[i * loops.strides[0][last]], b[i * loops.strides[1][last]]);
    }
  }
}

void Body(const BinaryArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto rows = args.dtype == DType::kInt64 ? Rows<int64_t> : Rows<int32_t>;
  rows(args, inputs, outputs, begin, end);
}

}  // namespace

extern const KernelDef kernel_binary_integer = {
    .name = "binary_integer",
    .family = "elementwise",
    .ops = {"Add", "Sub", "Mul", "Min", "Max"},
    .isa = Isa::kX86_64,
    .supports = SupportsIntegerBinary,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareBinary(problem, Body); },
    .in_place = 0b11,
};

}  // namespace tamis
