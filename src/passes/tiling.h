// A ConvTranspose whose kernel is as large as its strides: each place makes a tile of its own, so a product over the
// places makes all tiles, [batch, spatial..., kernel..., O], and a change of order puts their rows into the image,
// [batch, s0, k0, s1, k1, ..., O].
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/passes/rewriter.h"

namespace tamis {

struct Tiling {
  std::vector<int64_t> kernel;
  int64_t outputs = 0;  // channels of the image
  Shape tiles;          // [batch, spatial..., prod(kernel) * outputs], what the product makes
  Shape image;          // [batch, spatial * kernel..., outputs]

  int64_t Area() const;
};

// How a ConvTranspose with a weight of these dims tiles; nullopt if it doesn't, or the rows' places can't be told from
// the shapes that are known.
std::optional<Tiling> TilingOf(const Graph& graph, const Node& node, const Dims& weight);
// [C, O, kernel...] to the weight of the product, [prod(kernel) * O, 1..., C]; any dtype of whole bytes.
Tensor TilingWeight(const Tensor& weight);
// One number a channel of the image as one a channel of the product.
std::vector<float> ForEachTile(const std::vector<float>& channels, const Tiling& tiling);
// Appends what makes of the product's result, of this dtype, the value that a Reshape to `*target` makes the image of.
ValueId TilesInOrder(Rewriter& rewriter, ValueId tiles, const Tiling& tiling, DType dtype, const std::string& name,
                     ValueId* target);

}  // namespace tamis
