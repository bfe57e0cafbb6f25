// Linear, and convolution of 1 x 1, by one step of Strassen's method ("Gaussian elimination is not optimal", 1969): x
// and the weight are cut into two halves each way, and seven products of sums of their quarters take the place of eight
// products of quarters. The weight's sums are made once, when the kernel is prepared.
//
// The rows of x that make up its two halves are neighbours, the even and the odd ones of an entry: of what the axes in
// front of the last two, or a convolution's batch, tell apart. Where these are the batch, what a request gets depends
// on no other. An entry with an odd number of rows has one pair whose second row is zero.
//
// Sums of what is large and what is small have the rounding errors of what is large. So features of x, its rows, and
// outputs are brought to one size first, all by powers of two: features by the largest weight that each meets, outputs
// by their own, rows by their largest number then. Errors are twice those of a direct sum, against the row's largest
// product: in f32 1.3e-6 of the largest result instead of 0.7e-6. Sums of bf16 would be rounded to bf16 once more;
// there is no such kernel. The variant with fewer additions (Winograd's) has larger errors, and additions are no part
// of the time here. A NaN or infinity of a row makes NaNs of its pair; one of a weight, of two outputs.
#pragma once

#include <memory>
#include <vector>

#include "src/kernels/gemm/gemm_shape.h"
#include "src/kernels/gemm/packed_panels.h"
#include "src/kernels/gemm/panel.h"

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

// The power of two that is at most `largest`, but for the smallest and largest of all; 1 for what is no number. Its
// inverse is no subnormal.
float PowerBelow(float largest);

struct Shape {
  GemmShape gemm;
  int64_t entry_rows = 0;

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

class PackedSums : public PackedWeight {
 public:
  static Result<std::shared_ptr<const PackedSums>> Get(PackCache& cache, const Operand& weight, const Shape& shape);

  size_t Bytes() const override;
  // Sums of the scaled weight: panel (panel of the first half) * kProducts + product.
  const PackedPanels& panels() const { return *panels_; }
  const float* features() const { return features_.data(); }  // [depth]: what x is multiplied by
  const float* outputs() const { return outputs_.data(); }    // [outputs]: what results are multiplied by

 private:
  PackedSums(const Tensor& weight, const Shape& shape);
  std::shared_ptr<const PackedPanels> panels_;
  std::vector<float> features_, outputs_;
};

// Some pairs of rows on their way, in the memory of whoever computes them.
struct Block {
  const Shape* shape = nullptr;
  const PackedSums* weight = nullptr;
  int64_t first_pair = -1, end_pair = -1;
  float* x = nullptr;                      // [product][pair][pitch], sums of x; whole vectors
  float* products = nullptr;               // [product][pair][PackedPanels::kLanes]
  float* scales = nullptr;                 // [pair][row]: what the results of its rows are multiplied by
  int64_t pitch = 0;                       // elements from pair to pair of x
  int64_t x_plane = 0, product_plane = 0;  // likewise from product to product

  // A pair's rows.
  struct Rows {
    int64_t first;
    bool two;
  };
  __attribute__((always_inline)) Rows RowsOf(int64_t pair) const {
    const int64_t entry_rows = shape->entry_rows, of_entry = shape->PairsOfEntry();
    if (entry_rows % 2 == 0) return {2 * pair, true};
    const int64_t row = pair % of_entry * 2;
    return {pair / of_entry * entry_rows + row, row + 1 < entry_rows};
  }
};

// What an ISA's kernel is made of: the sums of a block's x; the dense panel routine in f32; the results of a panel of
// the outputs' first half, and its counterpart of the second, from their products. Operands as of PreparedKernel::Run.
struct Vectors {
  void (*sum)(const Block& block, const float* x);
  void (*multiply)(const PanelTask& task);
  void (*finish)(const Block& block, int64_t panel, std::span<const void* const> inputs, void* y);
};
Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache& cache, const Vectors& vectors);

}  // namespace tamis::strassen
