#include <fmt/format.h>

#include <cstring>

#include "src/kernels/chain/cuda/cuda_chain.h"

namespace tamis::cuda {
namespace {

constexpr unsigned kThreads = 256;

// What generated kernels are written in: types without headers, and the operators that are more than an expression, as
// elementwise_step.cuh and device.cuh have them.
constexpr char kPrelude[] = R"(
typedef unsigned short u16;
typedef unsigned int u32;
struct alignas(16) Words4 { u32 w[4]; };
struct alignas(8) Words2 { u32 w[2]; };

__device__ inline float wide_f16(u16 bits) { float v; asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(bits)); return v; }
__device__ inline float wide_bf16(u16 bits) { return __uint_as_float((u32)bits << 16); }
__device__ inline u32 pair_f16(float low, float high) {
  u32 bits; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low)); return bits;
}
__device__ inline u32 pair_bf16(float low, float high) {
  u32 bits; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low)); return bits;
}

template <int N> __device__ inline void load_f32(const float* from, float (&v)[N]) {
  if constexpr (N == 1) { v[0] = *from; } else {
    for (int i = 0; i < N / 4; ++i) {
      const Words4 words = reinterpret_cast<const Words4*>(from)[i];
      for (int j = 0; j < 4; ++j) v[4 * i + j] = __uint_as_float(words.w[j]);
    }
  }
}
template <int N> __device__ inline void store_f32(float* to, const float (&v)[N]) {
  if constexpr (N == 1) { *to = v[0]; } else {
    for (int i = 0; i < N / 4; ++i) {
      Words4 words;
      for (int j = 0; j < 4; ++j) words.w[j] = __float_as_uint(v[4 * i + j]);
      reinterpret_cast<Words4*>(to)[i] = words;
    }
  }
}
template <int N> struct Words { typedef Words4 Type; };
template <> struct Words<4> { typedef Words2 Type; };
#define TAMIS_SHORT(type)                                                                        \
  template <int N> __device__ inline void load_##type(const u16* from, float (&v)[N]) {          \
    if constexpr (N == 1) { v[0] = wide_##type(*from); } else {                                  \
      const typename Words<N>::Type words = *reinterpret_cast<const typename Words<N>::Type*>(from); \
      for (int i = 0; i < N / 2; ++i) {                                                          \
        v[2 * i] = wide_##type((u16)(words.w[i] & 0xffff)), v[2 * i + 1] = wide_##type((u16)(words.w[i] >> 16)); \
      }                                                                                          \
    }                                                                                            \
  }                                                                                              \
  template <int N> __device__ inline void store_##type(u16* to, const float (&v)[N]) {           \
    if constexpr (N == 1) { *to = (u16)(pair_##type(v[0], 0.0f) & 0xffff); } else {              \
      typename Words<N>::Type words;                                                             \
      for (int i = 0; i < N / 2; ++i) words.w[i] = pair_##type(v[2 * i], v[2 * i + 1]);          \
      *reinterpret_cast<typename Words<N>::Type*>(to) = words;                                   \
    }                                                                                            \
  }
TAMIS_SHORT(f16)
TAMIS_SHORT(bf16)

__device__ inline float least(float a, float b) { return a != a || b != b ? a + b : fminf(a, b); }
__device__ inline float most(float a, float b) { return a != a || b != b ? a + b : fmaxf(a, b); }
__device__ inline float gelu(float x) {
  const float a = fminf(fabsf(x), 64.0f);
  float p = fmaf(a, 5.382975e-6f, 4.88906356e-5f);
  p = fmaf(p, a, 3.8003575e-5f);
  p = fmaf(p, a, 3.27762632e-3f);
  p = fmaf(p, a, 2.11410061e-2f);
  p = fmaf(p, a, 4.9867347e-2f);
  p = fmaf(p, a, 1.0f);
  p *= p; p *= p; p *= p; p *= p;
  const float tail = a * __fdividef(0.5f, p);
  return x > 0 ? x - tail : x < 0 ? -tail : x;
}
__device__ inline float mish(float x) {
  const float e = __expf(x > 20.0f ? 20.0f : x), n = e * (e + 2.0f);
  return x * (n / (n + 2.0f));
}
)";

