// Div of integers, toward zero, and Mod of all numbers, with broadcasting. A divisor of zero is refused before the run.
#include <cmath>

#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

struct Args {
  bool remainder = false;
  bool fmod = false;  // the remainder has the dividend's sign, else the divisor's
  BroadcastLoops loops;
};

template <class T>
T Remainder(T a, T b, bool fmod) {
  if constexpr (std::is_floating_point_v<T>) {
    const T rest = std::fmod(a, b);
    if (fmod) return rest;
    if (rest == 0) return std::copysign(rest, b);
    if (std::signbit(rest) == std::signbit(b)) return rest;
    return std::isinf(b) ? b : rest + b;
  } else {
    // The most negative number has no opposite; its remainder is 0.
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
    const auto rest = static_cast<T>(a % b);
    return !fmod && rest != 0 && (rest < T{}) != (b < T{}) ? static_cast<T>(rest + b) : rest;
  }
}

template <class T>
T Quotient(T a, T b) {
  using U = std::make_unsigned_t<T>;
  if (std::is_signed_v<T> && b == static_cast<T>(-1)) return static_cast<T>(U{} - static_cast<U>(a));
  return static_cast<T>(a / b);
}

template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto combine = [&](auto f) { CombineRuns<T, T>(args.loops, inputs, outputs, begin, end, f); };
  if (args.remainder) {
    if (args.fmod) return combine([](T a, T b) { return Remainder(a, b, true); });
    return combine([](T a, T b) { return Remainder(a, b, false); });
  }
  if constexpr (std::is_integral_v<T>) combine([](T a, T b) { return Quotient(a, b); });
}

class Quotients : public RangeKernel<Args> {
 public:
  Quotients(const Args& args, RangeBody<Args> body, const Operand& divisor, int threads)
      : RangeKernel(args, body, args.loops.count, 8192, threads),
        dtype_(divisor.dtype),
        divisors_(Elements(divisor)),
        empty_(args.loops.count == 0) {}

  Status Check(std::span<const void* const> inputs) const override {
    bool by_zero = false;
    WithInteger(dtype_, [&]<class T>(T) {
      const T* divisor = static_cast<const T*>(inputs[1]);
      for (int64_t i = 0; i < divisors_; ++i) by_zero |= divisor[i] == 0;
    });
    return by_zero && !empty_ ? UserError("an integer is divided by zero") : Status();
  }

 private:
  DType dtype_;
  int64_t divisors_;
  bool empty_;
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtype = problem.input(0).dtype;
  const bool floats = dtype == DType::kFloat32 || dtype == DType::kFloat64;
  if (!IsWideInteger(dtype) && !(floats && problem.node->op == "Mod")) {
    return UserError("{} of {} is not supported", problem.node->op, Name(dtype));
  }
  if (problem.input(1).dtype != dtype) return UserError("the operands' dtypes differ");
  return MakeBroadcastLoops(problem, 2).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  Args args;
  args.remainder = problem.node->op == "Mod";
  args.fmod = problem.node->Int("fmod", 0) != 0;
  TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, 2));
  RangeBody<Args> body = nullptr;
  WithNumber(problem.input(0).dtype, [&]<class T>(T) { body = Rows<T>; });
  return std::unique_ptr<PreparedKernel>(std::make_unique<Quotients>(args, body, problem.input(1), problem.threads));
}

}  // namespace

extern const KernelDef kernel_quotient_typed = {
    .name = "quotient_typed",
    .family = "elementwise",
    .ops = {"Div", "Mod"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
    .in_place = 0b11,
};

}  // namespace tamis
