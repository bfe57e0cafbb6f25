#include "src/ops/op_tamis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace tamis {
namespace {
constexpr std::array<std::string_view, 14> kNames = {"",     "Relu",        "Clip",    "Gelu", "GeluTanh",
                                                     "Silu", "HardSwish",   "Sigmoid", "Tanh", "LeakyRelu",
                                                     "Elu",  "HardSigmoid", "Swish",   "Mish"};
}

std::string_view Name(Activation activation) {
  return kNames[static_cast<size_t>(activation)];
}

std::optional<Activation> ActivationFromName(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Activation>(found - kNames.begin());
}

bool HasParameters(Activation activation) {
  return activation == Activation::kClip || activation == Activation::kLeakyRelu || activation == Activation::kElu ||
         activation == Activation::kHardSigmoid || activation == Activation::kSwish;
}

Epilogue EpilogueOf(const Node& node) {
  Epilogue epilogue;
  epilogue.bias = node.input(2) != kNoValue;
  epilogue.residual = node.input(3) != kNoValue;
  const auto activation = ActivationFromName(node.String("activation", ""));
  TAMIS_ASSERT(activation.has_value());
  epilogue.activation = *activation;
  epilogue.clip_min = node.Float("clip_min", 0);
  epilogue.clip_max = node.Float("clip_max", 0);
  epilogue.alpha = node.Float("alpha", 0);
  epilogue.beta = node.Float("beta", 0);
  return epilogue;
}

void ForbidCodes(Node* attention) {
  for (const std::string of : {"q", "k", "v"}) {
    attention->attributes.erase(of + "_scale");
    attention->attributes.erase(of + "_zero_point");
  }
}

AttentionSight SightOf(const Node& node, int64_t queries, int64_t keys) {
  const int64_t base = node.Int("from_end", 0) != 0 ? keys - queries : 0;
  AttentionSight sight{-queries, keys};
  if (node.Int("windowed", 0) != 0) sight.first = std::clamp(base + node.Int("window_offset", 0), -queries, keys);
  if (node.Int("causal", 0) != 0) sight.last = std::clamp(base + node.Int("causal_offset", 0), -queries - 1, keys);
  return sight;
}

double Apply(const Epilogue& epilogue, double x) {
  switch (epilogue.activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kClip:
      return std::min(std::max(x, static_cast<double>(epilogue.clip_min)), static_cast<double>(epilogue.clip_max));
    case Activation::kGelu:
      return 0.5 * x * (1 + std::erf(x * std::numbers::sqrt2 / 2));
    case Activation::kGeluTanh: {
      const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      return 0.5 * x * (1 + std::tanh(inner));
    }
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kHardSwish:
      return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kLeakyRelu:
      return x < 0 ? static_cast<double>(epilogue.alpha) * x : x;
    case Activation::kElu:
      return x < 0 ? static_cast<double>(epilogue.alpha) * std::expm1(x) : x;
    case Activation::kHardSigmoid:
      return std::clamp(static_cast<double>(epilogue.alpha) * x + static_cast<double>(epilogue.beta), 0.0, 1.0);
    case Activation::kSwish:
      return x / (1 + std::exp(-static_cast<double>(epilogue.alpha) * x));
    case Activation::kMish:
      return x * std::tanh(std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))));
  }
  return x;
}

}  // namespace tamis
