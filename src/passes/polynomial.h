// Arithmetic on two values as a polynomial, so that an activation is recognised however its terms are written.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "src/ir/graph.h"

namespace tamis {

// Coefficients by (power of x, power of u).
using Polynomial = std::map<std::pair<int, int>, double>;

// `value` as a polynomial in the values x and u (u may be kNoValue), through Add, Sub, Mul, Neg, Div by a constant and
// Pow by a small integer, with scalar constants only. nullopt if it isn't one, or of a degree above 4.
std::optional<Polynomial> PolynomialOf(const Graph& graph, ValueId value, ValueId x, ValueId u);
// Every coefficient agrees within `tolerance`, relative; absent ones must be absent.
bool Matches(const Polynomial& polynomial, const Polynomial& expected, double tolerance = 1e-4);

}  // namespace tamis
