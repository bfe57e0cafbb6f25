#include "src/kernels/conv/winograd.h"

#include <algorithm>
#include <cmath>

#include "src/base/float16.h"
#include "src/kernels/get_packed.h"

namespace tamis::winograd {
namespace {

Matrix Zeros(int64_t rows, int64_t columns) {
  return Matrix(static_cast<size_t>(rows), std::vector<double>(static_cast<size_t>(columns)));
}

void Store(double value, int64_t at, Tensor& to) {
  const auto rounded = static_cast<float>(value);
  if (to.dtype() == DType::kFloat32) {
    to.Data<float>()[at] = rounded;
  } else {
    to.Data<uint16_t>()[at] = FloatToBf16(rounded);
  }
}

// G g G^T of one output, all channels at once: `taps` is [3][3][channels], `to` gets [place][channels].
void TransformTaps(const Matrix& matrix, const float* taps, size_t channels, std::vector<double>& half,
                   std::vector<double>& to) {
  const size_t reach = matrix.size();
  half.assign(reach * 3 * channels, 0);
  to.assign(reach * reach * channels, 0);
  for (size_t p = 0; p < reach; ++p) {
    for (size_t i = 0; i < 9; ++i) {
      double* const sums = half.data() + (p * 3 + i % 3) * channels;
      const float* const tap = taps + i * channels;
      for (size_t c = 0; c < channels; ++c) sums[c] += matrix[p][i / 3] * static_cast<double>(tap[c]);
    }
  }
  for (size_t place = 0; place < reach * reach; ++place) {
    double* const sums = to.data() + place * channels;
    for (size_t j = 0; j < 3; ++j) {
      const double* const from = half.data() + (place / reach * 3 + j) * channels;
      const double factor = matrix[place % reach][j];
      for (size_t c = 0; c < channels; ++c) sums[c] += factor * from[c];
    }
  }
}

}  // namespace

Matrix InputMatrix(const Method& method) {
  // Row p: the coefficients of the product of (x - q) over all other points q.
  const auto reach = static_cast<size_t>(method.Reach());
  Matrix matrix = Zeros(method.Reach(), method.Reach());
  for (size_t p = 0; p < reach; ++p) {
    std::vector<double>& row = matrix[p];
    row[0] = 1;
    for (size_t q = 0; q < method.points.size(); ++q) {
      if (q == p) continue;
      for (size_t i = reach; i-- > 0;) row[i] = (i > 0 ? row[i - 1] : 0) - method.points[q] * row[i];
    }
  }
  return matrix;
}

Matrix WeightMatrix(const Method& method) {
  const auto& points = method.points;
  Matrix matrix = Zeros(method.Reach(), 3);
  for (size_t p = 0; p < points.size(); ++p) {
    double scale = 1;
    for (size_t q = 0; q < points.size(); ++q) scale *= q == p ? 1 : points[p] - points[q];
    for (size_t i = 0; i < 3; ++i) matrix[p][i] = std::pow(points[p], static_cast<double>(i)) / scale;
  }
  matrix.back()[2] = 1;
  return matrix;
}

Matrix ResultMatrix(const Method& method) {
  Matrix matrix = Zeros(method.tile, method.Reach());
  for (size_t i = 0; i < matrix.size(); ++i) {
    for (size_t p = 0; p < method.points.size(); ++p) {
      matrix[i][p] = std::pow(method.points[p], static_cast<double>(i));
    }
  }
  matrix.back().back() = 1;
  return matrix;
}

double Growth(const Method& method) {
  const Matrix inputs = InputMatrix(method), weights = WeightMatrix(method);
  double largest = 0;
  for (const std::vector<double>& result : ResultMatrix(method)) {
    double sum = 0;
    for (size_t p = 0; p < result.size(); ++p) {
      double of_input = 0, of_weight = 0;
      for (const double v : inputs[p]) of_input += std::abs(v);
      for (const double v : weights[p]) of_weight += std::abs(v);
      sum += std::abs(result[p]) * of_input * of_weight;
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

Result<WinogradShape> ReadWinograd(const Problem& problem, const Method& method) {
  WinogradShape shape;
  TAMIS_ASSIGN_OR_RETURN(shape.conv, ReadConv(problem));
  const ConvShape& conv = shape.conv;
  const ConvShape::Axes ones = {1, 1, 1};
  if (conv.kernel != ConvShape::Axes{1, 3, 3}) return UserError("needs a kernel of 3 x 3");
  if (conv.in[0] != 1 || conv.out[0] != 1) return UserError("images of three axes; needs two");
  if (conv.stride != ones || conv.dilation != ones) return UserError("needs stride and dilation one");
  if (conv.group != 1) return UserError("{} groups; needs one", conv.group);
  shape.tiles_y = (conv.out[1] + method.tile - 1) / method.tile;
  shape.tiles_x = (conv.out[2] + method.tile - 1) / method.tile;
  return shape;
}

Status Supports(const Problem& problem, const Method& method, DType x) {
  TAMIS_ASSIGN_OR_RETURN(const WinogradShape shape, ReadWinograd(problem, method));
  const DType in = shape.conv.in_dtype;
  if (x == DType::kUndefined || in == x) return {};
  return UserError("x is {}; this kernel computes in {}", Name(in), Name(x));
}

double WinogradCost(const Problem& problem, Isa isa, const Method& method, DType multiplied) {
  const WinogradShape shape = ReadWinograd(problem, method).value();
  const auto tiles = static_cast<double>(shape.Tiles()), places = static_cast<double>(method.Places());
  const auto channels = static_cast<double>(shape.conv.channels), outputs = static_cast<double>(shape.conv.outputs);
  const double products = 2 * places * tiles * channels * outputs;
  // Each number twice, loaded and stored, at the pace of f32.
  const double per_cycle = PanelFlopsPerCycle(isa, multiplied);
  const double transforms =
      8 * places * tiles * (channels + outputs) * per_cycle / PanelFlopsPerCycle(isa, DType::kFloat32);
  GemmShape pixels = shape.conv.AsGemm();
  pixels.depth = shape.conv.channels;
  const double weight_share = places * static_cast<double>(BitSize(multiplied)) / BitSize(pixels.in);  // of one tap's
  return PredictSeconds(products + transforms, per_cycle, GemmBytes(pixels, weight_share), problem.threads);
}

Result<std::shared_ptr<const PackedPanels>> WinogradWeight(PackCache& cache, const Operand& weight,
                                                           const Method& method, DType multiplied) {
  const std::string packing = fmt::format("winograd{}/panels32 {}", method.tile, Name(multiplied));
  return GetPacked<PackedPanels>(cache, weight.constant_hash, packing, [&] {
    const Tensor g = weight.constant->ToFloat32();
    const int64_t outputs = g.dim(0), channels = g.dim(-1);
    const int64_t padded = (outputs + PackedPanels::kLanes - 1) / PackedPanels::kLanes * PackedPanels::kLanes;
    Tensor transformed(multiplied, {method.Places() * padded, channels});
    std::fill_n(transformed.Data<uint8_t>(), transformed.NumBytes(), uint8_t{0});
    const Matrix matrix = WeightMatrix(method);
    std::vector<double> half, places;
    for (int64_t output = 0; output < outputs; ++output) {
      const float* const taps = g.Data<float>() + output * 9 * channels;
      TransformTaps(matrix, taps, static_cast<size_t>(channels), half, places);
      for (int64_t place = 0; place < method.Places(); ++place) {
        const int64_t at = (place * padded + output) * channels;
        for (int64_t c = 0; c < channels; ++c) {
          Store(places[static_cast<size_t>(place * channels + c)], at + c, transformed);
        }
      }
    }
    return PackedPanels::Make(transformed, Pattern::kDense);
  });
}

Result<std::unique_ptr<PreparedKernel>> PrepareWinograd(const Problem& problem, PackCache& cache, const Method& method,
                                                        DType multiplied, MakeWinograd make) {
  TAMIS_ASSIGN_OR_RETURN(const WinogradShape shape, ReadWinograd(problem, method));
  TAMIS_ASSIGN_OR_RETURN(auto weight, WinogradWeight(cache, problem.input(1), method, multiplied));
  return make(shape, std::move(weight), problem.threads);
}

}  // namespace tamis::winograd
