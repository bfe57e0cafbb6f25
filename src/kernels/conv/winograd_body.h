// ChannelsLastConv of 3 x 3 by Winograd's method, over Vec. Tiles are taken in blocks whose transformed inputs and sums
// stay in the cache; the products of each place of a block are those of a dense panel routine. Threads share out the
// tiles, or where those are few the outputs: the inputs' transforms are then made once for all. Included by the kernels
// of the methods; everything here is in their anonymous namespaces.
//
// A method M has
//   kMethod                           as in winograd.h
//   kMultiplied                       dtype of what is multiplied
//   Element                           what is multiplied
//   TransformInput(d, v)              B d: the inputs of an axis to its places, in f32
//   TransformResult(m, y)             C m: the places of an axis to its results
//   Save(to, v)                       a vector of numbers as Elements
//   Multiply(task)                    the panel routine
//   Activator<kActivation>            made from an Epilogue, called with a Vec
#pragma once

#include <algorithm>

#include "src/kernels/conv/winograd.h"
#include "src/kernels/gemm/gemm_panels.h"
#include "src/kernels/vec_lanes.h"
#include "src/kernels/with_activation.h"

namespace tamis {
namespace {

using winograd::WinogradShape;

template <class M>
class WinogradConv : public PreparedKernel {
  static constexpr int64_t kTile = M::kMethod.tile, kReach = kTile + 2, kPlaces = kReach * kReach;
  using Element = typename M::Element;

 public:
  WinogradConv(const WinogradShape& shape, std::shared_ptr<const PackedPanels> weight, int threads)
      : shape_(shape), weight_(std::move(weight)) {
    const int64_t panels = Panels(), tiles = shape_.Tiles();
    pitch_ = CopyPitch(weight_->groups(), kElement);
    const int64_t tile_bytes = kPlaces * (pitch_ * kElement + panels * PackedPanels::kLanes * kFloat);
    grid_ = CutPanelGrid(tiles, panels, tile_bytes, threads, /*row_unit=*/1);
    const int64_t share = (tiles + grid_.row_parts - 1) / grid_.row_parts;
    // Blocks that stay in the cache read the weight again and again, larger ones their own numbers from further away.
    const int64_t weight_bytes = kPlaces * panels * PackedPanels::kLanes * weight_->groups() * 4 * kElement;
    const int64_t blocks = (share + grid_.block_rows - 1) / grid_.block_rows;
    if (blocks > 1 && (blocks - 1) * weight_bytes > 2 * share * tile_bytes) grid_.block_rows = share;
    block_ = std::min(grid_.panel_parts > 1 ? grid_.block_rows * grid_.row_parts : grid_.block_rows, tiles);
    place_pitch_ = block_ * pitch_ + 64 / kElement;  // not a power of two from place to place
    sum_pitch_ = (panels + grid_.panel_parts - 1) / grid_.panel_parts * PackedPanels::kLanes;
    const int64_t part_rows = grid_.panel_parts > 1 ? (block_ + grid_.row_parts - 1) / grid_.row_parts : block_;
    sum_floats_ = part_rows * sum_pitch_ + kLanes;
  }

  size_t WorkspaceBytes() const override {
    const bool shared = grid_.panel_parts > 1;
    const int64_t parts = grid_.row_parts * grid_.panel_parts;
    return static_cast<size_t>(PlacesBytes(shared ? 1 : parts) + kPlaces * parts * sum_floats_ * kFloat);
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    auto* const places = reinterpret_cast<Element*>(workspace);
    const Buffers buffers = {inputs, outputs[0]};
    const int parts = static_cast<int>(grid_.row_parts * grid_.panel_parts);
    if (grid_.panel_parts == 1) {
      auto* const sums = reinterpret_cast<float*>(workspace + PlacesBytes(parts));
      const auto part = [&](int index) {
        const PartSpan tiles = PartOf(shape_.Tiles(), parts, index);
        Element* const mine = places + index * kPlaces * place_pitch_;
        float* const my_sums = sums + index * kPlaces * sum_floats_;
        for (int64_t tile = tiles.begin; tile < tiles.end; tile += block_) {
          const int64_t count = std::min(block_, tiles.end - tile);
          ReadTiles(buffers, tile, count, mine);
          Multiply(mine, count, {0, Panels()}, my_sums);
          WriteTiles(buffers, tile, count, {0, Panels()}, my_sums);
        }
      };
      pool.Run(parts, [&part](int index) { part(index); });
      return;
    }
    auto* const sums = reinterpret_cast<float*>(workspace + PlacesBytes(1));
    for (int64_t block = 0; block < shape_.Tiles(); block += block_) {
      const int64_t count = std::min(block_, shape_.Tiles() - block);
      pool.ParallelFor(count, 1, [&](int64_t begin, int64_t end) {
        ReadTiles(buffers, block + begin, end - begin, places + begin * pitch_);
      });
      const auto part = [&](int index) {
        const PartSpan rows = PartOf(count, grid_.row_parts, index / grid_.panel_parts);
        const PartSpan panels = PanelsOf(grid_, Panels(), index);
        float* const my_sums = sums + index * kPlaces * sum_floats_;
        Multiply(places + rows.begin * pitch_, rows.end - rows.begin, panels, my_sums);
        WriteTiles(buffers, block + rows.begin, rows.end - rows.begin, panels, my_sums);
      };
      pool.Run(parts, [&part](int index) { part(index); });
    }
  }

