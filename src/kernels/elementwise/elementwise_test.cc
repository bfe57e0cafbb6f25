#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "src/base/float16.h"
#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

using Binary = std::function<double(double, double)>;
using Unary = std::function<double(double)>;

// The element of a broadcast operand at flat index `at` of `out`.
size_t BroadcastIndex(const Dims& dims, const Dims& out, int64_t at) {
  int64_t index = 0, stride = 1;
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t dim = out[out.size() - 1 - i];
    const int64_t own = i < dims.size() ? dims[dims.size() - 1 - i] : 1;
    if (own != 1) index += at % dim * stride;
    stride *= own;
    at /= dim;
  }
  return static_cast<size_t>(index);
}

KernelCase BinaryCase(const std::string& op, const Binary& f, Tensor a, Tensor b, DType out, const Dims& dims) {
  KernelCase c;
  c.name = fmt::format("{} {}{} {}{} to {}{}", op, Name(a.dtype()), ToString(a.dims()), Name(b.dtype()),
                       ToString(b.dims()), Name(out), ToString(dims));
  c.node = {op, "", {}};
  c.inputs = {a, b};
  c.outputs = {{out, dims}};
  const auto x = Doubles(a), y = Doubles(b);
  std::vector<double> result;
  for (int64_t i = 0; i < NumElements(dims); ++i) {
    result.push_back(f(x[BroadcastIndex(a.dims(), dims, i)], y[BroadcastIndex(b.dims(), dims, i)]));
  }
  c.expected = {result};
  return c;
}

const std::vector<std::pair<std::string, Binary>>& BinaryOperators() {
  static const std::vector<std::pair<std::string, Binary>> kOperators = {
      {"Add", [](double a, double b) { return a + b; }},
      {"Sub", [](double a, double b) { return a - b; }},
      {"Mul", [](double a, double b) { return a * b; }},
      {"Div", [](double a, double b) { return a / b; }},
      {"Min", [](double a, double b) { return std::min(a, b); }},
      {"Max", [](double a, double b) { return std::max(a, b); }},
      {"PRelu", [](double a, double b) { return a < 0 ? a * b : a; }}};
  return kOperators;
}

void AddBinaryCases(std::vector<KernelCase>& cases) {
  struct Shapes {
    Dims a, b, out;
  };
  for (const Shapes& s : std::vector<Shapes>{{{}, {}, {}},
                                             {{3, 1000}, {3, 1000}, {3, 1000}},
                                             {{2, 140000}, {2, 140000}, {2, 140000}},
                                             {{5, 7}, {}, {5, 7}},
                                             {{1}, {4, 33}, {4, 33}},
                                             {{2, 3, 19}, {19}, {2, 3, 19}},
                                             {{2, 3, 19}, {3, 1}, {2, 3, 19}},
                                             {{2, 1, 5, 1}, {3, 1, 4}, {2, 3, 5, 4}},
                                             {{0, 4}, {4}, {0, 4}}}) {
    for (const auto& [op, f] : BinaryOperators()) {
      for (int types = 0; types < 8; ++types) {
        if (NumElements(s.out) > 100000 && types % 7 != 0) continue;  // large ones: all f32 and all bf16
        const auto dtype = [&](int bit) { return (types >> bit & 1) != 0 ? DType::kBFloat16 : DType::kFloat32; };
        KernelCase c =
            BinaryCase(op, f, RandomTensor(dtype(0), s.a, 1), RandomTensor(dtype(1), s.b, 2, 0.5, 3), dtype(2), s.out);
        c.absolute = 1e-6;
        cases.push_back(c);
      }
    }
  }
  for (const auto& [op, f] : BinaryOperators()) {
    if (op == "Div" || op == "PRelu") continue;
    cases.push_back(BinaryCase(op, f, Int64Tensor({2, 3}, {1, -2, 3, 4, 5, -6}), Int64Tensor({3}, {7, 8, -9}),
                               DType::kInt64, {2, 3}));
    Tensor words(DType::kInt32, {2, 1});
    words.Data<int32_t>()[1] = -5;
    cases.push_back(BinaryCase(op, f, words, words, DType::kInt32, {2, 1}));
  }
}

KernelCase UnaryCase(const NodeSpec& node, const Unary& f, Tensor x, DType out) {
  KernelCase c;
  c.name = fmt::format("{} {}{} to {}", node.op, Name(x.dtype()), ToString(x.dims()), Name(out));
  c.node = node;
  c.inputs = {x};
  c.outputs = {{out, x.dims()}};
  c.expected = {{}};
  for (const double value : Doubles(x)) c.expected[0].push_back(f(value));
  c.absolute = 1e-6;
  return c;
}

