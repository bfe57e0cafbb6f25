// Arithmetic with broadcasting on integers, which wrap around, and f64: index and shape computations that stay in the
// graph, and networks of scientific code.
#include <type_traits>

#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

enum class Kind : uint8_t { kAdd, kSub, kMul, kDiv, kMin, kMax, kPRelu };

struct Args {
  Kind kind = Kind::kAdd;
  BroadcastLoops loops;
};

template <class T, class = void>
struct Unsigned {
  using Type = T;
};
template <class T>
struct Unsigned<T, std::enable_if_t<std::is_integral_v<T>>> {
  using Type = std::make_unsigned_t<T>;
};

template <class T>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  using U = typename Unsigned<T>::Type;  // wraps around instead of undefined overflow
  const auto combine = [&](auto f) { CombineRuns<T, T>(args.loops, inputs, outputs, begin, end, f); };
  switch (args.kind) {
    case Kind::kAdd:
      return combine([](T a, T b) { return static_cast<T>(static_cast<U>(a) + static_cast<U>(b)); });
    case Kind::kSub:
      return combine([](T a, T b) { return static_cast<T>(static_cast<U>(a) - static_cast<U>(b)); });
    case Kind::kMul:
      // Narrow types would be promoted to int, whose overflow is undefined.
      if constexpr (std::is_integral_v<T> && sizeof(T) < 4) {
        return combine([](T a, T b) { return static_cast<T>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b)); });
      } else {
        return combine([](T a, T b) { return static_cast<T>(static_cast<U>(a) * static_cast<U>(b)); });
      }
    case Kind::kDiv:
      if constexpr (std::is_floating_point_v<T>) return combine([](T a, T b) { return a / b; });
      return;
    case Kind::kMin:
      return combine([](T a, T b) { return a != a || a < b ? a : b; });
    case Kind::kMax:
      return combine([](T a, T b) { return a != a || a > b ? a : b; });
    case Kind::kPRelu:
      return combine([](T a, T b) { return a < T{} ? static_cast<T>(static_cast<U>(a) * static_cast<U>(b)) : a; });
  }
}

Kind KindOf(const std::string& op) {
  return op == "Add"   ? Kind::kAdd
         : op == "Sub" ? Kind::kSub
         : op == "Mul" ? Kind::kMul
         : op == "Div" ? Kind::kDiv
         : op == "Min" ? Kind::kMin
         : op == "Max" ? Kind::kMax
                       : Kind::kPRelu;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtype = problem.input(0).dtype;
  if (problem.inputs.size() != 2) return UserError("{} operands; two are supported", problem.inputs.size());
  if (!IsWideInteger(dtype) && dtype != DType::kFloat64) {
    return UserError("computes integers of 8 to 64 bits and float64, not {}", Name(dtype));
  }
  if (KindOf(problem.node->op) == Kind::kDiv && dtype != DType::kFloat64) {
    return UserError("divides float64, not {}", Name(dtype));
  }
  if (problem.input(1).dtype != dtype || problem.outputs[0].dtype != dtype) {
    return UserError("the operands' dtypes differ");
  }
  return MakeBroadcastLoops(problem, 2).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  Args args;
  args.kind = KindOf(problem.node->op);
  TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, 2));
  RangeBody<Args> body = nullptr;
  WithNumber(problem.input(0).dtype, [&]<class T>(T) { body = Rows<T>; });
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, body, args.loops.count, 65536, problem.threads));
}

}  // namespace

extern const KernelDef kernel_binary_typed = {
    .name = "binary_typed",
    .family = "elementwise",
    .ops = {"Add", "Sub", "Mul", "Div", "Min", "Max"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
    .in_place = 0b11,
};

}  // namespace tamis
