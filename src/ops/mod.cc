// Mod: the sign of the divisor for integers, of the dividend with fmod = 1.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct ModOp {
  static constexpr Elements kElements = Elements::kNumbers;
  bool fmod;
  explicit ModOp(const Node& node) : fmod(node.Int("fmod", 0) != 0) {}
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, bool>) {
      return false;
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(std::fmod(a, b));
    } else {
      if (b == 0) return T{0};
      if constexpr (std::is_signed_v<T>) {
        if (b == T{-1}) return T{0};  // the lowest number modulo -1 traps on x86
      }
      const T rest = static_cast<T>(a % b);
      const bool adjust = !fmod && rest != 0 && ((rest < 0) != (b < 0));
      return adjust ? static_cast<T>(rest + b) : rest;
    }
  }
};

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(InferBroadcast(context));
  InferContents(context, [](const Dim& a, const Dim& b) -> std::optional<Dim> {
    const auto divisor = b.Constant();
    if (divisor && *divisor == 0) return std::nullopt;
    return Dim::Mod(a, b);
  });
  return {};
}

}  // namespace

extern const OpDef op_mod = {"Mod", "", 10, Infer, EvalBroadcast<ModOp>};

}  // namespace tamis
