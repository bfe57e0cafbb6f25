#include "src/ir/dim.h"

#include <algorithm>
#include <iterator>

namespace tamis {
namespace {
enum AtomOp { kSymbol, kFloorDiv, kMod, kMin, kMax };

int64_t FloorDivide(int64_t a, int64_t b) {
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

int64_t Apply(int op, int64_t a, int64_t b) {
  // The lowest number by -1 traps on x86; it wraps here as every other overflow does.
  if (b == -1 && op == kFloorDiv) return static_cast<int64_t>(0 - static_cast<uint64_t>(a));
  if (b == -1 && op == kMod) return 0;
  switch (op) {
    case kFloorDiv:
      return FloorDivide(a, b);
    case kMod:
      return a - b * FloorDivide(a, b);
    case kMin:
      return std::min(a, b);
    default:
      return std::max(a, b);
  }
}
}  // namespace

struct DimAtom {
  int op = kSymbol;
  std::string name;  // of a symbol
  Dim a, b;          // of an operation

  std::string Key() const {
    switch (op) {
      case kSymbol:
        return name;
      case kFloorDiv:
        return "floor(" + a.ToString() + " / (" + b.ToString() + "))";
      case kMod:
        return "mod(" + a.ToString() + ", " + b.ToString() + ")";
      case kMin:
        return "min(" + a.ToString() + ", " + b.ToString() + ")";
      default:
        return "max(" + a.ToString() + ", " + b.ToString() + ")";
    }
  }
};

Dim::Dim(int64_t value) {
  if (value != 0) terms_[{}] = value;
}

Dim Dim::FromAtom(DimAtom atom) {
  Dim dim;
  auto shared = std::make_shared<const DimAtom>(std::move(atom));
  const std::string key = shared->Key();
  dim.terms_[{key}] = 1;
  dim.atoms_[key] = std::move(shared);
  return dim;
}

Dim Dim::Symbol(std::string name) {
  return FromAtom({kSymbol, std::move(name), {}, {}});
}

Dim operator+(const Dim& a, const Dim& b) {
  Dim sum = a;
  for (const auto& [monomial, coefficient] : b.terms_) {
    int64_t& value = sum.terms_[monomial];
    value = static_cast<int64_t>(static_cast<uint64_t>(value) + static_cast<uint64_t>(coefficient));
    if (value == 0) sum.terms_.erase(monomial);
  }
  sum.atoms_.insert(b.atoms_.begin(), b.atoms_.end());
  return sum;
}

Dim operator-(const Dim& a, const Dim& b) {
  return a + Dim(-1) * b;
}

Dim operator*(const Dim& a, const Dim& b) {
  Dim product;
  for (const auto& [ma, ca] : a.terms_) {
    for (const auto& [mb, cb] : b.terms_) {
      Dim::Monomial monomial = ma;
      monomial.insert(monomial.end(), mb.begin(), mb.end());
      std::sort(monomial.begin(), monomial.end());
      int64_t& value = product.terms_[monomial];
      value =
          static_cast<int64_t>(static_cast<uint64_t>(value) + static_cast<uint64_t>(ca) * static_cast<uint64_t>(cb));
      if (value == 0) product.terms_.erase(monomial);
    }
  }
  product.atoms_ = a.atoms_;
  product.atoms_.insert(b.atoms_.begin(), b.atoms_.end());
  return product;
}

Dim Dim::Binary(int op, const Dim& a, const Dim& b) {
  const auto ca = a.Constant();
  const auto cb = b.Constant();
  if (ca && cb && !((op == kFloorDiv || op == kMod) && *cb == 0)) return Dim(Apply(op, *ca, *cb));
  if (op == kMin || op == kMax) {
    if (a == b || (op == kMin ? b - a : a - b).NonNegative()) return a;
    if ((op == kMin ? a - b : b - a).NonNegative()) return b;
  }
  if (op == kFloorDiv && cb == 1) return a;
  if (op == kMod && cb == 1) return Dim(0);
  if ((op == kFloorDiv || op == kMod) && a == b) return Dim(op == kFloorDiv ? 1 : 0);
  if ((op == kFloorDiv || op == kMod) && cb && *cb > 0) {
    // Terms whose coefficient the divisor divides leave the division exactly.
    Dim whole;
    Dim rest = a;
    for (const auto& [monomial, coefficient] : a.terms_) {
      if (coefficient % *cb != 0) continue;
      whole.terms_[monomial] = coefficient / *cb;
      rest.terms_.erase(monomial);
    }
    whole.atoms_ = a.atoms_;
    const auto rest_constant = rest.Constant();
    if (rest_constant) {
      const Dim tail(Apply(op, *rest_constant, *cb));
      return op == kFloorDiv ? whole + tail : tail;
    }
    if (!whole.terms_.empty()) return op == kFloorDiv ? whole + Binary(op, rest, b) : Binary(op, rest, b);
  }
  // (k * b) / b for a single symbolic divisor term, as Reshape's -1 produces it.
  if (op == kFloorDiv && !cb && b.terms_.size() == 1 && b.terms_.begin()->second > 0 && !a.terms_.empty()) {
    const auto& [divisor, dc] = *b.terms_.begin();
    Dim quotient;
    quotient.atoms_ = a.atoms_;
    bool exact = true;
    for (const auto& [monomial, coefficient] : a.terms_) {
      if (coefficient % dc != 0 || !std::includes(monomial.begin(), monomial.end(), divisor.begin(), divisor.end())) {
        exact = false;
        break;
      }
      Monomial left;
      std::set_difference(monomial.begin(), monomial.end(), divisor.begin(), divisor.end(), std::back_inserter(left));
      quotient.terms_[left] = coefficient / dc;
    }
    if (exact) return quotient;
  }
  return FromAtom({op, "", a, b});
}

Dim Dim::FloorDiv(const Dim& a, const Dim& b) {
  return Binary(kFloorDiv, a, b);
}
Dim Dim::Mod(const Dim& a, const Dim& b) {
  return Binary(kMod, a, b);
}
Dim Dim::Min(const Dim& a, const Dim& b) {
  return Binary(kMin, a, b);
}
Dim Dim::Max(const Dim& a, const Dim& b) {
  return Binary(kMax, a, b);
}

bool operator==(const Dim& a, const Dim& b) {
  return a.terms_ == b.terms_;
}

bool Dim::IsConstant() const {
  return terms_.empty() || (terms_.size() == 1 && terms_.begin()->first.empty());
}

std::optional<int64_t> Dim::Constant() const {
  if (!IsConstant()) return std::nullopt;
  return terms_.empty() ? 0 : terms_.begin()->second;
}

std::string Dim::ToString() const {
  if (terms_.empty()) return "0";
  std::string text;
  for (auto it = terms_.rbegin(); it != terms_.rend(); ++it) {  // the constant term, whose key is empty, comes last
    const auto& [monomial, coefficient] = *it;
    int64_t magnitude = coefficient;
    if (text.empty()) {
      if (magnitude < 0 && !monomial.empty() && magnitude == -1) text = "-", magnitude = 1;
    } else {
      text += magnitude < 0 ? " - " : " + ";
      magnitude = magnitude < 0 ? -magnitude : magnitude;
    }
    std::string factors;
    for (const auto& key : monomial) factors += (factors.empty() ? "" : "*") + key;
    if (factors.empty()) {
      text += std::to_string(magnitude);
    } else {
      text += magnitude == 1 ? factors : std::to_string(magnitude) + "*" + factors;
    }
  }
  return text;
}

std::optional<int64_t> Dim::Evaluate(const std::map<std::string, int64_t>& binding) const {
  int64_t sum = 0;
  for (const auto& [monomial, coefficient] : terms_) {
    int64_t product = coefficient;
    for (const auto& key : monomial) {
      const DimAtom& atom = *atoms_.at(key);
      int64_t value = 0;
      if (atom.op == kSymbol) {
        const auto found = binding.find(atom.name);
        if (found == binding.end()) return std::nullopt;
        value = found->second;
      } else {
        const auto a = atom.a.Evaluate(binding);
        const auto b = atom.b.Evaluate(binding);
        if (!a || !b || ((atom.op == kFloorDiv || atom.op == kMod) && *b == 0)) return std::nullopt;
        value = Apply(atom.op, *a, *b);
      }
      if (__builtin_mul_overflow(product, value, &product)) return std::nullopt;
    }
    if (__builtin_add_overflow(sum, product, &sum)) return std::nullopt;
  }
  return sum;
}

Dim Dim::Substitute(const std::map<std::string, Dim>& binding) const {
  Dim sum;
  for (const auto& [monomial, coefficient] : terms_) {
    Dim product(coefficient);
    for (const auto& key : monomial) {
      const DimAtom& atom = *atoms_.at(key);
      if (atom.op == kSymbol) {
        const auto found = binding.find(atom.name);
        product = product * (found == binding.end() ? Symbol(atom.name) : found->second);
      } else {
        product = product * Binary(atom.op, atom.a.Substitute(binding), atom.b.Substitute(binding));
      }
    }
    sum = sum + product;
  }
  return sum;
}

void Dim::CollectSymbols(std::vector<std::string>* symbols) const {
  for (const auto& [monomial, coefficient] : terms_) {
    for (const auto& key : monomial) {
      const DimAtom& atom = *atoms_.at(key);
      if (atom.op == kSymbol) {
        if (std::find(symbols->begin(), symbols->end(), atom.name) == symbols->end()) symbols->push_back(atom.name);
      } else {
        atom.a.CollectSymbols(symbols);
        atom.b.CollectSymbols(symbols);
      }
    }
  }
}

std::vector<DimTerm> Dim::Terms() const {
  static_assert(kSymbol == static_cast<int>(DimOp::kSymbol) && kMax == static_cast<int>(DimOp::kMax));
  std::vector<DimTerm> terms;
  for (const auto& [monomial, coefficient] : terms_) {
    DimTerm& term = terms.emplace_back();
    term.coefficient = coefficient;
    for (const auto& key : monomial) {
      const DimAtom& atom = *atoms_.at(key);
      term.factors.push_back({static_cast<DimOp>(atom.op), atom.name, atom.a, atom.b});
    }
  }
  return terms;
}

bool Dim::NonNegative() const {
  return NonNegative(4);
}

bool Dim::NonNegative(int depth) const {
  if (const auto constant = Constant()) return *constant >= 0;
  // Small enough for the sums below neither to grow nor to wrap around.
  constexpr int64_t kLargest = int64_t{1} << 40;
  if (Size() > 32 || std::any_of(terms_.begin(), terms_.end(),
                                 [](const auto& term) { return term.second > kLargest || term.second < -kLargest; })) {
    return false;
  }
  // An operation that stands alone in its term is replaced by a bound on it; floor(a / k) by multiplying all with k.
  for (const auto& [monomial, coefficient] : terms_) {
    if (monomial.size() != 1) continue;
    const DimAtom& atom = *atoms_.at(monomial[0]);
    if (atom.op == kSymbol) continue;
    if (depth == 0) return false;
    Dim rest = *this;
    rest.terms_.erase(monomial);
    const Dim factor(coefficient);
    const auto shown = [&](const Dim& bound) { return (rest + factor * bound).NonNegative(depth - 1); };
    if (atom.op == kMin || atom.op == kMax) {
      const bool either = (atom.op == kMax) == (coefficient > 0);
      return either ? shown(atom.a) || shown(atom.b) : shown(atom.a) && shown(atom.b);
    }
    const auto divisor = atom.b.Constant();
    if (!divisor || *divisor <= 0 || *divisor > (int64_t{1} << 16)) return false;
    if (atom.op == kMod) return shown(coefficient > 0 ? Dim(0) : Dim(*divisor - 1));
    const Dim numerator = coefficient > 0 ? atom.a - Dim(*divisor - 1) : atom.a;
    if (coefficient > 0 && rest.NonNegative(depth - 1) && atom.a.NonNegative(depth - 1)) return true;
    return (rest * Dim(*divisor) + factor * numerator).NonNegative(depth - 1);
  }
  // With each symbol written as 1 + x, x >= 0, coefficients that are all non-negative prove it.
  std::map<std::string, Dim> shifted;
  for (const auto& [key, atom] : atoms_) {
    if (atom->op != kSymbol) {
      const bool used = std::any_of(terms_.begin(), terms_.end(), [&, k = key](const auto& term) {
        return std::find(term.first.begin(), term.first.end(), k) != term.first.end();
      });
      Dim alone;
      alone.terms_[{key}] = 1;
      alone.atoms_[key] = atom;
      if (used && (depth == 0 || !alone.NonNegative(depth - 1))) return false;
      continue;
    }
    shifted[key] = Symbol(key) + Dim(1);
  }
  Dim sum;
  for (const auto& [monomial, coefficient] : terms_) {
    Dim product(coefficient);
    for (const auto& key : monomial) {
      Dim atom;
      atom.terms_[{key}] = 1;
      const auto found = shifted.find(key);
      product = product * (found == shifted.end() ? atom : found->second);
    }
    sum = sum + product;
  }
  return std::all_of(sum.terms_.begin(), sum.terms_.end(), [](const auto& term) { return term.second >= 0; });
}

size_t Dim::Size() const {
  size_t size = 0;
  for (const auto& [monomial, coefficient] : terms_) {
    ++size;
    for (const auto& key : monomial) {
      const DimAtom& atom = *atoms_.at(key);
      size += atom.op == kSymbol ? 1 : 1 + atom.a.Size() + atom.b.Size();
    }
  }
  return size;
}

Shape ToShape(const std::vector<int64_t>& dims) {
  return {dims.begin(), dims.end()};
}

std::optional<std::vector<int64_t>> ConstantDims(const Shape& shape) {
  std::vector<int64_t> dims;
  for (const Dim& dim : shape) {
    const auto value = dim.Constant();
    if (!value) return std::nullopt;
    dims.push_back(*value);
  }
  return dims;
}

std::string ToString(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + shape[i].ToString();
  return text + "]";
}

Dim Product(const Shape& shape, size_t begin, size_t end) {
  Dim product(1);
  for (size_t i = begin; i < end; ++i) product = product * shape[i];
  return product;
}

}  // namespace tamis
