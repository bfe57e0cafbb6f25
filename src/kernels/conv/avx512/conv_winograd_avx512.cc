// ChannelsLastConv of 3 x 3 by Winograd's method, in f32 (bf16 operands are widened as they are read). Tiles are taken
// in blocks whose transformed inputs and sums stay in the cache; the 36 products of a block are those of
// gemm_f32_avx512. Threads share out the tiles, or where those are few the outputs: the inputs' transforms are then
// made once for all.
#include <algorithm>

#include "src/kernels/conv/winograd.h"
#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

using winograd::kPlaces;
using winograd::kReach;
using winograd::kTile;
using winograd::WinogradShape;

constexpr int64_t kLanes = 16;

// B d: six numbers of an axis to six places.
inline void TransformInput(const __m512 (&d)[kReach], __m512 (&v)[kReach]) {
  const __m512 near = _mm512_set1_ps(static_cast<float>(winograd::kNear));
  const __m512 far = _mm512_set1_ps(static_cast<float>(winograd::kFar));
  const __m512 sum = _mm512_set1_ps(2.5F), two = _mm512_set1_ps(2), half = _mm512_set1_ps(0.5F);
  v[0] = _mm512_add_ps(_mm512_fnmadd_ps(sum, d[2], d[0]), d[4]);
  const __m512 even_near = _mm512_fnmadd_ps(two, d[2], d[4]), odd_near = _mm512_fnmadd_ps(two, d[1], d[3]);
  v[1] = _mm512_fmadd_ps(near, odd_near, even_near);
  v[2] = _mm512_fnmadd_ps(near, odd_near, even_near);
  const __m512 even_far = _mm512_fnmadd_ps(half, d[2], d[4]), odd_far = _mm512_fnmadd_ps(half, d[1], d[3]);
  v[3] = _mm512_fmadd_ps(far, odd_far, even_far);
  v[4] = _mm512_fnmadd_ps(far, odd_far, even_far);
  v[5] = _mm512_add_ps(_mm512_fnmadd_ps(sum, d[3], d[1]), d[5]);
}

// C m: six places to four results.
inline void TransformResult(const __m512 (&m)[kReach], __m512 (&y)[kTile]) {
  const __m512 near = _mm512_set1_ps(static_cast<float>(winograd::kNear));
  const __m512 far = _mm512_set1_ps(static_cast<float>(winograd::kFar));
  const __m512 two = _mm512_set1_ps(2), half = _mm512_set1_ps(0.5F);
  const __m512 even_near = _mm512_add_ps(m[1], m[2]), even_far = _mm512_add_ps(m[3], m[4]);
  const __m512 odd_near = _mm512_mul_ps(near, _mm512_sub_ps(m[1], m[2]));
  const __m512 odd_far = _mm512_mul_ps(far, _mm512_sub_ps(m[3], m[4]));
  y[0] = _mm512_add_ps(m[0], _mm512_add_ps(even_near, even_far));
  y[1] = _mm512_add_ps(odd_near, odd_far);
  y[2] = _mm512_fmadd_ps(two, even_far, _mm512_mul_ps(half, even_near));
  y[3] = _mm512_fmadd_ps(two, odd_far, _mm512_fmadd_ps(half, odd_near, m[5]));
}

inline __m512 Read(const float* p, __mmask16 mask) {
  return _mm512_maskz_loadu_ps(mask, p);
}
inline __m512 Read(const uint16_t* p, __mmask16 mask) {
  return LoadBf16(p, mask);
}

class WinogradConv : public PreparedKernel {
 public:
  WinogradConv(const WinogradShape& shape, std::shared_ptr<const PackedPanels> weight, int threads)
      : shape_(shape), weight_(std::move(weight)) {
    const int64_t panels = Panels(), tiles = shape_.Tiles();
    pitch_ = CopyPitch(weight_->groups(), sizeof(float));
    const int64_t tile_floats = kPlaces * (pitch_ + panels * PackedPanels::kLanes);
    grid_ = CutPanelGrid(tiles, panels, tile_floats * static_cast<int64_t>(sizeof(float)), threads, /*row_unit=*/1);
    const int64_t share = (tiles + grid_.row_parts - 1) / grid_.row_parts;
    // Blocks that stay in the cache read the weight again and again, larger ones their own numbers from further away.
    const int64_t weight_floats = kPlaces * panels * PackedPanels::kLanes * weight_->groups() * 4;
    const int64_t blocks = (share + grid_.block_rows - 1) / grid_.block_rows;
    if (blocks > 1 && (blocks - 1) * weight_floats > 2 * share * tile_floats) grid_.block_rows = share;
    block_ = std::min(grid_.panel_parts > 1 ? grid_.block_rows * grid_.row_parts : grid_.block_rows, tiles);
    place_floats_ = block_ * pitch_ + kLanes;  // not a power of two from place to place
    sum_pitch_ = (panels + grid_.panel_parts - 1) / grid_.panel_parts * PackedPanels::kLanes;
    const int64_t part_rows = grid_.panel_parts > 1 ? (block_ + grid_.row_parts - 1) / grid_.row_parts : block_;
    sum_floats_ = part_rows * sum_pitch_ + kLanes;
  }

