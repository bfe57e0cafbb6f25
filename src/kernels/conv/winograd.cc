#include "src/kernels/conv/winograd.h"

#include <algorithm>
#include <cmath>

#include "src/kernels/get_packed.h"

namespace tamis::winograd {
namespace {

constexpr std::array<double, kReach - 1> kPoints = {0, kNear, -kNear, kFar, -kFar};  // and infinity

}  // namespace

std::array<Row, kReach> InputMatrix() {
  // Row p: the coefficients of the product of (x - q) over all other points q.
  std::array<Row, kReach> matrix = {};
  for (size_t p = 0; p < kReach; ++p) {
    Row& row = matrix[p];
    row[0] = 1;
    for (size_t q = 0; q < kPoints.size(); ++q) {
      if (q == p) continue;
      for (size_t i = kReach; i-- > 0;) row[i] = (i > 0 ? row[i - 1] : 0) - kPoints[q] * row[i];
    }
  }
  return matrix;
}

std::array<std::array<double, 3>, kReach> WeightMatrix() {
  std::array<std::array<double, 3>, kReach> matrix = {};
  for (size_t p = 0; p < kPoints.size(); ++p) {
    double scale = 1;
    for (size_t q = 0; q < kPoints.size(); ++q) scale *= q == p ? 1 : kPoints[p] - kPoints[q];
    for (size_t i = 0; i < 3; ++i) matrix[p][i] = std::pow(kPoints[p], static_cast<double>(i)) / scale;
  }
  matrix[kReach - 1][2] = 1;
  return matrix;
}

std::array<Row, kTile> ResultMatrix() {
  std::array<Row, kTile> matrix = {};
  for (size_t i = 0; i < kTile; ++i) {
    for (size_t p = 0; p < kPoints.size(); ++p) matrix[i][p] = std::pow(kPoints[p], static_cast<double>(i));
  }
  matrix[kTile - 1][kReach - 1] = 1;
  return matrix;
}

double Growth() {
  const auto inputs = InputMatrix();
  const auto weights = WeightMatrix();
  double largest = 0;
  for (const Row& result : ResultMatrix()) {
    double sum = 0;
    for (size_t p = 0; p < kReach; ++p) {
      double of_input = 0, of_weight = 0;
      for (const double v : inputs[p]) of_input += std::abs(v);
      for (const double v : weights[p]) of_weight += std::abs(v);
      sum += std::abs(result[p]) * of_input * of_weight;
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

Result<WinogradShape> ReadWinograd(const Problem& problem) {
  WinogradShape shape;
  TAMIS_ASSIGN_OR_RETURN(shape.conv, ReadConv(problem));
  const ConvShape& conv = shape.conv;
  const ConvShape::Axes ones = {1, 1, 1};
  if (conv.kernel != ConvShape::Axes{1, 3, 3}) return UserError("needs a kernel of 3 x 3");
  if (conv.in[0] != 1 || conv.out[0] != 1) return UserError("images of three axes; needs two");
  if (conv.stride != ones || conv.dilation != ones) return UserError("needs stride and dilation one");
  if (conv.group != 1) return UserError("{} groups; needs one", conv.group);
  shape.tiles_y = (conv.out[1] + kTile - 1) / kTile;
  shape.tiles_x = (conv.out[2] + kTile - 1) / kTile;
  return shape;
}

double WinogradCost(const Problem& problem, Isa isa) {
  const WinogradShape shape = ReadWinograd(problem).value();
  const auto tiles = static_cast<double>(shape.Tiles());
  const auto channels = static_cast<double>(shape.conv.channels), outputs = static_cast<double>(shape.conv.outputs);
  const double products = 2 * kPlaces * tiles * channels * outputs;
  const double transforms = 8 * kPlaces * tiles * (channels + outputs);  // each number twice, loaded and stored
  GemmShape pixels = shape.conv.AsGemm();
  pixels.depth = shape.conv.channels;
  const double weight_share = 4.0 * kPlaces * 8 / BitSize(pixels.in);  // of a weight of one tap
  return PredictSeconds(products + transforms, PanelFlopsPerCycle(isa, DType::kFloat32),
                        GemmBytes(pixels, weight_share), problem.threads);
}

Result<std::shared_ptr<const PackedPanels>> WinogradWeight(PackCache& cache, const Operand& weight) {
  return GetPacked<PackedPanels>(cache, weight.constant_hash, "winograd4/panels32", [&] {
    const Tensor g = weight.constant->ToFloat32();
    const int64_t outputs = g.dim(0), channels = g.dim(-1);
    const int64_t padded = (outputs + PackedPanels::kLanes - 1) / PackedPanels::kLanes * PackedPanels::kLanes;
    Tensor transformed(DType::kFloat32, {kPlaces * padded, channels});
    std::fill_n(transformed.Data<float>(), transformed.NumElements(), 0.0F);
    const auto matrix = WeightMatrix();
    for (int64_t output = 0; output < outputs; ++output) {
      for (int64_t c = 0; c < channels; ++c) {
        double half[kReach][3] = {};  // G g
        for (size_t p = 0; p < kReach; ++p) {
          for (size_t i = 0; i < 9; ++i) {
            const float tap = g.Data<float>()[(output * 9 + static_cast<int64_t>(i)) * channels + c];
            half[p][i % 3] += matrix[p][i / 3] * static_cast<double>(tap);
          }
        }
        for (size_t place = 0; place < kPlaces; ++place) {
          const double* const row = half[place / kReach];
          const auto& column = matrix[place % kReach];
          const double sum = row[0] * column[0] + row[1] * column[1] + row[2] * column[2];
          const int64_t at = static_cast<int64_t>(place) * padded + output;
          transformed.Data<float>()[at * channels + c] = static_cast<float>(sum);
        }
      }
    }
    return PackedPanels::Make(transformed, Pattern::kDense);
  });
}

}  // namespace tamis::winograd