double Clamp(double x, double low, double high) {
  return std::min(std::max(x, low), high);
}

void AddUnaryCases(std::vector<KernelCase>& cases) {
  const std::vector<std::pair<NodeSpec, Unary>> operators = {
      {{"Relu", "", {}}, [](double x) { return std::max(x, 0.0); }},
      {{"Gelu", "", {}}, [](double x) { return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5))); }},
      {{"Gelu", "", {{"approximate", std::string("tanh")}}},
       [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }},
      {{"Tanh", "", {}}, [](double x) { return std::tanh(x); }},
      {{"Sigmoid", "", {}}, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {{"Clip", "", {{"min", -1.0f}, {"max", 6.0f}}}, [](double x) { return Clamp(x, -1, 6); }},
      {{"Clip", "", {}}, [](double x) { return x; }},
      {{"HardSwish", "", {}}, [](double x) { return x * Clamp(x / 6 + 0.5, 0, 1); }},
      {{"Erf", "", {}}, [](double x) { return std::erf(x); }},
      {{"Exp", "", {}}, [](double x) { return std::exp(x); }},
      {{"Neg", "", {}}, [](double x) { return -x; }},
      {{"HardSigmoid", "", {}}, [](double x) { return Clamp(static_cast<double>(0.2f) * x + 0.5, 0, 1); }},
      {{"LeakyRelu", "", {{"alpha", 0.25f}}}, [](double x) { return x < 0 ? 0.25 * x : x; }},
      {{"Elu", "", {{"alpha", 0.5f}}}, [](double x) { return x < 0 ? 0.5 * std::expm1(x) : x; }},
      {{"Selu", "", {{"alpha", 0.5f}, {"gamma", 3.0f}}},
       [](double x) { return 3 * (x < 0 ? 0.5 * std::expm1(x) : x); }},
      {{"Celu", "", {{"alpha", 0.5f}}}, [](double x) { return x < 0 ? 0.5 * std::expm1(x / 0.5) : x; }},
      {{"Softplus", "", {}}, [](double x) { return std::log1p(std::exp(x)); }},
      {{"Softsign", "", {}}, [](double x) { return x / (1 + std::abs(x)); }},
      {{"Mish", "", {}}, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }},
      {{"ThresholdedRelu", "", {{"alpha", 2.0f}}}, [](double x) { return x > 2 ? x : 0; }},
      {{"Swish", "", {{"alpha", 0.5f}}}, [](double x) { return x / (1 + std::exp(-0.5 * x)); }},
      {{"Abs", "", {}}, [](double x) { return std::abs(x); }},
      {{"Reciprocal", "", {}}, [](double x) { return 1 / x; }}};
  for (const DType in : {DType::kFloat32, DType::kBFloat16}) {
    for (const DType out : {DType::kFloat32, DType::kBFloat16}) {
      for (const Dims& dims : {Dims{}, Dims{13}, Dims{2, 515}, Dims{70000}}) {
        for (const auto& [node, f] : operators) {
          cases.push_back(UnaryCase(node, f, RandomTensor(in, dims, 11, -9, 9), out));
        }
        cases.push_back(UnaryCase(
            {"Sqrt", "", {}}, [](double x) { return std::sqrt(x); }, RandomTensor(in, dims, 12, 0, 9), out));
      }
      KernelCase clip = UnaryCase(
          {"Clip", "", {}}, [](double x) { return Clamp(x, -1.5, 2.5); }, RandomTensor(in, {37}, 13, -9, 9), out);
      clip.inputs.push_back(RandomTensor(in, {}, 1, -1.5, -1.5));
      clip.inputs.push_back(RandomTensor(in, {}, 1, 2.5, 2.5));
      cases.push_back(clip);
      clip.inputs[1] = {};  // no lower bound
      for (size_t i = 0; i < 37; ++i) clip.expected[0][i] = std::min(Doubles(clip.inputs[0])[i], 2.5);
      cases.push_back(clip);
    }
  }
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  Tensor special(DType::kFloat32, {4});
  const float values[] = {static_cast<float>(-infinity), static_cast<float>(infinity), std::nanf(""), -100.0f};
  std::copy(values, values + 4, special.Data<float>());
  for (const auto& [op, want] : std::vector<std::pair<std::string, std::vector<double>>>{
           {"Exp", {0, infinity, nan, 0}}, {"Tanh", {-1, 1, nan, -1}}, {"Sigmoid", {0, 1, nan, 0}}}) {
    KernelCase c = UnaryCase(
        {op, "", {}}, [](double x) { return x; }, special, DType::kFloat32);
    c.name += " of infinities and a NaN";
    c.expected = {want};
    cases.push_back(c);
  }
}