// By ElementwiseKind: f of x, and of y; A, B and C are the step's alpha, beta and gamma.
const char* Expression(ElementwiseKind kind) {
  using Kind = ElementwiseKind;
  switch (kind) {
    case Kind::kRelu:
      return "x < 0 ? 0.0f : x";
    case Kind::kGelu:
      return "gelu(x)";
    case Kind::kGeluTanh:
      return "0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.044715f * x * x * x)))";
    case Kind::kTanh:
      return "tanhf(x)";
    case Kind::kSigmoid:
      return "1.0f / (1.0f + expf(-x))";
    case Kind::kClip:
      return "x < A ? A : x > B ? B : x";
    case Kind::kHardSwish:
      return "x * fminf(fmaxf(x / 6.0f + 0.5f, 0.0f), 1.0f)";
    case Kind::kErf:
      return "erff(x)";
    case Kind::kExp:
      return "expf(x)";
    case Kind::kLog:
      return "logf(x)";
    case Kind::kSqrt:
      return "sqrtf(x)";
    case Kind::kReciprocal:
      return "1.0f / x";
    case Kind::kNeg:
      return "-x";
    case Kind::kAbs:
      return "fabsf(x)";
    case Kind::kHardSigmoid:
      return "least(most(A * x + B, 0.0f), 1.0f)";
    case Kind::kLeakyRelu:
      return "x < 0 ? A * x : x";
    case Kind::kSoftplus:
      return "fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)))";
    case Kind::kSwish:
      return "x / (1.0f + expf(-A * x))";
    case Kind::kMish:
      return "mish(x)";
    case Kind::kElu:
      return "x < 0 ? A * expm1f(x * C) : B * x";
    case Kind::kAffine:
      return "A * x + B";
    case Kind::kSoftsign:
      return "x / (1.0f + fabsf(x))";
    case Kind::kAdd:
      return "x + y";
    case Kind::kSub:
      return "x - y";
    case Kind::kMul:
      return "x * y";
    case Kind::kDiv:
      return "x / y";
    case Kind::kMin:
      return "least(x, y)";
    case Kind::kMax:
      return "most(x, y)";
    case Kind::kPow:
      return "powf(x, y)";
  }
  return "x";
}

const char* TypeName(DType dtype) {
  return dtype == DType::kFloat32 ? "f32" : dtype == DType::kBFloat16 ? "bf16" : "f16";
}
const char* Element(DType dtype) {
  return dtype == DType::kFloat32 ? "float" : "u16";
}

std::string Literal(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return fmt::format("__uint_as_float({:#x}u)", bits);
}

// What a step reads: an input's element, or the result of a step.
std::string Operand(const ChainElementsArgs& args, int step, int place) {
  if (place == kChainLast) return fmt::format("s{}", step - 1);
  return place < args.inputs ? fmt::format("x{}[e]", place) : fmt::format("s{}", place - args.inputs);
}

}  // namespace

ChainSource WriteChainSource(const ChainElementsArgs& args, bool overlaps) {
  const int n = args.neighbours;
  const int64_t items = args.elements / n;
  std::string text = kPrelude;
  text += fmt::format("extern \"C\" __global__ void __launch_bounds__({}) chain(", kThreads);
  for (int i = 0; i < args.inputs; ++i) text += fmt::format("const {}* p{}, ", Element(args.x_dtypes[i]), i);
  text += fmt::format("{}* y) {{\n", Element(args.y_dtype));
  if (overlaps) text += "  asm volatile(\"griddepcontrol.launch_dependents;\" ::: \"memory\");\n";
  const char* const index = args.elements < int64_t{1} << 31 ? "u32" : "unsigned long long";
  text += fmt::format("  const {0} item = ({0})blockIdx.x * {1} + threadIdx.x;\n", index, kThreads);
  if (overlaps) text += "  asm volatile(\"griddepcontrol.wait;\" ::: \"memory\");\n";
  text += fmt::format("  if (item >= {}ull) return;\n  {} rest = item * {};\n", items, index, n);
  for (int i = 0; i < args.inputs; ++i) text += fmt::format("  long long at{} = 0;\n", i);
  for (int axis = args.rank - 1; axis >= 0; --axis) {
    // The compiler divides by constants.
    text += axis == 0 ? fmt::format("  const {} i0 = rest;\n", index)
                      : fmt::format("  const {0} i{1} = rest % {2}u; rest /= {2}u;\n", index, axis, args.dims[axis]);
    for (int i = 0; i < args.inputs; ++i) {
      const int64_t stride = args.strides[i][axis];
      if (stride != 0) text += fmt::format("  at{} += (long long)i{} * {}ll;\n", i, axis, stride);
    }
  }
  for (int i = 0; i < args.inputs; ++i) {
    const char* const type = TypeName(args.x_dtypes[i]);
    if (n == 1 || args.strides[i][args.rank - 1] != 0) {
      text += fmt::format("  float x{0}[{1}]; load_{2}<{1}>(p{0} + at{0}, x{0});\n", i, n, type);
    } else {
      text += fmt::format("  float one{0}[1], x{0}[{1}]; load_{2}<1>(p{0} + at{0}, one{0});\n", i, n, type);
      text += fmt::format("  for (int e = 0; e < {1}; ++e) x{0}[e] = one{0}[0];\n", i, n);
    }
  }
  text += fmt::format("  float r[{0}];\n#pragma unroll\n  for (int e = 0; e < {0}; ++e) {{\n", n);
  for (int s = 0; s < args.count; ++s) {
    const ChainElementsStep& step = args.steps[s];
    text += fmt::format("    float s{};\n    {{ const float x = {}, y = {}, A = {}, B = {}, C = {}; s{} = {}; }}\n", s,
                        Operand(args, s, step.left), Operand(args, s, step.right), Literal(step.step.alpha),
                        Literal(step.step.beta), Literal(step.step.gamma), s, Expression(step.step.kind));
  }
  text += fmt::format("    r[e] = s{};\n  }}\n  store_{}<{}>(y + (long long)item * {}, r);\n}}\n", args.count - 1,
                      TypeName(args.y_dtype), n, n);
  return {std::move(text), static_cast<unsigned>((items + kThreads - 1) / kThreads), kThreads};
}

}  // namespace tamis::cuda
