// What the timing of kernels on any device shares: seeded operands, and whether two results agree.
#pragma once

#include <vector>

#include "src/kernels/kernel.h"

namespace tamis {

// Constants as the problem has them, seeded elements for the rest, undefined tensors where omitted.
std::vector<Tensor> SeededInputs(const Problem& problem);
// Whether all right results are alike: random numbers without a seed aren't.
bool IsRepeatable(const Problem& problem);
// The reference's results where it is cheap (below 2^27 multiplies), knows the operator and is repeatable, else empty.
std::vector<Tensor> CheapReference(const Problem& problem, const std::vector<Tensor>& inputs);
// Largest difference of float results relative to the largest magnitude; infinity for NaN.
double Difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b);
// What Difference may be between two right kernels.
double Tolerance(const Problem& problem);

}  // namespace tamis