  size_t WorkspaceBytes() const override {
    const bool shared = grid_.panel_parts > 1;
    const int64_t parts = grid_.row_parts * grid_.panel_parts;
    return sizeof(float) * static_cast<size_t>(kPlaces * ((shared ? 1 : parts) * place_floats_ + parts * sum_floats_));
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    auto* const places = reinterpret_cast<float*>(workspace);
    const Buffers buffers = {inputs, outputs[0]};
    const int parts = static_cast<int>(grid_.row_parts * grid_.panel_parts);
    if (grid_.panel_parts == 1) {
      float* const sums = places + parts * kPlaces * place_floats_;
      const auto part = [&](int index) {
        const PartSpan tiles = PartOf(shape_.Tiles(), parts, index);
        float* const mine = places + index * kPlaces * place_floats_;
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
    float* const sums = places + kPlaces * place_floats_;
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
  void ReadTiles(const Buffers& buffers, int64_t first, int64_t count, float* to) const {
    const bool bf16 = shape_.conv.in_dtype == DType::kBFloat16;
    for (int64_t i = 0; i < count; ++i) {
      if (bf16) {
        ReadTile(static_cast<const uint16_t*>(buffers.inputs[0]), CornerOf(first + i), to + i * pitch_);
      } else {
        ReadTile(static_cast<const float*>(buffers.inputs[0]), CornerOf(first + i), to + i * pitch_);
      }
    }
  }

  template <class T>
  void ReadTile(const T* x, Corner corner, float* to) const {
    const ConvShape& conv = shape_.conv;
    const int64_t height = conv.in[1], width = conv.in[2], channels = conv.channels;
    const int64_t y0 = corner.y - conv.pad_begin[1], x0 = corner.x - conv.pad_begin[2];
    const T* const start = x + ((corner.image * height + y0) * width + x0) * channels;
    __mmask16 inside[kReach][kReach];  // all lanes or none
    for (int64_t i = 0; i < kReach; ++i) {
      for (int64_t j = 0; j < kReach; ++j) {
        const bool in = y0 + i >= 0 && y0 + i < height && x0 + j >= 0 && x0 + j < width;
        inside[i][j] = static_cast<__mmask16>(in ? 0xffff : 0);
      }
    }
    for (int64_t c = 0; c < channels; c += kLanes) {
      const __mmask16 lanes = MaskOfLanes(channels - c);
      __m512 half[kReach][kReach];  // row, place
#pragma GCC unroll 6
      for (int64_t i = 0; i < kReach; ++i) {
        const T* const row = start + i * width * channels + c;
        __m512 d[kReach];
#pragma GCC unroll 6
        for (int64_t j = 0; j < kReach; ++j) {
          d[j] = Read(row + j * channels, static_cast<__mmask16>(inside[i][j] & lanes));
        }
        TransformInput(d, half[i]);
      }
#pragma GCC unroll 6
      for (int64_t j = 0; j < kReach; ++j) {
        __m512 d[kReach], v[kReach];
#pragma GCC unroll 6
        for (int64_t i = 0; i < kReach; ++i) d[i] = half[i][j];
        TransformInput(d, v);
#pragma GCC unroll 6
        for (int64_t i = 0; i < kReach; ++i) _mm512_storeu_ps(to + (i * kReach + j) * place_floats_ + c, v[i]);
      }
    }
  }

  // Sums of every place, [place][tile][lanes of the panels].
  void Multiply(const float* places, int64_t tiles, PartSpan panels, float* sums) const {
    const Epilogue none;
    PanelTask task;
    task.x_pitch = pitch_;
    task.rows = tiles;
    task.groups = task.tap_groups = weight_->groups();
    task.epilogue = &none;
    task.y_pitch = sum_pitch_;
    const int64_t bytes = weight_->values(1) - weight_->values(0);
    for (int64_t place = 0; place < kPlaces; ++place) {
      task.x = places + place * place_floats_;
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        task.values = weight_->values(place * Panels() + panel);
        const bool last = panel + 1 == panels.end;
        const bool has_next = !last || place + 1 < kPlaces;
        const int64_t next = last ? (place + 1) * Panels() + panels.begin : place * Panels() + panel + 1;
        task.ahead = has_next ? weight_->values(next) : nullptr;
        task.ahead_lines = has_next ? bytes / 64 : 0;
        const int64_t outputs = shape_.conv.outputs - panel * PackedPanels::kLanes;
        task.lanes = outputs <= kLanes ? static_cast<int>(kLanes) : static_cast<int>(PackedPanels::kLanes);
        task.y = sums + place * sum_floats_ + (panel - panels.begin) * PackedPanels::kLanes;
        PanelF32Avx512(task);
      }
    }
  }

  void WriteTiles(const Buffers& buffers, int64_t first, int64_t count, PartSpan panels, const float* sums) const {
    WithActivation(shape_.conv.epilogue.activation, [&](auto activation) {
      GeluRegisters gelu;
      if constexpr (activation == Activation::kGelu) gelu = LoadGelu();
      const int64_t begin = panels.begin * PackedPanels::kLanes;
      const int64_t end = std::min(panels.end * PackedPanels::kLanes, shape_.conv.outputs);
      for (int64_t i = 0; i < count; ++i) {
        const Corner corner = CornerOf(first + i);
        for (int64_t output = begin; output < end; output += kLanes) {
          WriteTile<activation>(buffers, corner, output, sums + i * sum_pitch_ + output - begin, gelu);
        }
      }
    });
  }

  // Sixteen outputs of a tile, from `output` on.
  template <Activation kActivation>
  void WriteTile(const Buffers& buffers, Corner corner, int64_t output, const float* sums,
                 const GeluRegisters& gelu) const {
    const ConvShape& conv = shape_.conv;
    const Epilogue& epilogue = conv.epilogue;
    const __mmask16 lanes = MaskOfLanes(conv.outputs - output);
    const __m512 bias =
        epilogue.bias ? Read(static_cast<const float*>(buffers.inputs[2]) + output, lanes) : _mm512_setzero_ps();
    __m512 half[kReach][kTile];  // row of places, result
#pragma GCC unroll 6
    for (int64_t i = 0; i < kReach; ++i) {
      __m512 m[kReach];
#pragma GCC unroll 6
      for (int64_t j = 0; j < kReach; ++j) m[j] = _mm512_loadu_ps(sums + (i * kReach + j) * sum_floats_);
      TransformResult(m, half[i]);
    }
    const int64_t rows = std::min(kTile, conv.out[1] - corner.y), columns = std::min(kTile, conv.out[2] - corner.x);
    const bool residual_bf16 = conv.residual_dtype == DType::kBFloat16;
#pragma GCC unroll 4
    for (int64_t j = 0; j < kTile; ++j) {
      if (j >= columns) break;
      __m512 m[kReach], y[kTile];
#pragma GCC unroll 6
      for (int64_t i = 0; i < kReach; ++i) m[i] = half[i][j];
      TransformResult(m, y);
#pragma GCC unroll 4
      for (int64_t i = 0; i < kTile; ++i) {
        if (i >= rows) break;
        const int64_t pixel = (corner.image * conv.out[1] + corner.y + i) * conv.out[2] + corner.x + j;
        const int64_t at = pixel * conv.outputs + output;
        __m512 v = _mm512_add_ps(y[i], bias);
        if (epilogue.residual) {
          v = _mm512_add_ps(v, residual_bf16 ? Read(static_cast<const uint16_t*>(buffers.inputs[3]) + at, lanes)
                                             : Read(static_cast<const float*>(buffers.inputs[3]) + at, lanes));
        }
        v = Activate<kActivation>(v, epilogue, gelu);
        if (conv.out_dtype == DType::kBFloat16) {
          StoreBf16<false>(static_cast<uint16_t*>(buffers.y) + at, lanes, v);
        } else {
          _mm512_mask_storeu_ps(static_cast<float*>(buffers.y) + at, lanes, v);
        }
      }
    }
  }

  WinogradShape shape_;
  std::shared_ptr<const PackedPanels> weight_;
  PanelGrid grid_;
  int64_t block_ = 0;         // tiles
  int64_t pitch_ = 0;         // floats from tile to tile
  int64_t place_floats_ = 0;  // from place to place
  int64_t sum_pitch_ = 0;     // the same of sums
  int64_t sum_floats_ = 0;
};

}  // namespace

extern const KernelDef kernel_conv_winograd_avx512;
const KernelDef kernel_conv_winograd_avx512 = {
    .name = "conv_winograd_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) { return winograd::ReadWinograd(problem).status(); },
    .cost = [](const Problem& problem) { return winograd::WinogradCost(problem, Isa::kAvx512); },
    .prepare = [](const Problem& problem, PackCache& cache) -> Result<std::unique_ptr<PreparedKernel>> {
      TAMIS_ASSIGN_OR_RETURN(const WinogradShape shape, winograd::ReadWinograd(problem));
      TAMIS_ASSIGN_OR_RETURN(auto weight, winograd::WinogradWeight(cache, problem.input(1)));
      return std::unique_ptr<PreparedKernel>(std::make_unique<WinogradConv>(shape, std::move(weight), problem.threads));
    },
    .in_place = kOverResidual,
};

}  // namespace tamis
