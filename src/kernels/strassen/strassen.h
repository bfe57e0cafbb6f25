// Linear, and convolution of 1 x 1, by one step of Strassen's method ("Gaussian elimination is not optimal", 1969): x
// and the weight are cut into two halves each way, and seven products of sums of their quarters take the place of eight
// products of quarters. The weight's sums are made once, when the kernel is prepared.
//
// The rows of x that make up its two halves are neighbours, the even and the odd ones of an entry of the batch (of all
// axes but the last two, of an image): what a request gets depends on no other request. An entry with an odd number of
// rows has one pair whose second row is zero.
//
// Rows are divided by powers of two so that both of a pair are of one size. Then errors are some twice those of a
// direct sum, against the largest result of the row: in f32 1.3e-6 of it instead of 0.7e-6. Sums of bf16 would be
// rounded to bf16 once more; there is no such kernel. The variant with fewer additions (Winograd's) has larger errors,
// and additions are no part of the time here. A NaN or infinity of a row reaches the other of its pair.
#pragma once

#include <memory>

#include "src/kernels/gemm/gemm_shape.h"
#include "src/kernels/gemm/packed_panels.h"

namespace tamis::strassen {

inline constexpr int64_t kProducts = 7;

// Each product: a sum of quarters of x, [half of the rows][half of the depth], by one of the weight's,
// [half of the outputs][half of the depth]. Factors are -1, 0 or 1, [first half][second half].
struct Product {
  int x[2][2];       // [rows][depth]
  int weight[2][2];  // [outputs][depth]
  int y[2][2];       // [rows][outputs]: what it adds to these results
};
inline constexpr Product kMethod[kProducts] = {
    {{{1, 0}, {0, 1}}, {{1, 0}, {0, 1}}, {{1, 0}, {0, 1}}},   //
    {{{0, 0}, {1, 1}}, {{1, 0}, {0, 0}}, {{0, 0}, {1, -1}}},  //
    {{{1, 0}, {0, 0}}, {{0, 0}, {1, -1}}, {{0, 1}, {0, 1}}},  //
    {{{0, 0}, {0, 1}}, {{-1, 1}, {0, 0}}, {{1, 0}, {1, 0}}},  //
    {{{1, 1}, {0, 0}}, {{0, 0}, {0, 1}}, {{-1, 1}, {0, 0}}},  //
    {{{-1, 0}, {1, 0}}, {{1, 0}, {1, 0}}, {{0, 0}, {0, 1}}},  //
    {{{0, 1}, {0, -1}}, {{0, 1}, {0, 1}}, {{1, 0}, {0, 0}}},
};

struct Shape {
  GemmShape gemm;
  int64_t entry_rows = 0;  // of one entry of the batch

  int64_t PairsOfEntry() const { return (entry_rows + 1) / 2; }
  int64_t Pairs() const { return gemm.rows / entry_rows * PairsOfEntry(); }  // of rows
  int64_t FirstDepth() const { return (gemm.depth + 7) / 8 * 4; }            // of the depth's first half, whole groups
  // Panels of the outputs' first half, whole ones. The second half has no more outputs than the first.
  int64_t Panels() const { return (gemm.outputs + 2 * PackedPanels::kLanes - 1) / (2 * PackedPanels::kLanes); }
  int64_t FirstOutputs() const { return Panels() * PackedPanels::kLanes; }
};
// Every Linear and convolution of 1 x 1 in f32 whose rows come in pairs and whose halves are not empty; the reason
// otherwise.
Result<Shape> ReadShape(const Problem& problem);
Status Supported(const Problem& problem);
double Cost(const Problem& problem, Isa isa);

// The weight's sums: panel (panel of the first half) * kProducts + product.
Result<std::shared_ptr<const PackedPanels>> Weight(PackCache& cache, const Operand& weight, const Shape& shape);

using Make = std::unique_ptr<PreparedKernel> (*)(const Shape&, std::shared_ptr<const PackedPanels>, int threads);
Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache& cache, Make make);

}  // namespace tamis::strassen
