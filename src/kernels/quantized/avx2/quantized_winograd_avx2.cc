// QuantizedConv of 3 x 3 by Winograd's method in whole numbers (winograd_int8.h) for AVX2. Tiles are taken in blocks
// whose transformed inputs stay in the second-level cache: all threads transform them, then share out the products of a
// panel of outputs and some of the tiles, which are transformed back where they were summed.
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "src/kernels/gemm/gemm_panels.h"
#include "src/kernels/quantized/avx2/code_rows_avx2.h"
#include "src/kernels/quantized/winograd_int8.h"

namespace tamis {
namespace {

using winograd_int8::kPanel;
using winograd_int8::kPlaces;
using winograd_int8::kReach;
using winograd_int8::kTile;
using winograd_int8::Weight;

constexpr int kRows = 6;                    // of a product: with two vectors twelve sums, two weights, an input
constexpr int64_t kUnitTiles = 24;          // whose sums, 2 KB each, are made and transformed back together
constexpr int64_t kBlockBytes = 256 << 10;  // of transformed inputs, for each thread
constexpr int64_t kChannels = 16;           // of a vector of 16 bits

// B d: four numbers of an axis to four places.
inline void TransformInput(const __m256i (&d)[kReach], __m256i (&v)[kReach]) {
  v[0] = _mm256_sub_epi16(d[0], d[2]);
  v[1] = _mm256_add_epi16(d[1], d[2]);
  v[2] = _mm256_sub_epi16(d[2], d[1]);
  v[3] = _mm256_sub_epi16(d[1], d[3]);
}

// C m: four places to two results.
inline void TransformResult(const __m256i (&m)[kReach], __m256i (&y)[kTile]) {
  y[0] = _mm256_add_epi32(_mm256_add_epi32(m[0], m[1]), m[2]);
  y[1] = _mm256_sub_epi32(_mm256_sub_epi32(m[1], m[2]), m[3]);
}

// sums[r][0 .. 16) = sum over pairs of x[r * pitch + pair] . values[pair][0 .. 16)
template <int kCount>
[[gnu::noinline]] void Products(const int16_t* x, int64_t pitch, int64_t pairs, const int16_t* values, int32_t* sums) {
  constexpr int kBases = (kCount + 2) / 3;  // three rows an address
  const int16_t* base[kBases];
  for (int b = 0; b < kBases; ++b) base[b] = x + 3 * b * pitch;
  __m256i acc[kCount][2];
#pragma GCC unroll 6
  for (int r = 0; r < kCount; ++r) acc[r][0] = acc[r][1] = _mm256_setzero_si256();
  for (int64_t pair = 0; pair < pairs; ++pair) {
    const __m256i first = _mm256_load_si256(reinterpret_cast<const __m256i*>(values));
    const __m256i second = _mm256_load_si256(reinterpret_cast<const __m256i*>(values) + 1);
#pragma GCC unroll 6
    for (int r = 0; r < kCount; ++r) {
      int two;
      std::memcpy(&two, base[r / 3] + r % 3 * pitch, sizeof(two));
      const __m256i both = _mm256_set1_epi32(two);
      acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(both, first));
      acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(both, second));
    }
    values += kPanel * 2;
#pragma GCC unroll 2
    for (int b = 0; b < kBases; ++b) {
      base[b] += 2;
      asm("" : "+r"(base[b]));  // or one address a row is kept
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kCount; ++r) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(sums + r * kPanel), acc[r][0]);
    _mm256_store_si256(reinterpret_cast<__m256i*>(sums + r * kPanel) + 1, acc[r][1]);
  }
}

using ProductFunction = void (*)(const int16_t*, int64_t, int64_t, const int16_t*, int32_t*);
constexpr std::array<ProductFunction, kRows> kProducts = {Products<1>, Products<2>, Products<3>,
                                                          Products<4>, Products<5>, Products<6>};

class WinogradInt8 : public PreparedKernel {
 public:
  WinogradInt8(const winograd_int8::Shape& shape, const Problem& problem, std::shared_ptr<const Weight> weight)
      : shape_(shape),
        weight_(std::move(weight)),
        result_(ResultOf(*problem.node, problem.input(4).dtype)),
        zero_(static_cast<int>(problem.node->Int("x_zero_point", 0))),
        threads_(std::max(problem.threads, 1)) {
    pitch_ = (shape_.conv.channels + kChannels - 1) / kChannels * kChannels + kChannels;  // no power of two
    const int64_t fitting = threads_ * kBlockBytes / (kPlaces * pitch_ * 2) / kUnitTiles * kUnitTiles;
    block_ = std::min(shape_.Tiles(), std::max(fitting, kUnitTiles));
    // As many units as give every thread some.
    unit_tiles_ = kUnitTiles;
    while (unit_tiles_ > kRows && UnitsOf(block_) < 2 * threads_) unit_tiles_ = (unit_tiles_ + 1) / 2;
  }

