// ConvInteger by byte products: filters are the rows, panels of pixels the columns. Images are laid out channels last
// with their padding, so that four channels of a tap are one load.
#include <algorithm>
#include <cstring>

#include "src/kernels/integer/byte_product.h"
#include "src/kernels/integer/integer_geometry.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

class ByteConv : public PreparedKernel {
 public:
  ByteConv(const ByteProduct& product, const IntegerGeometry& g, const Problem& problem)
      : product_(product),
        g_(g),
        taps_(g.TapPlaces()),
        x_zero_(problem.input(2).Present()),
        x_dtype_(problem.input(0).dtype),
        w_dtype_(problem.input(1).dtype),
        threads_(std::max(problem.threads, 1)),
        fours_((g.channels + 3) / 4),
        steps_(g.Taps() * fours_),
        panels_((g.Pixels() + product.panel - 1) / product.panel),
        // Rows are unsigned and columns signed.
        w_shift_(w_dtype_ == DType::kInt8 ? 128 : 0),
        x_shift_(x_dtype_ == DType::kUInt8 ? 128 : 0) {
    if (const Operand& zeros = problem.input(3); zeros.Present()) {
      w_zeros_ = {true, w_dtype_, Elements(zeros) == 1 ? 0 : 1};
    }
  }

  // Packed filters: all rows, then the sums of their elements.
  size_t PackedSize() const { return FilterBytes() + IntBytes(Filters()); }
  void Pack(const void* w, std::byte* to) const {
    for (int64_t filter = 0; filter < Filters(); ++filter) PackFilter(w, filter, to);
  }
  void Keep(std::shared_ptr<const PackedWeight> weight, const std::byte* packed) {
    weight_ = std::move(weight);
    packed_ = packed;
  }

  size_t WorkspaceBytes() const override {
    return ImageBytes() + PixelSumBytes() + 2 * IntBytes(Filters()) + static_cast<size_t>(threads_) * PanelBytes() +
           (packed_ == nullptr ? PackedSize() : 0);
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    auto* image = reinterpret_cast<int8_t*>(workspace);
    auto* pixel_sums = reinterpret_cast<int32_t*>(workspace + ImageBytes());
    std::byte* after = workspace + ImageBytes() + PixelSumBytes();
    auto* row_zeros = reinterpret_cast<int32_t*>(after);
    auto* row_sums = reinterpret_cast<int32_t*>(after + IntBytes(Filters()));
    std::byte* scratch = after + 2 * IntBytes(Filters());
    const std::byte* packed = packed_;
    if (packed == nullptr) {
      std::byte* to = scratch + static_cast<size_t>(threads_) * PanelBytes();
      ForItems(pool, threads_, Filters(), GrainFor(g_.Depth()),
               [&](int64_t filter, int /*part*/) { PackFilter(inputs[1], filter, to); });
      packed = to;
    }
    const auto* sums = reinterpret_cast<const int32_t*>(packed + FilterBytes());
    const void* zeros = w_zeros_.given ? inputs[3] : nullptr;
    for (int64_t filter = 0; filter < Filters(); ++filter) {
      row_zeros[filter] = w_zeros_.At(zeros, filter) + w_shift_;
      row_sums[filter] = sums[filter] - static_cast<int32_t>(g_.Depth()) * row_zeros[filter];
    }
    const int32_t zero = (x_zero_ ? ByteAt(inputs[2], x_dtype_, 0) : 0) - x_shift_;
    const int64_t rows = g_.padded[0] * g_.padded[1];
    ForItems(pool, threads_, g_.batch * g_.groups * rows, GrainFor(g_.padded[2] * fours_ * 4),
             [&](int64_t item, int /*part*/) { LayOut(inputs[0], item / rows, item % rows, zero, image, pixel_sums); });
    auto* y = static_cast<int32_t*>(outputs[0]);
    ForItems(pool, threads_, g_.batch * g_.groups * panels_, GrainFor(g_.filters * steps_, 16384),
             [&](int64_t item, int part) {
               std::byte* panel = scratch + static_cast<size_t>(part) * PanelBytes();
               const int64_t unit = item / panels_, group = unit % g_.groups;
               const int64_t first = item % panels_ * product_.panel;
               ByteTask task;
               task.rows = g_.filters;
               task.columns = std::min(product_.panel, g_.Pixels() - first);
               Gather(unit, first, task.columns, zero, image, pixel_sums, panel, &task);
               task.steps = steps_;
               task.a = reinterpret_cast<const uint8_t*>(packed) + group * g_.filters * steps_ * 4;
               task.row_zeros = row_zeros + group * g_.filters;
               task.row_sums = row_sums + group * g_.filters;
               task.c = y + unit * g_.filters * g_.Pixels() + first;
               task.c_stride = g_.Pixels();
               product_.multiply(task);
             });
  }