 private:
  static constexpr int64_t kElement = sizeof(Element), kFloat = sizeof(float);
  int64_t PlacesBytes(int64_t parts) const { return parts * kPlaces * place_pitch_ * kElement; }

  struct Buffers {
    std::span<const void* const> inputs;
    void* y;
  };
  struct Corner {
    int64_t image, y, x;  // of a tile's first result
  };

  int64_t Panels() const { return (shape_.conv.outputs + PackedPanels::kLanes - 1) / PackedPanels::kLanes; }
  Corner CornerOf(int64_t tile) const {
    const int64_t of_image = shape_.tiles_y * shape_.tiles_x;
    return {tile / of_image, tile % of_image / shape_.tiles_x * kTile, tile % shape_.tiles_x * kTile};
  }

  // Transforms the inputs of `count` tiles; `to` is the first one's row of the first place.
  void ReadTiles(const Buffers& buffers, int64_t first, int64_t count, Element* to) const {
    const bool bf16 = shape_.conv.in_dtype == DType::kBFloat16;
    for (int64_t i = 0; i < count; ++i) {
      if (bf16) {
        ReadTile(static_cast<const Bf16*>(buffers.inputs[0]), CornerOf(first + i), to + i * pitch_);
      } else {
        ReadTile(static_cast<const float*>(buffers.inputs[0]), CornerOf(first + i), to + i * pitch_);
      }
    }
  }

  template <class T>
  void ReadTile(const T* x, Corner corner, Element* to) const {
    const ConvShape& conv = shape_.conv;
    const int64_t height = conv.in[1], width = conv.in[2], channels = conv.channels;
    const int64_t y0 = corner.y - conv.pad_begin[1], x0 = corner.x - conv.pad_begin[2];
    const T* const start = x + ((corner.image * height + y0) * width + x0) * channels;
    bool inside[kReach][kReach];
    for (int64_t i = 0; i < kReach; ++i) {
      for (int64_t j = 0; j < kReach; ++j) {
        inside[i][j] = y0 + i >= 0 && y0 + i < height && x0 + j >= 0 && x0 + j < width;
      }
    }
    for (int64_t c = 0; c < channels; c += kLanes) {
      const Lanes lanes = LanesOf(channels - c);
      Vec half[kReach][kReach];  // row, place
#pragma GCC unroll 6
      for (int64_t i = 0; i < kReach; ++i) {
        const T* const row = start + i * width * channels + c;
        Vec d[kReach];
#pragma GCC unroll 6
        for (int64_t j = 0; j < kReach; ++j) {
          d[j] = Load(row + j * channels, OrNone(lanes, inside[i][j]));
        }
        M::TransformInput(d, half[i]);
      }
#pragma GCC unroll 6
      for (int64_t j = 0; j < kReach; ++j) {
        Vec d[kReach], v[kReach];
#pragma GCC unroll 6
        for (int64_t i = 0; i < kReach; ++i) d[i] = half[i][j];
        M::TransformInput(d, v);
#pragma GCC unroll 6
        for (int64_t i = 0; i < kReach; ++i) M::Save(to + (i * kReach + j) * place_pitch_ + c, v[i]);
      }
    }
  }

  // Sums of every place, [place][tile][lanes of the panels].
  void Multiply(const Element* places, int64_t tiles, PartSpan panels, float* sums) const {
    const Epilogue none;
    PanelTask task;
    task.x_pitch = pitch_;
    task.rows = tiles;
    task.groups = task.tap_groups = weight_->groups();
    task.epilogue = &none;
    task.y_pitch = sum_pitch_;
    const int64_t bytes = weight_->values(1) - weight_->values(0);
    for (int64_t place = 0; place < kPlaces; ++place) {
      task.x = places + place * place_pitch_;
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        task.values = weight_->values(place * Panels() + panel);
        const bool last = panel + 1 == panels.end;
        const bool has_next = !last || place + 1 < kPlaces;
        const int64_t next = last ? (place + 1) * Panels() + panels.begin : place * Panels() + panel + 1;
        task.ahead = has_next ? weight_->values(next) : nullptr;
        task.ahead_lines = has_next ? bytes / 64 : 0;
        const int64_t outputs = shape_.conv.outputs - panel * PackedPanels::kLanes;
        task.lanes = static_cast<int>(MinOf(RoundUp(outputs, kLanes), PackedPanels::kLanes));
        task.y = sums + place * sum_floats_ + (panel - panels.begin) * PackedPanels::kLanes;
        M::Multiply(task);
      }
    }
  }

