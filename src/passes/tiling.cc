#include "src/passes/tiling.h"

#include <functional>
#include <numeric>

#include "src/passes/channels_last.h"
#include "src/passes/match.h"

namespace tamis {
namespace {

// [batch, spatial..., kernel..., O] with the last two in one.
Shape CutShape(const Tiling& tiling) {
  Shape cut(tiling.tiles.begin(), tiling.tiles.end() - 1);
  cut.insert(cut.end(), tiling.kernel.begin(), tiling.kernel.end());
  cut.back() = Dim(tiling.kernel.back() * tiling.outputs);
  return cut;
}

// batch, s0, k0, s1, k1, ...
std::vector<int64_t> Interleaved(int64_t spatial) {
  std::vector<int64_t> perm = {0};
  for (int64_t axis = 0; axis < spatial; ++axis) {
    perm.push_back(1 + axis);
    perm.push_back(1 + spatial + axis);
  }
  return perm;
}

}  // namespace

int64_t Tiling::Area() const {
  return std::accumulate(kernel.begin(), kernel.end(), int64_t{1}, std::multiplies<>());
}

std::optional<Tiling> TilingOf(const Graph& graph, const Node& node, const Dims& weight) {
  const Shape* from = ShapeOf(graph, node.input(0));
  if (from == nullptr || from->size() < 3 || weight.size() != from->size()) return std::nullopt;
  const size_t spatial = weight.size() - 2;
  const std::vector<int64_t> ones(spatial, 1);
  Tiling tiling;
  tiling.kernel.assign(weight.begin() + 2, weight.end());
  tiling.outputs = weight[1];
  if (node.Ints("strides", ones) != tiling.kernel || node.Ints("dilations", ones) != ones ||
      node.Ints("output_padding", std::vector<int64_t>(spatial, 0)) != std::vector<int64_t>(spatial, 0) ||
      node.Ints("pads", std::vector<int64_t>(2 * spatial, 0)) != std::vector<int64_t>(2 * spatial, 0) ||
      node.String("auto_pad", "NOTSET") != "NOTSET" || node.Has("output_shape") || node.Int("group", 1) != 1) {
    return std::nullopt;
  }
  tiling.tiles = tiling.image = {from->front()};
  for (size_t axis = 0; axis < spatial; ++axis) {
    tiling.tiles.push_back((*from)[axis + 2]);
    tiling.image.push_back((*from)[axis + 2] * Dim(tiling.kernel[axis]));
  }
  tiling.tiles.emplace_back(tiling.Area() * tiling.outputs);
  tiling.image.emplace_back(tiling.outputs);
  const Shape rows = Permuted(CutShape(tiling), Interleaved(static_cast<int64_t>(spatial)));
  return ReshapeTarget(rows, tiling.image) ? std::optional(tiling) : std::nullopt;
}

Tensor TilingWeight(const Tensor& weight) {
  std::vector<int64_t> perm(static_cast<size_t>(weight.rank() - 2));
  std::iota(perm.begin(), perm.end(), int64_t{2});
  perm.insert(perm.end(), {1, 0});
  Dims dims(static_cast<size_t>(weight.rank()), 1);
  dims.front() = weight.NumElements() / weight.dim(0);
  dims.back() = weight.dim(0);
  return Transposed(weight, perm).Reshaped(dims);
}

std::vector<float> ForEachTile(const std::vector<float>& channels, const Tiling& tiling) {
  std::vector<float> repeated;
  for (int64_t i = 0; i < tiling.Area(); ++i) repeated.insert(repeated.end(), channels.begin(), channels.end());
  return repeated;
}

ValueId TilesInOrder(Rewriter& rewriter, ValueId tiles, const Tiling& tiling, DType dtype, const std::string& name,
                     ValueId* target) {
  const Shape cut = CutShape(tiling);
  const std::vector<int64_t> perm = Interleaved(static_cast<int64_t>(tiling.kernel.size()));
  const Shape rows = Permuted(cut, perm);
  const ValueId cutting =
      rewriter.AddConstant(name + "_tiles_shape", Tensor::Int64s(*ReshapeTarget(tiling.tiles, cut)));
  const ValueId tiled = rewriter.Append("Reshape", "", {tiles, cutting}, {}, name + "_tiles", Type::Tensor(dtype, cut));
  *target = rewriter.AddConstant(name + "_shape", Tensor::Int64s(*ReshapeTarget(rows, tiling.image)));
  return rewriter.Append("Transpose", "", {tiled}, {{"perm", perm}}, name + "_rows", Type::Tensor(dtype, rows));
}

}  // namespace tamis