  size_t WorkspaceBytes() const override { return static_cast<size_t>(PlacesBytes() + threads_ * SumsBytes()); }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    auto* const places = reinterpret_cast<int16_t*>(workspace);
    for (int64_t first = 0; first < shape_.Tiles(); first += block_) {
      const int64_t count = std::min(block_, shape_.Tiles() - first);
      pool.ParallelFor(count, 4, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ReadTile(inputs[0], first + i, places + i * pitch_);
      });
      const int64_t chunks = (count + unit_tiles_ - 1) / unit_tiles_, units = chunks * shape_.Panels();
      pool.Run(threads_, [&](int part) {
        auto* const sums = reinterpret_cast<int32_t*>(workspace + PlacesBytes() + part * SumsBytes());
        const PartSpan own = PartOf(units, threads_, part);
        for (int64_t unit = own.begin; unit < own.end; ++unit) {
          const int64_t panel = unit / chunks;
          const PartSpan tiles = PartOf(count, chunks, unit % chunks);
          const PanelOfY of(result_, inputs, outputs[0], panel * kPanel, shape_.conv.outputs);
          Multiply(places + tiles.begin * pitch_, tiles.end - tiles.begin, panel, sums);
          for (int64_t i = tiles.begin; i < tiles.end; ++i) {
            WriteTile(of, first + i, panel, sums + (i - tiles.begin) * kPanel);
          }
        }
      });
    }
  }

 private:
  // What the results of a panel have in common.
  struct PanelOfY {
    PanelOfY(const QuantizedResult& result, std::span<const void* const> inputs, void* to, int64_t output,
             int64_t outputs)
        : scale(static_cast<const float*>(inputs[2]) + output),
          residual(inputs.size() > 4 ? inputs[4] : nullptr),
          y(to) {
      if (inputs.size() > 3 && inputs[3] != nullptr) bias = static_cast<const float*>(inputs[3]) + output;
      if (CodeRows::Serves(result, std::min(kPanel, outputs - output))) {
        store.emplace(result, scale, bias, 1.0F, residual != nullptr);
      }
    }

    const float* scale;
    const float* bias = nullptr;
    const void* residual;
    void* y;
    std::optional<CodeRows> store;
  };
  struct Corner {
    int64_t image, y, x;  // of a tile's first result
  };
  Corner CornerOf(int64_t tile) const {
    const int64_t of_image = shape_.tiles_y * shape_.tiles_x;
    return {tile / of_image, tile % of_image / shape_.tiles_x * kTile, tile % shape_.tiles_x * kTile};
  }

  int64_t UnitsOf(int64_t tiles) const { return (tiles + unit_tiles_ - 1) / unit_tiles_ * shape_.Panels(); }
  int64_t PlacePitch() const { return block_ * pitch_ + kChannels; }  // elements, likewise no power of two
  int64_t PlacesBytes() const { return (kPlaces * PlacePitch() * 2 + 63) / 64 * 64; }
  int64_t SumsPitch() const { return unit_tiles_ * kPanel + kChannels; }
  int64_t SumsBytes() const { return kPlaces * SumsPitch() * 4; }

  // Sixteen channels less their zero point; zeros in the padding.
  __m256i Load(const uint8_t* x, int64_t channels) const {
    std::array<uint8_t, kChannels> part = {};  // what it is filled up with meets weights of zero
    if (channels < kChannels) {
      std::memcpy(part.data(), x, static_cast<size_t>(channels));
      x = part.data();
    }
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    const __m256i codes = shape_.is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
    return _mm256_sub_epi16(codes, _mm256_set1_epi16(static_cast<int16_t>(zero_)));
  }

  // `to`: the tile's row of the first place.
  void ReadTile(const void* x, int64_t tile, int16_t* to) const {
    const auto& axes = shape_.conv.geometry.axes;
    const int64_t height = axes[1].in, width = axes[2].in, channels = shape_.conv.channels;
    const Corner corner = CornerOf(tile);
    const int64_t y0 = corner.y - axes[1].pad_begin, x0 = corner.x - axes[2].pad_begin;
    const auto* const image = static_cast<const uint8_t*>(x) + corner.image * height * width * channels;
    for (int64_t c = 0; c < channels; c += kChannels) {
      __m256i half[kReach][kReach];  // row, place
      for (int64_t i = 0; i < kReach; ++i) {
        __m256i d[kReach];
        for (int64_t j = 0; j < kReach; ++j) {
          const bool inside = y0 + i >= 0 && y0 + i < height && x0 + j >= 0 && x0 + j < width;
          d[j] =
              inside ? Load(image + ((y0 + i) * width + x0 + j) * channels + c, channels - c) : _mm256_setzero_si256();
        }
        TransformInput(d, half[i]);
      }
      for (int64_t j = 0; j < kReach; ++j) {
        const __m256i d[kReach] = {half[0][j], half[1][j], half[2][j], half[3][j]};
        __m256i v[kReach];
        TransformInput(d, v);
        for (int64_t i = 0; i < kReach; ++i) {
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + (i * kReach + j) * PlacePitch() + c), v[i]);
        }
      }
    }
  }

  // Sums of a panel, [place][tile][kPanel].
  void Multiply(const int16_t* places, int64_t tiles, int64_t panel, int32_t* sums) const {
    const int64_t steps = (tiles + kRows - 1) / kRows;
    for (int64_t place = 0; place < kPlaces; ++place) {
      const int16_t* const x = places + place * PlacePitch();
      const int16_t* const values = weight_->values(panel, place);
      for (int64_t step = 0; step < steps; ++step) {
        const PartSpan rows = PartOf(tiles, steps, step);
        int32_t* const to = sums + place * SumsPitch() + rows.begin * kPanel;
        const auto products = kProducts[static_cast<size_t>(rows.end - rows.begin - 1)];
        for (int64_t lane = 0; lane < kPanel; lane += 16) {
          if (panel * kPanel + lane >= shape_.conv.outputs) break;
          products(x + rows.begin * pitch_, pitch_, shape_.Pairs(), values + lane * 2, to + lane);
        }
      }
    }
  }

  // `sums`: the tile's of the first place.
  void WriteTile(const PanelOfY& of, int64_t tile, int64_t panel, const int32_t* sums) const {
    const auto& axes = shape_.conv.geometry.axes;
    const int64_t outputs = shape_.conv.outputs, output = panel * kPanel, lanes = std::min(kPanel, outputs - output);
    alignas(64) int32_t results[kTile][kTile][kPanel];
    for (int64_t lane = 0; lane < lanes; lane += 8) {
      __m256i half[kReach][kTile];  // row of places, result
      for (int64_t i = 0; i < kReach; ++i) {
        __m256i m[kReach];
        for (int64_t j = 0; j < kReach; ++j) {
          m[j] = _mm256_load_si256(reinterpret_cast<const __m256i*>(sums + (i * kReach + j) * SumsPitch() + lane));
        }
        TransformResult(m, half[i]);
      }
      for (int64_t j = 0; j < kTile; ++j) {
        const __m256i m[kReach] = {half[0][j], half[1][j], half[2][j], half[3][j]};
        __m256i four[kTile];
        TransformResult(m, four);
        for (int64_t i = 0; i < kTile; ++i) {
          _mm256_store_si256(reinterpret_cast<__m256i*>(results[i][j] + lane), _mm256_srai_epi32(four[i], 2));
        }
      }
    }
    const Corner corner = CornerOf(tile);
    for (int64_t i = 0; i < std::min(kTile, axes[1].out - corner.y); ++i) {
      for (int64_t j = 0; j < std::min(kTile, axes[2].out - corner.x); ++j) {
        const int64_t pixel = (corner.image * axes[1].out + corner.y + i) * axes[2].out + corner.x + j;
        const int64_t at = pixel * outputs + output;
        if (of.store) {
          of.store->Write(results[i][j], of.residual, of.y, at);
        } else {
          result_.Write({results[i][j], of.scale, of.bias, 1, of.residual, of.y, at, lanes});
        }
      }
    }
  }

  winograd_int8::Shape shape_;
  std::shared_ptr<const Weight> weight_;
  QuantizedResult result_;
  int zero_;
  int threads_;
  int64_t pitch_ = 0;  // elements from tile to tile
  int64_t block_ = 0;  // tiles
  int64_t unit_tiles_ = kUnitTiles;
};

}  // namespace

extern const KernelDef kernel_quantized_winograd_avx2;
const KernelDef kernel_quantized_winograd_avx2 = {
    .name = "quantized_winograd_avx2",
    .family = "quantized",
    .ops = {"QuantizedConv"},
    .isa = Isa::kAvx2,
    .supports = [](const Problem& problem) { return winograd_int8::ReadShape(problem).status(); },
    .cost = [](const Problem& problem) { return winograd_int8::Cost(problem, Isa::kAvx2); },
    .prepare = [](const Problem& problem, PackCache& cache) -> Result<std::unique_ptr<PreparedKernel>> {
      TAMIS_ASSIGN_OR_RETURN(const winograd_int8::Shape shape, winograd_int8::ReadShape(problem));
      const Operand& weight = problem.input(1);
      auto packed = Weight::Get(cache, weight.constant_hash, *weight.constant, shape);
      return std::unique_ptr<PreparedKernel>(std::make_unique<WinogradInt8>(shape, problem, std::move(packed)));
    },
};

}  // namespace tamis
