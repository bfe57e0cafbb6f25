// Convolution of 3 x 3 with stride one by Winograd's method: tiles of results from overlapping tiles of inputs, with
// fewer products. Inputs and weights are transformed, A = B d B^T and U = G g G^T; of each place of a tile the products
// of all tiles and channels are one matrix product; y = C M C^T transforms back.
//
// For f32: 4 x 4 results from 6 x 6 inputs by 36 products instead of 144. The polynomials are taken at 0, +-1/sqrt(2),
// +-sqrt(2) and infinity. Errors of f32 are then about twice those of a direct sum (with 0, +-1, +-2 they are five
// times), and each transform of six numbers takes twelve operations.
//
// For bf16: 2 x 2 results from 4 x 4 inputs by 16 products instead of 36, at 0, +-1 and infinity. What is multiplied is
// rounded to bf16 once more, inputs and weights: for random numbers this adds twice the error that rounding a result to
// bf16 has (with tiles of 4 x 4 it would be six times).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/gemm/packed_panels.h"

namespace tamis::winograd {

constexpr double kNear = 0.70710678118654752440, kFar = 1.41421356237309504880;

struct Method {
  int64_t tile;                    // results, each way
  std::span<const double> points;  // beside infinity; tile + 1 of them

  int64_t Reach() const { return tile + 2; }  // inputs
  int64_t Places() const { return Reach() * Reach(); }
};
inline constexpr double kPointsOfFour[] = {0, kNear, -kNear, kFar, -kFar};
inline constexpr double kPointsOfTwo[] = {0, 1, -1};
inline constexpr Method kTilesOfFour = {4, kPointsOfFour};  // in f32
inline constexpr Method kTilesOfTwo = {2, kPointsOfTwo};    // in bf16

// The transforms as matrices; what the vector code computes, for the weights and for tests.
using Matrix = std::vector<std::vector<double>>;
Matrix InputMatrix(const Method& method);   // B, [place][input]
Matrix WeightMatrix(const Method& method);  // G, [place][tap]
Matrix ResultMatrix(const Method& method);  // C, [result][place]
// An error of one rounding in a number that is at most one, of all three transforms along one axis, grows at most so
// far: the largest sum over places of |C| |G| |B|.
double Growth(const Method& method);

struct WinogradShape {
  ConvShape conv;
  int64_t tiles_y = 0, tiles_x = 0;  // of an image
  int64_t Tiles() const { return conv.batch * tiles_y * tiles_x; }
};
// f32 or bf16, images of two axes, 3 x 3 with stride one, no dilation, one group; the reason otherwise.
Result<WinogradShape> ReadWinograd(const Problem& problem, const Method& method);
// Likewise, and with x in `x`, or in any type if that is kUndefined.
Status Supports(const Problem& problem, const Method& method, DType x);
// `multiplied`: dtype of the products.
double WinogradCost(const Problem& problem, Isa isa, const Method& method, DType multiplied);

// The transformed weight in `multiplied`, [place][outputs rounded up to panels][channels], in panels; made in double.
Result<std::shared_ptr<const PackedPanels>> WinogradWeight(PackCache& cache, const Operand& weight,
                                                           const Method& method, DType multiplied);

// make(shape, transformed weight, threads) with both of them.
using MakeWinograd = std::unique_ptr<PreparedKernel> (*)(const WinogradShape&, std::shared_ptr<const PackedPanels>,
                                                         int threads);
Result<std::unique_ptr<PreparedKernel>> PrepareWinograd(const Problem& problem, PackCache& cache, const Method& method,
                                                        DType multiplied, MakeWinograd make);

}  // namespace tamis::winograd