void AddCastCases(std::vector<KernelCase>& cases) {
  Tensor booleans(DType::kBool, {5}), words(DType::kInt32, {5}), bytes(DType::kInt8, {5}),
      unsigneds(DType::kUInt8, {5});
  for (int i = 0; i < 5; ++i) {
    booleans.Data<bool>()[i] = i % 2 == 1;
    words.Data<int32_t>()[i] = i - 2;
    bytes.Data<int8_t>()[i] = static_cast<int8_t>(i);
    unsigneds.Data<uint8_t>()[i] = static_cast<uint8_t>(i);
  }
  const auto same = [](double x) { return x; };
  for (const Tensor& from : {booleans, words, bytes, unsigneds, Int64Tensor({5}, {0, 1, -2, 3, 100}),
                             RandomTensor(DType::kFloat32, {777}, 3), RandomTensor(DType::kBFloat16, {777}, 4)}) {
    for (const DType to : {DType::kFloat32, DType::kBFloat16}) {
      cases.push_back(UnaryCase({"Cast", "", {}}, same, from, to));
    }
    for (const DType to : {DType::kInt64, DType::kInt32}) {
      cases.push_back(UnaryCase(
          {"Cast", "", {}}, [](double x) { return std::trunc(x); }, from, to));
    }
    cases.push_back(UnaryCase(
        {"Cast", "", {}}, [](double x) { return x != 0 ? 1.0 : 0.0; }, from, DType::kBool));
  }
  // Ties to even, NaN, subnormals and infinity exactly as the scalar conversion; floats beyond int32.
  Tensor edges(DType::kFloat32, {6});
  const float values[] = {
      1.00390625f,  1.01171875f, 1e-40f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::max(),
      std::nanf("")};
  std::copy(values, values + 6, edges.Data<float>());
  KernelCase c = UnaryCase(
      {"Cast", "", {}}, [](double x) { return Bf16ToFloat(FloatToBf16(static_cast<float>(x))); }, edges,
      DType::kBFloat16);
  c.absolute = 0;
  c.relative = -1.0 / 256;  // exact
  cases.push_back(c);
  c = UnaryCase({"Cast", "", {}}, same, edges, DType::kInt32);
  c.expected = {{1, 1, 0, 2147483647, 2147483647, 0}};
  cases.push_back(c);
}

void AddWhereCases(std::vector<KernelCase>& cases) {
  Tensor condition(DType::kBool, {4, 1});
  for (int i = 0; i < 4; ++i) condition.Data<bool>()[i] = i % 2 == 0;
  const Dims dims{3, 4, 5};
  Tensor flags(DType::kBool, {5});
  flags.Data<bool>()[3] = true;
  for (const auto& [x, y] : std::vector<std::pair<Tensor, Tensor>>{
           {RandomTensor(DType::kFloat32, dims, 1), RandomTensor(DType::kFloat32, {}, 2)},
           {RandomTensor(DType::kBFloat16, {3, 1, 1}, 1), RandomTensor(DType::kBFloat16, {4, 5}, 2)},
           {Int64Tensor({1}, {-7}), Int64Tensor({3, 1, 1}, {1, 2, 3})},
           {flags, condition}}) {
    KernelCase c;
    c.name = fmt::format("Where {}", Name(x.dtype()));
    c.node = {"Where", "", {}};
    c.inputs = {condition, x, y};
    c.outputs = {{x.dtype(), dims}};
    c.expected = {{}};
    const auto p = Doubles(condition), a = Doubles(x), b = Doubles(y);
    for (int64_t i = 0; i < 60; ++i) {
      c.expected[0].push_back(p[BroadcastIndex(condition.dims(), dims, i)] != 0 ? a[BroadcastIndex(x.dims(), dims, i)]
                                                                                : b[BroadcastIndex(y.dims(), dims, i)]);
    }
    cases.push_back(c);
  }
}

