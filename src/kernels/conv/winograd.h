// Convolution of 3 x 3 with stride one by Winograd's method: 4 x 4 results from 6 x 6 inputs by 36 products instead of
// 144. Inputs and weights are transformed, A = B d B^T and U = G g G^T; of each of the 36 places the products of all
// tiles and channels are one matrix product; y = C M C^T transforms back.
//
// The polynomials are taken at 0, +-1/sqrt(2), +-sqrt(2) and infinity. Errors of f32 are then about twice those of a
// direct sum (with 0, +-1, +-2 they are five times), and each transform of six numbers takes twelve operations.
#pragma once

#include <array>

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/gemm/packed_panels.h"

namespace tamis::winograd {

constexpr int64_t kTile = 4;           // results of a tile, each way
constexpr int64_t kReach = kTile + 2;  // inputs
constexpr int64_t kPlaces = kReach * kReach;
constexpr double kNear = 0.70710678118654752440, kFar = 1.41421356237309504880;

// The transforms as matrices; what the vector code computes, for the weights and for tests.
using Row = std::array<double, kReach>;
std::array<Row, kReach> InputMatrix();                     // B
std::array<std::array<double, 3>, kReach> WeightMatrix();  // G
std::array<Row, kTile> ResultMatrix();                     // C
// An error of one rounding in a number that is at most one, of all three transforms along one axis, grows at most so
// far: the largest sum over places of |C| |G| |B|.
double Growth();

struct WinogradShape {
  ConvShape conv;
  int64_t tiles_y = 0, tiles_x = 0;  // of an image
  int64_t Tiles() const { return conv.batch * tiles_y * tiles_x; }
};
// f32 or bf16, images of two axes, 3 x 3 with stride one, no dilation, one group; the reason otherwise.
Result<WinogradShape> ReadWinograd(const Problem& problem);
double WinogradCost(const Problem& problem, Isa isa);

// The transformed weight in f32, [place][outputs rounded up to panels][channels], in panels; made in double.
Result<std::shared_ptr<const PackedPanels>> WinogradWeight(PackCache& cache, const Operand& weight);

}  // namespace tamis::winograd
