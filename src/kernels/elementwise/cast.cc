#include <limits>

#include "src/base/float16.h"
#include "src/kernels/elementwise/elementwise.h"
#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

struct Bfloat {
  uint16_t bits;
};
struct Half16 {
  uint16_t bits;
};

template <class T, class F>
T FromFloat(F x) {
  if (x != x) return 0;
  // The bounds as floats: the upper one may round up to a value that T can't hold.
  constexpr auto kLow = static_cast<F>(std::numeric_limits<T>::min());
  constexpr auto kHigh = static_cast<F>(std::numeric_limits<T>::max());
  if (x <= kLow) return std::numeric_limits<T>::min();
  if (x >= kHigh) return std::numeric_limits<T>::max();
  return static_cast<T>(x);
}

template <class From, class To>
To Convert(From x) {
  if constexpr (std::is_same_v<From, Bfloat>) {
    return Convert<float, To>(Bf16ToFloat(x.bits));
  } else if constexpr (std::is_same_v<From, Half16>) {
    return Convert<float, To>(HalfToFloat(x.bits));
  } else if constexpr (std::is_same_v<To, Bfloat>) {
    return {FloatToBf16(static_cast<float>(x))};
  } else if constexpr (std::is_same_v<To, Half16>) {
    return {FloatToHalf(static_cast<float>(x))};
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != 0;
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return FromFloat<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
void ConvertRange(const void* from, void* to, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) static_cast<To*>(to)[i] = Convert<From, To>(static_cast<const From*>(from)[i]);
}

// Calls f with a value of the dtype's C++ type; false if there is none here.
template <class F>
bool WithType(DType dtype, F f) {
  switch (dtype) {
    case DType::kFloat32:
      f(float{});
      return true;
    case DType::kBFloat16:
      f(Bfloat{});
      return true;
    case DType::kFloat16:
      f(Half16{});
      return true;
    case DType::kFloat64:
      f(double{});
      return true;
    case DType::kBool:
      f(bool{});
      return true;
    default:
      return WithInteger(dtype, f);
  }
}

}  // namespace

// CastLike is a cast too: its second operand gives the result's dtype and nothing else.
Status SupportsCast(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  for (const DType dtype : {problem.input(0).dtype, problem.outputs[0].dtype}) {
    if (!WithType(dtype, [](auto) {})) return UserError("a cast of {} is not supported", Name(dtype));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PrepareCast(const Problem& problem, CastBody body) {
  const CastArgs args{problem.input(0).dtype, problem.outputs[0].dtype};
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<CastArgs>>(args, body, Elements(problem.input(0)), 131072, problem.threads));
}

void CastElements(const CastArgs& args, const void* from, void* to, int64_t begin, int64_t end) {
  WithType(args.from, [&](auto source) {
    WithType(args.to, [&](auto target) { ConvertRange<decltype(source), decltype(target)>(from, to, begin, end); });
  });
}

}  // namespace tamis