Tensor Bools(const Tensor& integers) {
  Tensor tensor(DType::kBool, integers.dims());
  for (int64_t i = 0; i < integers.NumElements(); ++i) tensor.Data<bool>()[i] = integers.Data<int64_t>()[i] != 0;
  return tensor;
}

void AddComparisonCases(std::vector<KernelCase>& cases) {
  for (const auto& [a, b] : std::vector<std::pair<Dims, Dims>>{{{3, 70}, {3, 70}}, {{2, 3, 19}, {3, 1}}, {{5}, {}}}) {
    for (const char* op : {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) {
      for (const DType dtype : {DType::kInt32, DType::kInt64}) {
        cases.push_back(
            ReferenceCase({op, "", {}}, {RandomIndices(dtype, a, 1, -2, 2), RandomIndices(dtype, b, 2, -2, 2)}));
      }
      Tensor x = RandomTensor(DType::kFloat32, a, 3), y = RandomTensor(DType::kFloat32, b, 4);
      x.Data<float>()[0] = std::nanf("");
      x.Data<float>()[1] = y.Data<float>()[0];
      cases.push_back(ReferenceCase({op, "", {}}, {x, y}));
    }
    const Tensor p = Bools(RandomIndices(DType::kInt64, a, 5, 0, 1)),
                 q = Bools(RandomIndices(DType::kInt64, b, 6, 0, 1));
    for (const char* op : {"And", "Or", "Xor"}) cases.push_back(ReferenceCase({op, "", {}}, {p, q}));
    cases.push_back(ReferenceCase({"Not", "", {}}, {p}));
    cases.push_back(ReferenceCase(
        {"Pow", "", {}}, {RandomTensor(DType::kFloat32, a, 7, 0, 3), RandomTensor(DType::kFloat32, b, 8, -2, 2)}, {}, 1,
        1e-5));
    cases.back().relative = 1e-5;
  }
  const Tensor x = RandomTensor(DType::kFloat32, {4, 33}, 9, -5, 5),
               positive = RandomTensor(DType::kFloat32, {99}, 9, 0.1, 5);
  for (const float exponent : {2.0f, 3.0f, 1.0f, -1.0f, 0.5f, 1.7f, 0.0f}) {
    cases.push_back(ReferenceCase({"Pow", "", {}}, {positive, Tensor::Float(exponent)}, {}, 1, 1e-5));
  }
  for (const char* op : {"Sin", "Cos", "Floor", "Ceil", "Round"}) {
    cases.push_back(ReferenceCase({op, "", {}}, {x}, {}, 1, 1e-6));
  }
  cases.push_back(ReferenceCase({"Log", "", {}}, {positive}, {}, 1, 1e-6));
}

const DType kWideTypes[] = {DType::kFloat64, DType::kInt64,  DType::kInt32,  DType::kInt16, DType::kInt8,
                            DType::kUInt64,  DType::kUInt32, DType::kUInt16, DType::kUInt8};

bool IsSigned(DType dtype) {
  return dtype == DType::kFloat64 || dtype == DType::kInt64 || dtype == DType::kInt32 || dtype == DType::kInt16 ||
         dtype == DType::kInt8;
}

// Every element type beside f32 and bf16, from the reference, exactly: the results are integers or one rounding.
void AddTypedCases(std::vector<KernelCase>& cases) {
  const std::pair<Dims, Dims> shapes[] = {{{3, 70}, {3, 70}}, {{2, 3, 19}, {3, 1}}, {{5}, {}}, {{1}, {4, 9}}};
  for (const DType dtype : kWideTypes) {
    const int64_t low = IsSigned(dtype) ? -120 : 0;
    for (const auto& [a, b] : shapes) {
      const Tensor x = Converted(RandomIndices(DType::kInt64, a, 1, low, 120), dtype);
      const Tensor y = Converted(RandomIndices(DType::kInt64, b, 2, 1, 9), dtype);
      for (const char* op : {"Add", "Sub", "Mul", "Div", "Min", "Max", "Equal", "Less", "GreaterOrEqual", "PRelu"}) {
        if (std::string(op) == "PRelu" && a.size() < b.size()) continue;  // the slope is what broadcasts
        cases.push_back(ReferenceCase({op, "", {}}, {x, y}));
      }
      for (const int64_t fmod : {0, 1}) {
        if (fmod == 1 || dtype != DType::kFloat64)
          cases.push_back(ReferenceCase({"Mod", "", {{"fmod", fmod}}}, {x, y}));
      }
      cases.push_back(ReferenceCase({"Pow", "", {}}, {y, Converted(RandomIndices(DType::kInt64, a, 3, 0, 2), dtype)}));
      if (dtype == DType::kFloat64) continue;
      for (const char* op : {"BitwiseAnd", "BitwiseOr", "BitwiseXor"}) {
        cases.push_back(ReferenceCase({op, "", {}}, {x, y}));
      }
      for (const char* direction : {"LEFT", "RIGHT"}) {
        const Tensor amounts = Converted(RandomIndices(DType::kInt64, b, 4, IsSigned(dtype) ? -3 : 0, 70), dtype);
        cases.push_back(ReferenceCase({"BitShift", "", {{"direction", std::string(direction)}}}, {x, amounts}));
      }
    }
    const Tensor x = Converted(RandomIndices(DType::kInt64, {7, 31}, 5, low, 120), dtype);
    for (const char* op : {"Abs", "Neg", "Sign", "Relu", "Clip", "BitwiseNot", "Shrink"}) {
      if (op == std::string("BitwiseNot") && dtype == DType::kFloat64) continue;
      cases.push_back(ReferenceCase({op, "", {}}, {x}));
    }
    const Tensor lowest = Converted(Int64Tensor({}, {3}), dtype), highest = Converted(Int64Tensor({}, {77}), dtype);
    cases.push_back(ReferenceCase({"Clip", "", {}}, {x, lowest, highest}));
    cases.push_back(ReferenceCase({"Clip", "", {}}, {x, Tensor(), highest}));
  }
  for (const DType exponent : {DType::kInt64, DType::kInt32, DType::kFloat64, DType::kFloat32}) {
    for (const DType base : {DType::kFloat32, DType::kFloat64, DType::kInt64, DType::kInt32}) {
      const Tensor x = Converted(RandomIndices(DType::kInt64, {4, 33}, 6, 1, 9), base);
      for (const Dims& dims : {Dims{}, Dims{33}}) {
        cases.push_back(
            ReferenceCase({"Pow", "", {}}, {x, Converted(RandomIndices(DType::kInt64, dims, 7, 0, 3), exponent)}));
      }
    }
  }
  for (const char* op : {"Tan",         "Atan",    "Tanh", "Erf",      "Exp",
                         "Softplus",    "Sigmoid", "Mish", "Softsign", "HardSwish",
                         "HardSigmoid", "Elu",     "Selu", "Celu",     "ThresholdedRelu",
                         "LeakyRelu",   "Floor",   "Ceil", "Round",    "Sinh",
                         "Cosh",        "Asinh",   "Sin",  "Cos",      "Reciprocal"}) {
    const Tensor x = RandomTensor(DType::kFloat32, {3, 700}, 8, -3, 3);
    cases.push_back(ReferenceCase({op, "", {}}, {Converted(x, DType::kFloat64)}, {}, 1, 1e-12));
    cases.push_back(ReferenceCase({op, "", {}}, {x}, {}, 1, 1e-5));
    cases.back().relative = 1e-5;
  }
  for (const auto& [op, low, high] : std::vector<std::tuple<const char*, double, double>>{
           {"Log", 0.01, 9}, {"Sqrt", 0, 9}, {"Asin", -1, 1}, {"Acos", -1, 1}, {"Acosh", 1, 9}, {"Atanh", -0.9, 0.9}}) {
    const Tensor x = RandomTensor(DType::kFloat32, {3, 700}, 9, low, high);
    cases.push_back(ReferenceCase({op, "", {}}, {Converted(x, DType::kFloat64)}, {}, 1, 1e-12));
    cases.push_back(ReferenceCase({op, "", {}}, {x}, {}, 1, 1e-5));
  }
}

void AddVariadicCases(std::vector<KernelCase>& cases) {
  const Tensor a = RandomTensor(DType::kFloat32, {3, 1, 2100}, 1), b = RandomTensor(DType::kFloat32, {5, 1}, 2),
               c = RandomTensor(DType::kFloat32, {3, 5, 2100}, 3), d = RandomTensor(DType::kFloat32, {}, 4);
  for (const char* op : {"Sum", "Mean", "Max", "Min"}) {
    for (const std::vector<Tensor>& inputs :
         std::vector<std::vector<Tensor>>{{a}, {a, b}, {a, b, c, d}, {d, c, b}, {d, b}}) {
      cases.push_back(ReferenceCase({op, "", {}}, inputs, {}, 1, 1e-6));
    }
  }
  const Tensor gate = RandomTensor(DType::kFloat32, {4, 515}, 5, -6, 6),
               up = RandomTensor(DType::kFloat32, {4, 515}, 6);
  cases.push_back(ReferenceCase({"SwiGLU", "", {{"alpha", 1.7f}}}, {gate, up}, {}, 1, 2e-6, 28));
}

// Numbers that are not finite, not normal, and halves between integers.
void AddEdgeCases(std::vector<KernelCase>& cases) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {0.0f,        -0.0f,     0.5f,          -0.5f,  1.5f,        2.5f,
                               -2.5f,       1e-40f,    1e-45f,        3e38f,  8388609.0f,  -1e10f,
                               infinity,    -infinity, std::nanf(""), 1e-38f, 0.99999994f, 1.0000001f,
                               0.70710677f, 9000.0f,   -70000.0f,     1e6f};
  const Tensor x =
      Tensor::Of<float>(DType::kFloat32, {static_cast<int64_t>(values.size())}, std::span<const float>(values));
  for (const char* op : {"Floor", "Ceil", "Round", "Sign", "Log", "Atan", "IsNaN", "IsInf", "Sin", "Cos", "Shrink"}) {
    cases.push_back(ReferenceCase({op, "", {}}, {x}, {}, 1, 1e-6));
    cases.back().name += " of edges";
  }
  for (const char* key : {"detect_positive", "detect_negative"}) {
    cases.push_back(ReferenceCase({"IsInf", "", {{key, int64_t{0}}}}, {x}));
    cases.push_back(ReferenceCase({"IsInf", "", {{key, int64_t{0}}}}, {Converted(x, DType::kFloat64)}));
  }
  cases.push_back(ReferenceCase({"IsNaN", "", {}}, {Converted(x, DType::kFloat64)}));
  // Integers beside f32: beyond the bounds the nearest of them, as the casts of narrower integers.
  KernelCase bounds = ReferenceCase({"Cast", "", {{"to", static_cast<int64_t>(DType::kInt64)}}}, {x});
  cases.push_back(bounds);
}

