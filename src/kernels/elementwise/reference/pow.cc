// Pow with broadcasting; base and exponent may be of two types. The exponents that networks use (2, 3, 1/2, -1/2, -1)
// are products and roots.
#include <cmath>

#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

struct Args {
  BroadcastLoops loops;
  DType exponent = DType::kUndefined;
};

template <class F>
void Each(const float* x, int64_t step, int64_t count, float* y, F f) {
  for (int64_t i = 0; i < count; ++i) y[i] = f(x[i * step]);
}

void ToOnePower(const float* x, int64_t step, float exponent, int64_t count, float* y) {
  if (exponent == 2) return Each(x, step, count, y, [](float v) { return v * v; });
  if (exponent == 3) return Each(x, step, count, y, [](float v) { return v * v * v; });
  if (exponent == 1) return Each(x, step, count, y, [](float v) { return v; });
  if (exponent == -1) return Each(x, step, count, y, [](float v) { return 1 / v; });
  // Of -0 and -infinity a power is never negative, as a root of -0 is.
  if (exponent == 0.5f)
    return Each(x, step, count, y, [](float v) { return v == -HUGE_VALF ? HUGE_VALF : std::sqrt(v + 0.0f); });
  Each(x, step, count, y, [exponent](float v) { return std::pow(v, exponent); });
}

void Body(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const BroadcastLoops& loops = args.loops;
  const int last = loops.rank - 1;
  const int64_t x_step = loops.strides[0][last], e_step = loops.strides[1][last];
  ForEachRun(loops, begin, end, [&](const auto& offsets, int64_t at, int64_t count) {
    const float* x = static_cast<const float*>(inputs[0]) + offsets[0];
    const float* exponent = static_cast<const float*>(inputs[1]) + offsets[1];
    float* y = static_cast<float*>(outputs[0]) + at;
    if (e_step == 0) {
      ToOnePower(x, x_step, *exponent, count, y);
    } else {
      for (int64_t i = 0; i < count; ++i) y[i] = std::pow(x[i * x_step], exponent[i * e_step]);
    }
  });
}

template <class T>
T IntegerPower(T base, int64_t exponent) {
  if (exponent < 0) {  // 1 / base^n, truncated: only 1 and -1 have one
    if (base == T{1} || (std::is_signed_v<T> && base == static_cast<T>(-1))) return exponent % 2 == 0 ? T{1} : base;
    return T{};
  }
  uint64_t result = 1;
  for (auto factor = static_cast<uint64_t>(base); exponent > 0; exponent >>= 1, factor *= factor) {
    if ((exponent & 1) != 0) result *= factor;
  }
  return static_cast<T>(result);
}

template <class T, class E>
T Power(T base, E exponent) {
  if constexpr (std::is_integral_v<T> && std::is_integral_v<E>) {
    return IntegerPower(base, static_cast<int64_t>(exponent));
  } else {
    const double power = std::pow(static_cast<double>(base), static_cast<double>(exponent));
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(power);
    return std::isnan(power) ? T{} : static_cast<T>(static_cast<int64_t>(std::clamp(power, -0x1p62, 0x1p62)));
  }
}

template <class T>
void Typed(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
           std::byte* /*scratch*/) {
  const int last = args.loops.rank - 1;
  const int64_t x_step = args.loops.strides[0][last], e_step = args.loops.strides[1][last];
  WithNumber(args.exponent, [&]<class E>(E) {
    ForEachRun(args.loops, begin, end, [&](const auto& offsets, int64_t at, int64_t count) {
      const T* x = static_cast<const T*>(inputs[0]) + offsets[0];
      const E* exponent = static_cast<const E*>(inputs[1]) + offsets[1];
      T* y = static_cast<T*>(outputs[0]) + at;
      if constexpr (std::is_same_v<T, float>) {
        if (e_step == 0) return ToOnePower(x, x_step, static_cast<float>(*exponent), count, y);
      }
      for (int64_t i = 0; i < count; ++i) y[i] = Power(x[i * x_step], exponent[i * e_step]);
    });
  });
}

bool IsCommon(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kInt64 || dtype == DType::kInt32;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtypes[] = {problem.input(0).dtype, problem.input(1).dtype};
  for (const DType dtype : dtypes) {
    const bool same = dtypes[0] == dtypes[1] && IsWideInteger(dtype);
    if (!IsCommon(dtype) && !same) return UserError("{} to the power of {}", Name(dtypes[0]), Name(dtypes[1]));
  }
  return MakeBroadcastLoops(problem, 2).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  Args args;
  args.exponent = problem.input(1).dtype;
  TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, 2));
  RangeBody<Args> body = Body;
  if (problem.input(0).dtype != DType::kFloat32 || args.exponent != DType::kFloat32) {
    WithNumber(problem.input(0).dtype, [&]<class T>(T) { body = Typed<T>; });
  }
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, body, args.loops.count, 16384, problem.threads));
}

}  // namespace

extern const KernelDef kernel_pow = {
    .name = "pow",
    .family = "elementwise",
    .ops = {"Pow"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
