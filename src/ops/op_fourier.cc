#include "src/ops/op_fourier.h"

#include <cmath>
#include <numbers>

namespace tamis {
namespace {

size_t SmallestFactor(size_t n) {
  for (size_t p = 2; p * p <= n; ++p) {
    if (n % p == 0) return p;
  }
  return n;
}

// Without the checks for infinity that the operator of std::complex makes.
template <class T>
std::complex<T> Product(std::complex<T> a, std::complex<T> b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

// Decimation in frequency, smallest prime factor first.
template <class T>
class MixedRadix {
 public:
  using Complex = std::complex<T>;

  MixedRadix(size_t n, bool inverse) : roots_(n) {
    for (size_t i = 0; i < n; ++i) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n);
      roots_[i] = {static_cast<T>(std::cos(angle)), static_cast<T>(inverse ? std::sin(angle) : -std::sin(angle))};
    }
  }

  // The transform of from[0 .. n) to to[0], to[stride], ...; n * stride is the whole length.
  void Transform(const Complex* from, size_t n, size_t stride, Complex* to) const {
    if (n == 1) {
      *to = *from;
      return;
    }
    const size_t p = SmallestFactor(n), rest = n / p;
    std::vector<Complex> blocks(n), column(p);
    for (size_t i = 0; i < rest; ++i) {
      for (size_t q = 0; q < p; ++q) column[q] = from[i + q * rest];
      Butterfly(column);
      for (size_t q = 0; q < p; ++q) {
        blocks[q * rest + i] = i * q == 0 ? column[q] : Product(column[q], roots_[i * q * stride]);
      }
    }
    for (size_t q = 0; q < p; ++q) Transform(blocks.data() + q * rest, rest, stride * p, to + q * stride);
  }

 private:
  // The transform of a prime number of elements, in place. Elements j and p - j meet conjugate roots, so their sum and
  // their difference take half the products.
  void Butterfly(std::vector<Complex>& x) const {
    const size_t p = x.size(), half = (p + 1) / 2;
    if (p == 2) {
      const Complex sum = x[0] + x[1];
      x[1] = x[0] - x[1];
      x[0] = sum;
      return;
    }
    const Complex first = x[0];
    for (size_t j = 1; j < half; ++j) {
      const Complex sum = x[j] + x[p - j];
      x[p - j] = x[j] - x[p - j];
      x[j] = sum;
      x[0] += sum;
    }
    std::vector<Complex> result(p);
    for (size_t k = 1; k < half; ++k) {
      Complex even = first, odd = 0;
      for (size_t j = 1; j < half; ++j) {
        const Complex root = roots_[j * k % p * (roots_.size() / p)];
        even += root.real() * x[j];
        odd += root.imag() * x[p - j];
      }
      const Complex turned = {-odd.imag(), odd.real()};
      result[k] = even + turned;
      result[p - k] = even - turned;
    }
    for (size_t k = 1; k < p; ++k) x[k] = result[k];
  }

  std::vector<Complex> roots_;  // of unity, of the whole length
};

}  // namespace

template <class T>
void Fourier(std::vector<std::complex<T>>& x, bool inverse) {
  const size_t n = x.size();
  if (n < 2) return;
  std::vector<std::complex<T>> result(n);
  MixedRadix<T>(n, inverse).Transform(x.data(), n, 1, result.data());
  if (inverse) {
    for (std::complex<T>& value : result) value *= static_cast<T>(1.0 / static_cast<double>(n));
  }
  x = std::move(result);
}

template void Fourier(std::vector<std::complex<float>>& x, bool inverse);
template void Fourier(std::vector<std::complex<double>>& x, bool inverse);

}  // namespace tamis
