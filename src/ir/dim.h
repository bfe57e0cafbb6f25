// Dim: a dimension as a canonical integer expression.
//
// A Dim is a polynomial with integer coefficients over atoms. An atom is a named symbol ("batch") or an operation that
// a polynomial can't hold: floor division, modulo, minimum, maximum. Two Dims that are equal as polynomials compare
// equal, so shape rules may add and multiply freely. All values are non-negative dimensions or shape contents (which
// may be negative, as the -1 of a Reshape). Immutable; copying is cheap.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis {

struct DimAtom;
struct DimPolynomial;
struct DimTerm;

enum class DimOp : uint8_t { kSymbol, kFloorDiv, kMod, kMin, kMax };

class Dim {
 public:
  Dim() = default;                          // 0
  Dim(int64_t value) : constant_(value) {}  // NOLINT: implicit by design, shapes are written as {1, 3, n}
  static Dim Symbol(std::string name);

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  static Dim FloorDiv(const Dim& a, const Dim& b);
  static Dim Mod(const Dim& a, const Dim& b);
  static Dim Min(const Dim& a, const Dim& b);
  static Dim Max(const Dim& a, const Dim& b);
  static Dim CeilDiv(const Dim& a, const Dim& b) { return FloorDiv(a + b - Dim(1), b); }

  friend bool operator==(const Dim& a, const Dim& b);
  bool IsConstant() const { return polynomial_ == nullptr; }
  std::optional<int64_t> Constant() const { return IsConstant() ? std::optional<int64_t>(constant_) : std::nullopt; }
  // "2*batch + floor(n / 2)"
  std::string ToString() const;
  // Value under a binding of symbols; nullopt if a symbol is not bound, a division is by zero or the value overflows.
  std::optional<int64_t> Evaluate(const std::map<std::string, int64_t>& binding) const;
  // Replaces symbols by expressions.
  Dim Substitute(const std::map<std::string, Dim>& binding) const;
  void CollectSymbols(std::vector<std::string>* symbols) const;
  // The expression taken apart, the constant term (no factors) included; for what stores dimensions.
  std::vector<DimTerm> Terms() const;
  // True if it can be shown that the value is never negative while every symbol is at least 1, and those that data
  // decides (MayBeZero in dim.cc) at least 0. Whether something is empty is not for this to say. False: not shown.
  bool NonNegative() const;
  // Number of factors over all terms, operations included: shape rules stop tracking what grows without bound.
  size_t Size() const;

 private:
  friend struct DimPolynomial;
  static Dim Of(DimPolynomial polynomial);
  static Dim FromAtom(DimAtom atom);
  static Dim Binary(DimOp op, const Dim& a, const Dim& b);
  bool NonNegative(int depth) const;
  // The terms whether or not there is a polynomial: a number's are put into `storage`.
  const DimPolynomial& Polynomial(DimPolynomial* storage) const;

  // Nearly all dimensions are plain numbers: these need no memory of their own.
  int64_t constant_ = 0;                             // the value where there is no polynomial
  std::shared_ptr<const DimPolynomial> polynomial_;  // never one that is only a number
};

// coefficient * product of the factors. A factor is a symbol, or an operation on operands a and b.
struct DimFactor {
  DimOp op = DimOp::kSymbol;
  std::string symbol;
  Dim a, b;
};
struct DimTerm {
  int64_t coefficient = 0;
  std::vector<DimFactor> factors;
};

using Shape = std::vector<Dim>;

Shape ToShape(const std::vector<int64_t>& dims);
// The dimensions if all are constant.
std::optional<std::vector<int64_t>> ConstantDims(const Shape& shape);
std::string ToString(const Shape& shape);
Dim Product(const Shape& shape, size_t begin, size_t end);

}  // namespace tamis
