#include "src/ir/dim.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace tamis {
namespace {
int64_t FloorDivide(int64_t a, int64_t b) {
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

int64_t Apply(DimOp op, int64_t a, int64_t b) {
  // The lowest number by -1 traps on x86; it wraps here as every other overflow does.
  if (b == -1 && op == DimOp::kFloorDiv) return static_cast<int64_t>(0 - static_cast<uint64_t>(a));
  if (b == -1 && op == DimOp::kMod) return 0;
  switch (op) {
    case DimOp::kFloorDiv:
      return FloorDivide(a, b);
    case DimOp::kMod:
      return a - b * FloorDivide(a, b);
    case DimOp::kMin:
      return std::min(a, b);
    default:
      return std::max(a, b);
  }
}
}  // namespace

struct DimAtom {
  DimOp op = DimOp::kSymbol;
  std::string name;  // of a symbol
  Dim a, b;          // of an operation

  // Readable as the operand of a division: on its left a sum stands in parentheses, on its right a product as well.
  static std::string Term(const Dim& dim) {
    return dim.Terms().size() > 1 ? "(" + dim.ToString() + ")" : dim.ToString();
  }
  static std::string Factor(const Dim& dim) {
    const auto constant = dim.Constant();
    const bool plain = constant ? *constant >= 0 : dim.Size() == 2 && dim.Terms()[0].coefficient == 1;
    return plain ? dim.ToString() : "(" + dim.ToString() + ")";
  }

  std::string Key() const {
    switch (op) {
      case DimOp::kSymbol:
        return name;
      case DimOp::kFloorDiv:
        return "floor(" + Term(a) + " / " + Factor(b) + ")";
      case DimOp::kMod:
        return "mod(" + a.ToString() + ", " + b.ToString() + ")";
      case DimOp::kMin:
        return "min(" + a.ToString() + ", " + b.ToString() + ")";
      default:
        return "max(" + a.ToString() + ", " + b.ToString() + ")";
    }
  }
};

// Sum of terms; a term is a coefficient by the sorted keys of its atoms (none: the constant term). Coefficients wrap
// around, and none is 0.
struct DimPolynomial {
  using Monomial = std::vector<std::string>;
  std::map<Monomial, int64_t> terms;
  std::map<std::string, std::shared_ptr<const DimAtom>> atoms;  // those of the terms, and perhaps more

