#include "src/kernels/quantized/winograd_int8.h"

#include <array>
#include <cstring>

#include "src/kernels/operand_check.h"

namespace tamis::winograd_int8 {
namespace {

// 4 y is a sum of 4 * 9 products of at most 255 * 128 a channel.
constexpr int64_t kMostChannels = INT32_MAX / (4 * 9 * 255 * 128);

constexpr std::array<std::array<int, 3>, kReach> kTwiceG = {{{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}}};

}  // namespace

Result<Shape> ReadShape(const Problem& problem) {
  Shape shape;
  TAMIS_ASSIGN_OR_RETURN(shape.conv, ReadQuantizedConv(problem));
  const auto& axes = shape.conv.geometry.axes;
  if (axes[0].kernel != 1 || axes[1].kernel != 3 || axes[2].kernel != 3) return UserError("needs a kernel of 3 x 3");
  if (axes[0].in != 1 || axes[0].out != 1) return UserError("images of three axes; needs two");
  for (const SlidingAxis& axis : axes) {
    if (axis.stride != 1 || axis.dilation != 1) return UserError("needs stride and dilation one");
  }
  if (shape.conv.group != 1) return UserError("{} groups; needs one", shape.conv.group);
  if (shape.conv.channels > kMostChannels) {
    return UserError("{} channels; sums of more than {} might leave 32 bits", shape.conv.channels, kMostChannels);
  }
  if (Elements(problem.outputs[0]) == 0) return UserError("an empty dimension");
  shape.is_signed = problem.input(0).dtype == DType::kInt8;
  shape.tiles_y = (axes[1].out + kTile - 1) / kTile;
  shape.tiles_x = (axes[2].out + kTile - 1) / kTile;
  return shape;
}

double Cost(const Problem& problem, Isa isa) {
  const Shape shape = ReadShape(problem).value();
  const auto places = static_cast<double>(shape.Tiles() * kPlaces);
  const auto channels = static_cast<double>(shape.conv.channels), outputs = static_cast<double>(shape.conv.outputs);
  // A direct product costs 1.6 there (quantized_dense_avx2); transforms read and write each number about twice.
  return PredictSeconds(problem, isa, places * (1.6 * channels * outputs + 3 * (channels + outputs)));
}

Weight::Weight(const Tensor& weight, const Shape& shape)
    : pairs_(shape.Pairs()),
      bytes_(static_cast<size_t>(shape.Panels() * kPlaces * shape.Pairs() * kPanel * 2) * sizeof(int16_t)) {
  std::memset(bytes_.data(), 0, bytes_.Bytes());
  const int64_t channels = shape.conv.channels;
  const auto* const g = weight.Data<int8_t>();  // [output][3][3][channel]
  for (int64_t output = 0; output < shape.conv.outputs; ++output) {
    for (int64_t channel = 0; channel < channels; ++channel) {
      std::array<std::array<int, 3>, kReach> half = {};
      const auto tap = [&](int64_t i, int64_t j) { return g[((output * 3 + i) * 3 + j) * channels + channel]; };
      for (size_t a = 0; a < kReach; ++a) {
        for (size_t j = 0; j < 3; ++j) {
          for (size_t i = 0; i < 3; ++i)
            half[a][j] += kTwiceG[a][i] * tap(static_cast<int64_t>(i), static_cast<int64_t>(j));
        }
      }
      for (size_t a = 0; a < kReach; ++a) {
        for (size_t b = 0; b < kReach; ++b) {
          int sum = 0;
          for (size_t j = 0; j < 3; ++j) sum += half[a][j] * kTwiceG[b][j];
          auto* const to = const_cast<int16_t*>(values(output / kPanel, static_cast<int64_t>(a * kReach + b)));
          to[(channel / 2 * kPanel + output % kPanel) * 2 + channel % 2] = static_cast<int16_t>(sum);
        }
      }
    }
  }
}

std::shared_ptr<const Weight> Weight::Get(PackCache& cache, uint64_t hash, const Tensor& weight, const Shape& shape) {
  return std::static_pointer_cast<const Weight>(cache.Get(hash, "winograd2/panels32 int16", [&] {
    return std::shared_ptr<const PackedWeight>(new Weight(weight, shape));
  }));
}

}  // namespace tamis::winograd_int8
