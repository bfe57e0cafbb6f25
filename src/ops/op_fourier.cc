#include "src/ops/op_fourier.h"

#include <cmath>
#include <numbers>

namespace tamis {
namespace {

using Complex = std::complex<double>;

size_t SmallestFactor(size_t n) {
  for (size_t p = 2; p * p <= n; ++p) {
    if (n % p == 0) return p;
  }
  return n;
}

// to[k] of the `n` elements from[0], from[step], ...; `roots` holds the unit roots of the whole length, n * step.
void Transform(const Complex* from, size_t n, size_t step, const std::vector<Complex>& roots, Complex* to) {
  if (n == 1) {
    *to = *from;
    return;
  }
  const size_t p = SmallestFactor(n), rest = n / p;
  std::vector<Complex> parts(n);  // the transforms of every p-th element
  for (size_t q = 0; q < p; ++q) Transform(from + q * step, rest, step * p, roots, parts.data() + q * rest);
  for (size_t k = 0; k < n; ++k) {
    Complex sum = parts[k % rest];
    for (size_t q = 1; q < p; ++q) sum += parts[q * rest + k % rest] * roots[q * k % n * step];
    to[k] = sum;
  }
}

}  // namespace

void Fourier(std::vector<Complex>& x, bool inverse) {
  const size_t n = x.size();
  if (n < 2) return;
  std::vector<Complex> roots(n), result(n);
  for (size_t i = 0; i < n; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n);
    roots[i] = {std::cos(angle), inverse ? std::sin(angle) : -std::sin(angle)};
  }
  Transform(x.data(), n, 1, roots, result.data());
  if (inverse) {
    for (Complex& value : result) value /= static_cast<double>(n);
  }
  x = std::move(result);
}

}  // namespace tamis
