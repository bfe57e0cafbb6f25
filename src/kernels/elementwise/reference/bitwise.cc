// BitwiseAnd, BitwiseOr, BitwiseXor and BitShift of integers with broadcasting.
#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

enum class Kind : uint8_t { kAnd, kOr, kXor, kLeft, kRight };

struct Args {
  Kind kind = Kind::kAnd;
  BroadcastLoops loops;
};

// A shift by a negative amount, or by all bits or more, leaves what the sign fills in.
template <class T>
T Shifted(T a, T b, bool left) {
  const auto amount = static_cast<uint64_t>(b);  // a negative one is larger than any number of bits
  if (amount >= sizeof(T) * 8) return !left && a < T{} ? static_cast<T>(-1) : T{};
  return left ? static_cast<T>(static_cast<uint64_t>(a) << amount) : static_cast<T>(a >> amount);
}

template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto combine = [&](auto f) { CombineRuns<T, T>(args.loops, inputs, outputs, begin, end, f); };
  switch (args.kind) {
    case Kind::kAnd:
      return combine([](T a, T b) { return static_cast<T>(a & b); });
    case Kind::kOr:
      return combine([](T a, T b) { return static_cast<T>(a | b); });
    case Kind::kXor:
      return combine([](T a, T b) { return static_cast<T>(a ^ b); });
    case Kind::kLeft:
      return combine([](T a, T b) { return Shifted(a, b, true); });
    case Kind::kRight:
      return combine([](T a, T b) { return Shifted(a, b, false); });
  }
}

Kind KindOf(const Node& node) {
  return node.op == "BitwiseAnd"                      ? Kind::kAnd
         : node.op == "BitwiseOr"                     ? Kind::kOr
         : node.op == "BitwiseXor"                    ? Kind::kXor
         : node.String("direction", "LEFT") == "LEFT" ? Kind::kLeft
                                                      : Kind::kRight;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtype = problem.input(0).dtype;
  if (!IsWideInteger(dtype)) return UserError("computes integers of 8 to 64 bits, not {}", Name(dtype));
  if (problem.input(1).dtype != dtype) return UserError("the operands' dtypes differ");
  return MakeBroadcastLoops(problem, 2).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  Args args;
  args.kind = KindOf(*problem.node);
  TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, 2));
  RangeBody<Args> body = nullptr;
  WithInteger(problem.input(0).dtype, [&]<class T>(T) { body = Rows<T>; });
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, body, args.loops.count, 65536, problem.threads));
}

}  // namespace

extern const KernelDef kernel_bitwise = {
    .name = "bitwise",
    .family = "elementwise",
    .ops = {"BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
    .in_place = 0b11,
};

}  // namespace tamis
