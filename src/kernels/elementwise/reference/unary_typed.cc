// Functions of one number for integers of every width (they wrap around) and f64: rectifiers, bounds, signs, bits.
#include <cmath>
#include <limits>

#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

enum class Kind : uint8_t { kAbs, kNeg, kSign, kRelu, kNot, kClip, kShrink };

struct Args {
  Kind kind = Kind::kAbs;
  size_t bounds = 0;           // inputs behind x: the bounds of Clip, each may be omitted
  double alpha = 0, beta = 0;  // of Shrink
};

template <class T>
T Opposite(T x) {
  if constexpr (std::is_floating_point_v<T>) {
    return -x;
  } else {
    return static_cast<T>(std::make_unsigned_t<T>{} - static_cast<std::make_unsigned_t<T>>(x));
  }
}

template <class T>
void Clip(const Args& args, const void* const* inputs, const T* x, T* y, int64_t n) {
  const auto bound = [&](size_t i, T fallback) {
    return i <= args.bounds && inputs[i] != nullptr ? *static_cast<const T*>(inputs[i]) : fallback;
  };
  constexpr bool kFloat = std::is_floating_point_v<T>;
  const T low = bound(1, kFloat ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::min());
  const T high = bound(2, kFloat ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max());
  for (int64_t i = 0; i < n; ++i) {
    const T raised = x[i] < low ? low : x[i];  // a NaN stays
    y[i] = raised > high ? high : raised;
  }
}

template <class T>
void Elements(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
              std::byte* /*scratch*/) {
  const T* x = static_cast<const T*>(inputs[0]) + begin;
  T* y = static_cast<T*>(outputs[0]) + begin;
  const auto map = [&](auto f) {
    for (int64_t i = 0; i < end - begin; ++i) y[i] = static_cast<T>(f(x[i]));
  };
  switch (args.kind) {
    case Kind::kAbs:
      if constexpr (std::is_floating_point_v<T>) return map([](T v) { return std::fabs(v); });
      return map([](T v) { return v < T{} ? Opposite(v) : v; });
    case Kind::kNeg:
      return map([](T v) { return Opposite(v); });
    case Kind::kSign:
      return map([](T v) { return v != v ? v : static_cast<T>((v > T{}) - (v < T{})); });
    case Kind::kRelu:
      return map([](T v) { return v < T{} ? T{} : v; });
    case Kind::kNot:
      if constexpr (std::is_integral_v<T>) return map([](T v) { return ~v; });
      return;
    case Kind::kClip:
      return Clip(args, inputs, x, y, end - begin);
    case Kind::kShrink:
      return map([&](T v) {
        const auto wide = static_cast<double>(v);
        return wide < -args.alpha ? wide + args.beta : wide > args.alpha ? wide - args.beta : 0;
      });
  }
}

Kind KindOf(const std::string& op) {
  return op == "Abs"          ? Kind::kAbs
         : op == "Neg"        ? Kind::kNeg
         : op == "Sign"       ? Kind::kSign
         : op == "Relu"       ? Kind::kRelu
         : op == "BitwiseNot" ? Kind::kNot
         : op == "Clip"       ? Kind::kClip
                              : Kind::kShrink;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Node& node = *problem.node;
  const DType dtype = problem.input(0).dtype;
  if (!IsWideInteger(dtype) && (dtype != DType::kFloat64 || node.op == "BitwiseNot")) {
    return UserError("{} of {} is not supported", node.op, Name(dtype));
  }
  if (node.Has("min") || node.Has("max")) return UserError("bounds as attributes are those of floats");
  for (size_t i = 1; i < problem.inputs.size(); ++i) {
    const Operand& bound = problem.input(i);
    if (bound.Present() && (bound.dtype != dtype || tamis::Elements(bound) != 1)) {
      return UserError("input {} must be one {}", i, Name(dtype));
    }
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  Args args;
  args.kind = KindOf(problem.node->op);
  args.bounds = problem.inputs.size() - 1;
  args.alpha = problem.node->Float("lambd", 0.5f);
  args.beta = problem.node->Float("bias", 0);
  RangeBody<Args> body = nullptr;
  WithNumber(problem.input(0).dtype, [&]<class T>(T) { body = Elements<T>; });
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, body, tamis::Elements(problem.input(0)), 65536, problem.threads));
}

}  // namespace

extern const KernelDef kernel_unary_typed = {
    .name = "unary_typed",
    .family = "elementwise",
    .ops = {"Abs", "Neg", "Sign", "Relu", "BitwiseNot", "Clip"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
    .in_place = 0b1,
};

}  // namespace tamis
