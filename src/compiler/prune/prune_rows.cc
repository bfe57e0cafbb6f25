#include "src/compiler/prune/prune_rows.h"

#include <algorithm>

namespace tamis {
namespace {

// The window geometry of a ChannelsLastConv, over its spatial axes.
struct Window {
  Dims size, out;  // of the weight and of the output
  std::vector<int64_t> strides, pads, dilations;
};

Window WindowOf(const Node& node, const Tensor& input, const Tensor& weight) {
  const auto spatial = static_cast<size_t>(weight.rank() - 2);
  Window window;
  window.strides = node.Ints("strides", std::vector<int64_t>(spatial, 1));
  window.pads = node.Ints("pads", std::vector<int64_t>(2 * spatial, 0));
  window.dilations = node.Ints("dilations", std::vector<int64_t>(spatial, 1));
  for (size_t i = 0; i < spatial; ++i) {
    const auto axis = static_cast<int64_t>(i) + 1;
    window.size.push_back(weight.dim(axis));
    const int64_t reach = (weight.dim(axis) - 1) * window.dilations[i] + 1;
    const int64_t padded = input.dim(axis) + window.pads[i] + window.pads[i + spatial];
    window.out.push_back(padded < reach ? 0 : (padded - reach) / window.strides[i] + 1);
  }
  return window;
}

// Splits a flat index over `dims`, the last one fastest.
void Unflatten(int64_t flat, const Dims& dims, Dims* index) {
  for (size_t i = dims.size(); i-- > 0; flat /= dims[i]) (*index)[i] = flat % dims[i];
}

}  // namespace

int64_t CountPositions(const Node& node, const Tensor& input, const Tensor& weight) {
  if (node.IsTamis("Linear")) return input.NumElements() / std::max<int64_t>(1, input.dim(-1));
  return input.dim(0) * NumElements(WindowOf(node, input, weight).out);
}

void GatherRows(const Node& node, const Tensor& input, const Tensor& weight, int64_t group, const Positions& positions,
                ThreadPool& pool, std::vector<float>* rows) {
  constexpr int64_t kAtOnce = 64;  // positions
  const Tensor x = input.dtype() == DType::kFloat32 ? input : input.ToFloat32();
  const int64_t channels = x.dim(-1), run = weight.dim(-1);
  const int64_t columns = weight.NumElements() / std::max<int64_t>(1, weight.dim(0));
  const auto count = static_cast<int64_t>(positions.size());
  rows->resize(static_cast<size_t>(count * columns));
  if (node.IsTamis("Linear")) {
    pool.ParallelFor(count, kAtOnce, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        std::copy_n(x.Data<float>() + positions[static_cast<size_t>(i)] * channels, columns,
                    rows->data() + i * columns);
      }
    });
    return;
  }
  const Window window = WindowOf(node, x, weight);
  const size_t spatial = window.size.size();
  const int64_t taps = NumElements(window.size), per_image = NumElements(window.out);
  pool.ParallelFor(count, kAtOnce, [&](int64_t begin, int64_t end) {
    Dims at(spatial), tap(spatial);
    float* out = rows->data() + begin * columns;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t position = positions[static_cast<size_t>(i)], image = position / per_image;
      Unflatten(position % per_image, window.out, &at);
      for (int64_t t = 0; t < taps; ++t, out += run) {
        Unflatten(t, window.size, &tap);
        int64_t pixel = image;
        bool inside = true;
        for (size_t axis = 0; axis < spatial; ++axis) {
          const int64_t extent = x.dim(static_cast<int64_t>(axis) + 1);
          const int64_t coordinate =
              at[axis] * window.strides[axis] - window.pads[axis] + tap[axis] * window.dilations[axis];
          inside = inside && coordinate >= 0 && coordinate < extent;
          pixel = pixel * extent + coordinate;
        }
        if (inside) {
          std::copy_n(x.Data<float>() + pixel * channels + group * run, run, out);
        } else {
          std::fill_n(out, run, 0.0F);
        }
      }
    }
  });
}

}  // namespace tamis
