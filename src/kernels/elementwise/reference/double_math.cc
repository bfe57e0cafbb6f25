// Functions of f64: the C library's, element by element, on all threads.
#include <algorithm>
#include <cmath>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

struct Args {
  double (*function)(double x, double alpha, double beta) = nullptr;
  double alpha = 0, beta = 0;
};

void Body(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto* x = static_cast<const double*>(inputs[0]);
  auto* y = static_cast<double*>(outputs[0]);
  for (int64_t i = begin; i < end; ++i) y[i] = args.function(x[i], args.alpha, args.beta);
}

struct Entry {
  std::string_view op;
  double (*function)(double x, double alpha, double beta);
  const char* alpha = nullptr;  // attributes and what they are by default
  float alpha_default = 0;
  const char* beta = nullptr;
  float beta_default = 0;
};

double Softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
double Sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
double HardSigmoid(double x, double alpha, double beta) {
  return std::clamp(alpha * x + beta, 0.0, 1.0);
}

constexpr float kSeluAlpha = 1.67326319217681884765625f, kSeluGamma = 1.05070102214813232421875f;

const Entry kEntries[] = {
    {"Exp", [](double x, double, double) { return std::exp(x); }},
    {"Log", [](double x, double, double) { return std::log(x); }},
    {"Sqrt", [](double x, double, double) { return std::sqrt(x); }},
    {"Reciprocal", [](double x, double, double) { return 1 / x; }},
    {"Erf", [](double x, double, double) { return std::erf(x); }},
    {"Sin", [](double x, double, double) { return std::sin(x); }},
    {"Cos", [](double x, double, double) { return std::cos(x); }},
    {"Tan", [](double x, double, double) { return std::tan(x); }},
    {"Atan", [](double x, double, double) { return std::atan(x); }},
    {"Floor", [](double x, double, double) { return std::floor(x); }},
    {"Ceil", [](double x, double, double) { return std::ceil(x); }},
    {"Round", [](double x, double, double) { return std::nearbyint(x); }},
    {"Tanh", [](double x, double, double) { return std::tanh(x); }},
    {"Sigmoid", [](double x, double, double) { return Sigmoid(x); }},
    {"Softplus", [](double x, double, double) { return Softplus(x); }},
    {"LeakyRelu", [](double x, double a, double) { return x < 0 ? a * x : x; }, "alpha", 0.01f},
    {"Asin", [](double x, double, double) { return std::asin(x); }},
    {"Acos", [](double x, double, double) { return std::acos(x); }},
    {"Sinh", [](double x, double, double) { return std::sinh(x); }},
    {"Cosh", [](double x, double, double) { return std::cosh(x); }},
    {"Asinh", [](double x, double, double) { return std::asinh(x); }},
    {"Acosh", [](double x, double, double) { return std::acosh(x); }},
    {"Atanh", [](double x, double, double) { return std::atanh(x); }},
    {"Softsign", [](double x, double, double) { return x / (1 + std::abs(x)); }},
    {"Mish", [](double x, double, double) { return x * std::tanh(Softplus(x)); }},
    {"HardSwish", [](double x, double, double) { return x * HardSigmoid(x, 1.0 / 6, 0.5); }},
    {"HardSigmoid", HardSigmoid, "alpha", 0.2f, "beta", 0.5f},
    {"Elu", [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }, "alpha", 1},
    {"Selu", [](double x, double a, double g) { return g * (x < 0 ? a * std::expm1(x) : x); }, "alpha", kSeluAlpha,
     "gamma", kSeluGamma},
    {"Celu", [](double x, double a, double) { return x < 0 ? a * std::expm1(x / a) : x; }, "alpha", 1},
    {"ThresholdedRelu", [](double x, double a, double) { return x > a ? x : 0.0; }, "alpha", 1},
    {"Swish", [](double x, double a, double) { return x * Sigmoid(a * x); }, "alpha", 1},
};

const Entry* Find(const std::string& op) {
  for (const Entry& entry : kEntries) {
    if (entry.op == op) return &entry;
  }
  return nullptr;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.input(0).dtype != DType::kFloat64)
    return UserError("computes float64, not {}", Name(problem.input(0).dtype));
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Entry& entry = *Find(problem.node->op);
  Args args{entry.function};
  if (entry.alpha != nullptr) args.alpha = problem.node->Float(entry.alpha, entry.alpha_default);
  if (entry.beta != nullptr) args.beta = problem.node->Float(entry.beta, entry.beta_default);
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, Body, Elements(problem.input(0)), 4096, problem.threads));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, 40.0 * static_cast<double>(Elements(problem.input(0))));
}

}  // namespace

extern const KernelDef kernel_double_math = {
    .name = "double_math",
    .family = "elementwise",
    .ops = {"Exp", "Log", "Sqrt", "Reciprocal", "Erf", "Tanh"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
    .in_place = 0b1,
};

}  // namespace tamis