  void Add(const Monomial& monomial, uint64_t coefficient) {
    int64_t& value = terms[monomial];
    value = static_cast<int64_t>(static_cast<uint64_t>(value) + coefficient);
    if (value == 0) terms.erase(monomial);
  }
};

Dim Dim::Of(DimPolynomial polynomial) {
  const auto& terms = polynomial.terms;
  if (terms.empty()) return {};
  if (terms.size() == 1 && terms.begin()->first.empty()) return Dim(terms.begin()->second);
  Dim dim;
  dim.polynomial_ = std::make_shared<const DimPolynomial>(std::move(polynomial));
  return dim;
}

const DimPolynomial& Dim::Polynomial(DimPolynomial* storage) const {
  if (polynomial_ != nullptr) return *polynomial_;
  if (constant_ != 0) storage->terms[{}] = constant_;
  return *storage;
}

Dim Dim::FromAtom(DimAtom atom) {
  auto shared = std::make_shared<const DimAtom>(std::move(atom));
  const std::string key = shared->Key();
  DimPolynomial polynomial;
  polynomial.terms[{key}] = 1;
  polynomial.atoms[key] = std::move(shared);
  return Of(std::move(polynomial));
}

Dim Dim::Symbol(std::string name) {
  return FromAtom({DimOp::kSymbol, std::move(name), {}, {}});
}

Dim operator+(const Dim& a, const Dim& b) {
  if (a.IsConstant() && b.IsConstant()) {
    return static_cast<int64_t>(static_cast<uint64_t>(a.constant_) + static_cast<uint64_t>(b.constant_));
  }
  if (b.IsConstant() && b.constant_ == 0) return a;
  if (a.IsConstant() && a.constant_ == 0) return b;
  DimPolynomial storage_a, storage_b;
  DimPolynomial sum = a.Polynomial(&storage_a);
  const DimPolynomial& other = b.Polynomial(&storage_b);
  for (const auto& [monomial, coefficient] : other.terms) sum.Add(monomial, static_cast<uint64_t>(coefficient));
  sum.atoms.insert(other.atoms.begin(), other.atoms.end());
  return Dim::Of(std::move(sum));
}

Dim operator-(const Dim& a, const Dim& b) {
  return a + Dim(-1) * b;
}

Dim operator*(const Dim& a, const Dim& b) {
  if (a.IsConstant() && b.IsConstant()) {
    return static_cast<int64_t>(static_cast<uint64_t>(a.constant_) * static_cast<uint64_t>(b.constant_));
  }
  if (b.IsConstant() && b.constant_ == 1) return a;
  if (a.IsConstant() && a.constant_ == 1) return b;
  DimPolynomial product, storage_a, storage_b;
  const DimPolynomial& left = a.Polynomial(&storage_a);
  const DimPolynomial& right = b.Polynomial(&storage_b);
  for (const auto& [ma, ca] : left.terms) {
    for (const auto& [mb, cb] : right.terms) {
      DimPolynomial::Monomial monomial = ma;
      monomial.insert(monomial.end(), mb.begin(), mb.end());
      std::sort(monomial.begin(), monomial.end());
      product.Add(monomial, static_cast<uint64_t>(ca) * static_cast<uint64_t>(cb));
    }
  }
  product.atoms = left.atoms;
  product.atoms.insert(right.atoms.begin(), right.atoms.end());
  return Dim::Of(std::move(product));
}

Dim Dim::Binary(DimOp op, const Dim& a, const Dim& b) {
  const bool divides = op == DimOp::kFloorDiv || op == DimOp::kMod;
  const auto ca = a.Constant();
  const auto cb = b.Constant();
  if (ca && cb && !(divides && *cb == 0)) return Dim(Apply(op, *ca, *cb));
  if (!divides) {
    const bool min = op == DimOp::kMin;
    if (a == b || (min ? b - a : a - b).NonNegative()) return a;
    if ((min ? a - b : b - a).NonNegative()) return b;
  }
  if (op == DimOp::kFloorDiv && cb == 1) return a;
  if (op == DimOp::kMod && cb == 1) return Dim(0);
  if (divides && a == b) return Dim(op == DimOp::kFloorDiv ? 1 : 0);
  DimPolynomial storage_a, storage_b;
  const DimPolynomial& numerator = a.Polynomial(&storage_a);
  if (divides && cb && *cb > 0) {
    // Terms whose coefficient the divisor divides leave the division exactly.
    DimPolynomial whole, rest = numerator;
    for (const auto& [monomial, coefficient] : numerator.terms) {
      if (coefficient % *cb != 0) continue;
      whole.terms[monomial] = coefficient / *cb;
      rest.terms.erase(monomial);
    }
    whole.atoms = numerator.atoms;
    const bool divided = !whole.terms.empty();
    const Dim quotient = Of(std::move(whole)), left = Of(std::move(rest));
    if (const auto constant = left.Constant()) {
      const Dim tail(Apply(op, *constant, *cb));
      return op == DimOp::kFloorDiv ? quotient + tail : tail;
    }
    if (divided) return op == DimOp::kFloorDiv ? quotient + Binary(op, left, b) : Binary(op, left, b);
  }
  // (k * b) / b for a single symbolic divisor term, as Reshape's -1 produces it.
  const DimPolynomial& denominator = b.Polynomial(&storage_b);
  if (op == DimOp::kFloorDiv && !cb && denominator.terms.size() == 1 && denominator.terms.begin()->second > 0 &&
      !numerator.terms.empty()) {
    const auto& [divisor, dc] = *denominator.terms.begin();
    DimPolynomial quotient;
    quotient.atoms = numerator.atoms;
    bool exact = true;
    for (const auto& [monomial, coefficient] : numerator.terms) {
      if (coefficient % dc != 0 || !std::includes(monomial.begin(), monomial.end(), divisor.begin(), divisor.end())) {
        exact = false;
        break;
      }
      DimPolynomial::Monomial left;
      std::set_difference(monomial.begin(), monomial.end(), divisor.begin(), divisor.end(), std::back_inserter(left));
      quotient.terms[left] = coefficient / dc;
    }
    if (exact) return Of(std::move(quotient));
  }
  return FromAtom({op, "", a, b});
}

Dim Dim::FloorDiv(const Dim& a, const Dim& b) {
  return Binary(DimOp::kFloorDiv, a, b);
}
Dim Dim::Mod(const Dim& a, const Dim& b) {
  return Binary(DimOp::kMod, a, b);
}
Dim Dim::Min(const Dim& a, const Dim& b) {
  return Binary(DimOp::kMin, a, b);
}
Dim Dim::Max(const Dim& a, const Dim& b) {
  return Binary(DimOp::kMax, a, b);
}

bool operator==(const Dim& a, const Dim& b) {
  if (a.polynomial_ == b.polynomial_) return a.IsConstant() ? a.constant_ == b.constant_ : true;
  return !a.IsConstant() && !b.IsConstant() && a.polynomial_->terms == b.polynomial_->terms;
}

std::string Dim::ToString() const {
  if (IsConstant()) return std::to_string(constant_);
  const auto& terms = polynomial_->terms;
  std::string text;
  for (auto it = terms.rbegin(); it != terms.rend(); ++it) {  // the constant term, whose key is empty, comes last
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
  if (IsConstant()) return constant_;
  int64_t sum = 0;
  for (const auto& [monomial, coefficient] : polynomial_->terms) {
    int64_t product = coefficient;
    for (const auto& key : monomial) {
      const DimAtom& atom = *polynomial_->atoms.at(key);
      int64_t value = 0;
      if (atom.op == DimOp::kSymbol) {
        const auto found = binding.find(atom.name);
        if (found == binding.end()) return std::nullopt;
        value = found->second;
      } else {
        const auto a = atom.a.Evaluate(binding);
        const auto b = atom.b.Evaluate(binding);
        if (!a || !b || ((atom.op == DimOp::kFloorDiv || atom.op == DimOp::kMod) && *b == 0)) return std::nullopt;
        value = Apply(atom.op, *a, *b);
      }
      if (__builtin_mul_overflow(product, value, &product)) return std::nullopt;
    }
    if (__builtin_add_overflow(sum, product, &sum)) return std::nullopt;
  }
  return sum;
}

Dim Dim::Substitute(const std::map<std::string, Dim>& binding) const {
  if (IsConstant()) return *this;
  Dim sum;
  for (const auto& [monomial, coefficient] : polynomial_->terms) {
    Dim product(coefficient);
    for (const auto& key : monomial) {
      const DimAtom& atom = *polynomial_->atoms.at(key);
      if (atom.op == DimOp::kSymbol) {
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
  if (IsConstant()) return;
  for (const auto& [monomial, coefficient] : polynomial_->terms) {
    for (const auto& key : monomial) {
      const DimAtom& atom = *polynomial_->atoms.at(key);
      if (atom.op == DimOp::kSymbol) {
        if (std::find(symbols->begin(), symbols->end(), atom.name) == symbols->end()) symbols->push_back(atom.name);
      } else {
        atom.a.CollectSymbols(symbols);
        atom.b.CollectSymbols(symbols);
      }
    }
  }
}

std::vector<DimTerm> Dim::Terms() const {
  DimPolynomial storage;
  std::vector<DimTerm> terms;
  for (const auto& [monomial, coefficient] : Polynomial(&storage).terms) {
    DimTerm& term = terms.emplace_back();
    term.coefficient = coefficient;
    for (const auto& key : monomial) {
      const DimAtom& atom = *polynomial_->atoms.at(key);
      term.factors.push_back({atom.op, atom.name, atom.a, atom.b});
    }
  }
  return terms;
}

namespace {

// Whether a symbol stands for a size that data decides, which may turn out to be none: "boxes.dim0", as shape rules
// name them, or "boxes?", as the importer names what a file declares of other values than its inputs.
bool MayBeZero(std::string_view symbol) {
  if (symbol.ends_with('?')) return true;
  const size_t place = symbol.find_last_not_of("0123456789") + 1;
  return place < symbol.size() && symbol.substr(0, place).ends_with(".dim");
}

}  // namespace

bool Dim::NonNegative() const {
  return NonNegative(4);
}

bool Dim::NonNegative(int depth) const {
  if (IsConstant()) return constant_ >= 0;
  const auto& [terms, atoms] = *polynomial_;
  // Small enough for the sums below neither to grow nor to wrap around.
  constexpr int64_t kLargest = int64_t{1} << 40;
  if (Size() > 32 || std::any_of(terms.begin(), terms.end(),
                                 [](const auto& term) { return term.second > kLargest || term.second < -kLargest; })) {
    return false;
  }
  // An operation that stands alone in its term is replaced by a bound on it; floor(a / k) by multiplying all with k.
  for (const auto& [monomial, coefficient] : terms) {
    if (monomial.size() != 1) continue;
    const DimAtom& atom = *atoms.at(monomial[0]);
    if (atom.op == DimOp::kSymbol) continue;
    if (depth == 0) return false;
    DimPolynomial others = *polynomial_;
    others.terms.erase(monomial);
    const Dim rest = Of(std::move(others));
    const Dim factor(coefficient);
    const auto shown = [&](const Dim& bound) { return (rest + factor * bound).NonNegative(depth - 1); };
    if (atom.op == DimOp::kMin || atom.op == DimOp::kMax) {
      const bool either = (atom.op == DimOp::kMax) == (coefficient > 0);
      return either ? shown(atom.a) || shown(atom.b) : shown(atom.a) && shown(atom.b);
    }
    const auto divisor = atom.b.Constant();
    if (!divisor || *divisor <= 0 || *divisor > (int64_t{1} << 16)) return false;
    if (atom.op == DimOp::kMod) return shown(coefficient > 0 ? Dim(0) : Dim(*divisor - 1));
    const Dim numerator = coefficient > 0 ? atom.a - Dim(*divisor - 1) : atom.a;
    if (coefficient > 0 && rest.NonNegative(depth - 1) && atom.a.NonNegative(depth - 1)) return true;
    return (rest * Dim(*divisor) + factor * numerator).NonNegative(depth - 1);
  }
  // With each symbol written as its least value + x, x >= 0, coefficients that are all non-negative prove it.
  std::map<std::string, Dim> parts;
  for (const auto& entry : atoms) {
    const std::string& key = entry.first;
    DimPolynomial atom;
    atom.terms[{key}] = 1;
    atom.atoms[key] = entry.second;
    const Dim alone = Of(std::move(atom));
    if (entry.second->op == DimOp::kSymbol) {
      parts[key] = MayBeZero(entry.second->name) ? alone : alone + Dim(1);
      continue;
    }
    const bool used = std::any_of(terms.begin(), terms.end(), [&](const auto& term) {
      return std::find(term.first.begin(), term.first.end(), key) != term.first.end();
    });
    if (used && (depth == 0 || !alone.NonNegative(depth - 1))) return false;
    parts[key] = alone;
  }
  Dim sum;
  for (const auto& [monomial, coefficient] : terms) {
    Dim product(coefficient);
    for (const auto& key : monomial) product = product * parts.at(key);
    sum = sum + product;
  }
  DimPolynomial storage;
  const auto& total = sum.Polynomial(&storage).terms;
  return std::all_of(total.begin(), total.end(), [](const auto& term) { return term.second >= 0; });
}

size_t Dim::Size() const {
  if (IsConstant()) return constant_ == 0 ? 0 : 1;
  size_t size = 0;
  for (const auto& [monomial, coefficient] : polynomial_->terms) {
    ++size;
    for (const auto& key : monomial) {
      const DimAtom& atom = *polynomial_->atoms.at(key);
      size += atom.op == DimOp::kSymbol ? 1 : 1 + atom.a.Size() + atom.b.Size();
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
