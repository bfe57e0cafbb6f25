// The discrete Fourier transform in double, of any length.
#pragma once

#include <complex>
#include <vector>

namespace tamis {

// x[k] = sum_n x[n] * exp(-2 pi i k n / N); the inverse has the other sign and divides by N. Time is N times the sum of
// N's prime factors.
void Fourier(std::vector<std::complex<double>>& x, bool inverse);

}  // namespace tamis