  void WriteTiles(const Buffers& buffers, int64_t first, int64_t count, PartSpan panels, const float* sums) const {
    WithActivation(shape_.conv.epilogue.activation, [&](auto activation) {
      const typename M::template Activator<activation> activate(shape_.conv.epilogue);
      const int64_t begin = panels.begin * PackedPanels::kLanes;
      const int64_t end = std::min(panels.end * PackedPanels::kLanes, shape_.conv.outputs);
      for (int64_t i = 0; i < count; ++i) {
        const Corner corner = CornerOf(first + i);
        for (int64_t output = begin; output < end; output += kLanes) {
          WriteTile(buffers, corner, output, sums + i * sum_pitch_ + output - begin, activate);
        }
      }
    });
  }

  // A vector of outputs of a tile, from `output` on.
  template <class Activate>
  void WriteTile(const Buffers& buffers, Corner corner, int64_t output, const float* sums,
                 const Activate& activate) const {
    const ConvShape& conv = shape_.conv;
    const Epilogue& epilogue = conv.epilogue;
    const Lanes lanes = LanesOf(conv.outputs - output);
    const Vec bias = epilogue.bias ? Load(static_cast<const float*>(buffers.inputs[2]) + output, lanes) : Set(0);
    Vec half[kReach][kTile];  // row of places, result
#pragma GCC unroll 6
    for (int64_t i = 0; i < kReach; ++i) {
      Vec m[kReach];
#pragma GCC unroll 6
      for (int64_t j = 0; j < kReach; ++j) m[j] = Load(sums + (i * kReach + j) * sum_floats_);
      M::TransformResult(m, half[i]);
    }
    const int64_t rows = std::min(kTile, conv.out[1] - corner.y), columns = std::min(kTile, conv.out[2] - corner.x);
    const bool residual_bf16 = conv.residual_dtype == DType::kBFloat16;
#pragma GCC unroll 4
    for (int64_t j = 0; j < kTile; ++j) {
      if (j >= columns) break;
      Vec m[kReach], y[kTile];
#pragma GCC unroll 6
      for (int64_t i = 0; i < kReach; ++i) m[i] = half[i][j];
      M::TransformResult(m, y);
#pragma GCC unroll 4
      for (int64_t i = 0; i < kTile; ++i) {
        if (i >= rows) break;
        const int64_t pixel = (corner.image * conv.out[1] + corner.y + i) * conv.out[2] + corner.x + j;
        const int64_t at = pixel * conv.outputs + output;
        Vec v = y[i] + bias;
        if (epilogue.residual) {
          v = v + (residual_bf16 ? Load(static_cast<const Bf16*>(buffers.inputs[3]) + at, lanes)
                                 : Load(static_cast<const float*>(buffers.inputs[3]) + at, lanes));
        }
        v = activate(v);
        if (conv.out_dtype == DType::kBFloat16) {
          Store(static_cast<Bf16*>(buffers.y) + at, v, lanes);
        } else {
          Store(static_cast<float*>(buffers.y) + at, v, lanes);
        }
      }
    }
  }

  WinogradShape shape_;
  std::shared_ptr<const PackedPanels> weight_;
  PanelGrid grid_;
  int64_t block_ = 0;        // tiles
  int64_t pitch_ = 0;        // elements from tile to tile
  int64_t place_pitch_ = 0;  // from place to place
  int64_t sum_pitch_ = 0;    // floats of sums, likewise
  int64_t sum_floats_ = 0;
};

template <class M>
std::unique_ptr<PreparedKernel> MakeWinograd(const WinogradShape& shape, std::shared_ptr<const PackedPanels> weight,
                                             int threads) {
  return std::make_unique<WinogradConv<M>>(shape, std::move(weight), threads);
}

template <class M>
Result<std::unique_ptr<PreparedKernel>> PrepareWinograd(const Problem& problem, PackCache& cache) {
  return winograd::PrepareWinograd(problem, cache, M::kMethod, M::kMultiplied, MakeWinograd<M>);
}

}  // namespace
}  // namespace tamis
