// The discrete Fourier transform of any length, in the arithmetic of its type.
#pragma once

#include <complex>
#include <vector>

namespace tamis {

// x[k] = sum_n x[n] * exp(-2 pi i k n / N); the inverse has the other sign and divides by N. Time is N times the sum of
// N's prime factors. T: float, which rounds as FFT libraries in single precision do, or double.
template <class T>
void Fourier(std::vector<std::complex<T>>& x, bool inverse);

extern template void Fourier(std::vector<std::complex<float>>& x, bool inverse);
extern template void Fourier(std::vector<std::complex<double>>& x, bool inverse);

}  // namespace tamis