void AddHalfCastCases(std::vector<KernelCase>& cases) {
  const Tensor x = RandomTensor(DType::kFloat32, {777}, 5, -100, 100);
  std::vector<DType> types(std::begin(kWideTypes), std::end(kWideTypes));
  types.insert(types.end(), {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kBool});
  for (const DType from : types) {
    const bool any = IsSigned(from) || from == DType::kFloat32 || from == DType::kFloat16 || from == DType::kBFloat16;
    const Tensor source = Converted(RandomIndices(DType::kInt64, {777}, 6, any ? -100 : 0, 100), from);
    for (const DType to : types) {
      if (any && !IsSigned(to) && IsInteger(to)) continue;  // negative numbers have none
      cases.push_back(ReferenceCase({"Cast", "", {{"to", static_cast<int64_t>(to)}}}, {source}));
      cases.push_back(ReferenceCase({"CastLike", "", {}}, {source, Converted(Int64Tensor({1}, {1}), to)}));
    }
  }
  for (const DType half : {DType::kFloat16, DType::kBFloat16}) {
    cases.push_back(ReferenceCase({"Cast", "", {{"to", static_cast<int64_t>(half)}}}, {x}));
  }
}

TEST(ElementwiseKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  AddBinaryCases(cases);
  AddUnaryCases(cases);
  AddCastCases(cases);
  AddWhereCases(cases);
  AddComparisonCases(cases);
  AddTypedCases(cases);
  AddVariadicCases(cases);
  AddEdgeCases(cases);
  AddHalfCastCases(cases);
  CheckFamily("elementwise", cases);
}

TEST(ElementwiseKernels, RefuseWhatTheyCannotCompute) {
  const auto divide = [](double a, double) { return a; };
  ExpectCheckFails("elementwise",
                   BinaryCase("Div", divide, Int64Tensor({1}, {1}), Int64Tensor({1}, {0}), DType::kInt64, {1}));
  KernelCase c = BinaryCase("Add", divide, Int64Tensor({2}, {1, 2}), Int64Tensor({1}, {0}), DType::kInt64, {2});
  c.inputs[1] = Int64Tensor({3}, {1, 2, 3});
  ExpectRefused("elementwise", c, "doesn't broadcast");
}

}  // namespace
}  // namespace tamis::kernel_test