 private:
  static size_t Padded(int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); }
  static size_t IntBytes(int64_t count) { return Padded(count * static_cast<int64_t>(sizeof(int32_t))); }
  int64_t Filters() const { return g_.groups * g_.filters; }
  int64_t Units() const { return g_.batch * g_.groups; }
  size_t FilterBytes() const { return Padded(Filters() * steps_ * 4); }
  size_t ImageBytes() const { return Padded(Units() * g_.PaddedPixels() * fours_ * 4); }
  size_t PixelSumBytes() const { return IntBytes(Units() * g_.PaddedPixels()); }
  // Elements, then the sums and the zero points of the columns.
  size_t PanelBytes() const { return Padded(steps_ * product_.panel * 4) + 2 * IntBytes(product_.panel); }

  void PackFilter(const void* w, int64_t filter, std::byte* packed) const {
    const auto* from = static_cast<const uint8_t*>(w) + filter * g_.Depth();
    auto* to = reinterpret_cast<uint8_t*>(packed) + filter * steps_ * 4;
    std::memset(to, 0, static_cast<size_t>(steps_ * 4));
    int32_t sum = 0;
    const int64_t taps = g_.Taps();
    for (int64_t c = 0; c < g_.channels; ++c) {
      for (int64_t tap = 0; tap < taps; ++tap) {
        const auto element = static_cast<uint8_t>(from[c * taps + tap] ^ w_shift_);
        to[tap * fours_ * 4 + c] = element;
        sum += element;
      }
    }
    reinterpret_cast<int32_t*>(packed + FilterBytes())[filter] = sum;
  }

  // One row of pixels of a padded image: channels last, and the sum over the channels of each pixel. Outside the image
  // elements are the zero point, so that they count nothing.
  void LayOut(const void* x, int64_t unit, int64_t row, int32_t zero, int8_t* image, int32_t* pixel_sums) const {
    const int64_t width = g_.padded[2], channels = fours_ * 4;
    const int64_t first = unit * g_.PaddedPixels() + row * width;
    int8_t* to = image + first * channels;
    int32_t* sums = pixel_sums + first;
    const int64_t z = row / g_.padded[1] - g_.pad[0], y = row % g_.padded[1] - g_.pad[1];
    const bool inside = z >= 0 && z < g_.in[0] && y >= 0 && y < g_.in[1];
    std::memset(to, 0, static_cast<size_t>(width * channels));
    std::fill_n(sums, width, 0);
    const auto flip = static_cast<uint8_t>(x_shift_);
    for (int64_t c = 0; c < g_.channels; ++c) {
      const auto* from =
          static_cast<const uint8_t*>(x) + (unit * g_.channels + c) * g_.InPixels() + (z * g_.in[1] + y) * g_.in[2];
      for (int64_t i = 0; i < width; ++i) {
        const int64_t at = i - g_.pad[2];
        const bool real = inside && at >= 0 && at < g_.in[2];
        const auto element = real ? static_cast<int8_t>(from[at] ^ flip) : static_cast<int8_t>(zero);
        to[i * channels + c] = element;
        sums[i] += element;
      }
    }
  }

  void Gather(int64_t unit, int64_t first, int64_t columns, int32_t zero, const int8_t* image,
              const int32_t* pixel_sums, std::byte* panel, ByteTask* task) const {
    const int64_t width = product_.panel, channels = fours_ * 4;
    auto* to = reinterpret_cast<int8_t*>(panel);
    auto* sums = reinterpret_cast<int32_t*>(panel + Padded(steps_ * width * 4));
    int32_t* zeros = sums + static_cast<int64_t>(IntBytes(width) / sizeof(int32_t));
    for (int64_t j = 0; j < width; ++j) {
      const int64_t pixel = unit * g_.PaddedPixels() + g_.Start(first + std::min(j, columns - 1));
      zeros[j] = zero;
      sums[j] = 0;
      int8_t* column = to + j * 4;
      for (const int64_t tap : taps_) {
        sums[j] += pixel_sums[pixel + tap];
        const int8_t* from = image + (pixel + tap) * channels;
        for (int64_t four = 0; four < fours_; ++four, column += width * 4) std::memcpy(column, from + four * 4, 4);
      }
    }
    task->panel = to;
    task->column_sums = sums;
    task->column_zeros = zeros;
  }

  ByteProduct product_;
  IntegerGeometry g_;
  std::vector<int64_t> taps_;
  bool x_zero_;
  DType x_dtype_, w_dtype_;
  int threads_;
  int64_t fours_, steps_, panels_;
  int32_t w_shift_, x_shift_;
  IntegerZeros w_zeros_;
  std::shared_ptr<const PackedWeight> weight_;
  const std::byte* packed_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<PreparedKernel>> PrepareByteConv(const Problem& problem, PackCache& cache,
                                                        const ByteProduct& product) {
  TAMIS_ASSIGN_OR_RETURN(const IntegerGeometry geometry, ReadIntegerConv(problem));
  auto kernel = std::make_unique<ByteConv>(product, geometry, problem);
  const Operand& w = problem.input(1);
  if (w.constant != nullptr) {
    auto weight = cache.Get(w.constant_hash, "byte_conv", [&] {
      auto packed = std::make_shared<PackedBytes>(kernel->PackedSize());
      kernel->Pack(w.constant->raw(), packed->data());
      return packed;
    });
    const auto* bytes = static_cast<const PackedBytes*>(weight.get());
    kernel->Keep(std::move(weight), bytes->data());
  }
  return std::unique_ptr<PreparedKernel>(std::move(kernel));
}

Status SupportsByteProduct(const Problem& problem) {
  return problem.node->op == "ConvInteger" ? ReadIntegerConv(problem).status() : ReadIntegerMatMul(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareByteProduct(const Problem& problem, PackCache& cache,
                                                           const ByteProduct& product) {
  return problem.node->op == "ConvInteger" ? PrepareByteConv(problem, cache, product)
                                           : PrepareByteMatMul(problem, cache, product);
}

}  // namespace tamis
