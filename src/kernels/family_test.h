// Test support: runs every kernel of a family that this CPU can run on given cases and compares with expected values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/kernels/kernel.h"

namespace tamis::kernel_test {

// What of a node a case gives; its inputs and outputs follow from the tensors.
struct NodeSpec {
  std::string op;
  std::string domain;
  std::map<std::string, Attribute> attributes;
};

struct KernelCase {
  std::string name;
  NodeSpec node;
  std::vector<Tensor> inputs;        // undefined: omitted
  std::vector<size_t> constants;     // inputs known at preparation
  Pattern weight = Pattern::kDense;  // of input 1
  std::vector<std::pair<DType, Dims>> outputs;
  std::vector<std::vector<double>> expected;  // a NaN demands a NaN
  // |got - expected| <= absolute + relative * |expected|; the rounding of bf16 outputs is added by the check.
  double absolute = 0;
  double relative = 1e-6;
};

// Uniform values in [low, high), f32 or rounded to bf16; the seed is printed with a failure through the case's name.
Tensor RandomTensor(DType dtype, Dims dims, uint64_t seed, double low = -2, double high = 2);
Tensor Int64Tensor(Dims dims, std::vector<int64_t> values);
// The elements of any number or bool tensor.
std::vector<double> Doubles(const Tensor& tensor);

// Runs each case with 1, 2 and 3 threads on each kernel of the family that accepts it. Fails on wrong values, writes
// past an end, a case that no kernel accepts, and a kernel that this CPU could run and no case reached. Kernels this
// CPU can't run are named on stdout.
// Without `need_all` a kernel may be reached by no case.
void CheckFamily(std::string_view family, const std::vector<KernelCase>& cases, bool need_all = true);
// A test that looked for every kernel of the family by other means says so here; CheckFamily does.
void NoteFamilyChecked(std::string_view family);
bool FamilyIsChecked(std::string_view family);
// Runs a kernel that is not among AllKernels, as CheckFamily does; false if it doesn't support the case.
bool CheckKernel(const KernelDef& kernel, const KernelCase& c);
// The family's kernels must all refuse the problem, each with a reason that contains `reason`.
void ExpectRefused(std::string_view family, const KernelCase& refused, std::string_view reason);
// The family's kernels accept the problem and their Check returns an error.
void ExpectCheckFails(std::string_view family, const KernelCase& bad);

}  // namespace tamis::kernel_test
