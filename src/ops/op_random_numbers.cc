#include "src/ops/op_random_numbers.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <numbers>
#include <random>

#include "src/ops/op_doubles.h"

namespace tamis {
namespace {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t FreshSeed() {
  static const uint64_t process = (uint64_t{std::random_device()()} << 32) | std::random_device()();
  static std::atomic<uint64_t> draws{0};
  return Mix(process + Mix(draws.fetch_add(1, std::memory_order_relaxed) + 1));
}

bool IsNumber(DType dtype, unsigned allowed) {
  if (IsFloat(dtype)) return BitSize(dtype) >= 16 && (allowed & kFloats) != 0;
  if (dtype == DType::kBool) return (allowed & kBools) != 0;
  return IsInteger(dtype) && BitSize(dtype) >= 8 && (allowed & kIntegers) != 0;
}

}  // namespace

RandomNumbers::RandomNumbers(std::optional<float> seed)
    : seed_(seed ? Mix(std::bit_cast<uint32_t>(*seed)) : FreshSeed()) {}

RandomNumbers::RandomNumbers(const Node& node)
    : RandomNumbers(node.Has("seed") ? std::optional<float>(node.Float("seed", 0)) : std::nullopt) {}

double RandomNumbers::Uniform(int64_t index) const {
  const uint64_t bits = Mix(seed_ + (static_cast<uint64_t>(index) + 1) * 0x9e3779b97f4a7c15u);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

double RandomNumbers::Normal(int64_t index) const {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform(2 * index)));
  return radius * std::cos(2 * std::numbers::pi * Uniform(2 * index + 1));
}

Result<DType> RandomDType(const InferContext& context, DType fallback, unsigned allowed) {
  const int64_t given = context.node().Int("dtype", static_cast<int64_t>(fallback));
  const auto dtype = given >= 0 && given <= 26 ? static_cast<DType>(given) : DType::kUndefined;
  if (given != 0 && !IsNumber(dtype, allowed)) {
    return context.Error(fmt::format("a result of element type {} is not possible; give attribute 'dtype'", given));
  }
  return dtype;
}

Status InferRandom(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 0, 0));
  TAMIS_ASSIGN_OR_RETURN(const DType dtype, RandomDType(context, DType::kFloat32, kFloats));
  if (!context.node().Has("shape")) return context.Error("attribute 'shape' is missing");
  return SetShape(context, 0, dtype, ToShape(context.node().Ints("shape")));
}

Status InferRandomLike(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_ASSIGN_OR_RETURN(const DType dtype, RandomDType(context, context.InputDType(0), kFloats));
  context.SetOutputDType(0, dtype);
  if (context.InputShape(0) == nullptr) return {};
  return SetShape(context, 0, dtype, *context.InputShape(0));
}

Status EvalRandom(EvalContext& context, const std::function<double(const RandomNumbers&, int64_t)>& number) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const RandomNumbers random(context.node);
  std::vector<double> values(static_cast<size_t>(context.outputs[0].NumElements()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = number(random, static_cast<int64_t>(i));
  WriteDoubles(context.outputs[0], values);
  return {};
}

Status EvalRandomNormal(EvalContext& context) {
  const double mean = context.node.Float("mean", 0), scale = context.node.Float("scale", 1);
  return EvalRandom(context, [&](const RandomNumbers& random, int64_t i) { return mean + scale * random.Normal(i); });
}

Status EvalRandomUniform(EvalContext& context) {
  const double low = context.node.Float("low", 0), high = context.node.Float("high", 1);
  return EvalRandom(context,
                    [&](const RandomNumbers& random, int64_t i) { return low + (high - low) * random.Uniform(i); });
}

}  // namespace tamis
