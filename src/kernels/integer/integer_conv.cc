#include <algorithm>
#include <array>
#include <vector>

#include "src/kernels/integer/integer_geometry.h"
#include "src/kernels/integer/integer_product.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

// Per image and group: x centred, with its padding, then panels of pixels gathered from it.
class IntegerConv : public PreparedKernel {
 public:
  IntegerConv(const IntegerProduct& product, const IntegerGeometry& g, const Problem& problem)
      : product_(product),
        g_(g),
        x_dtype_(problem.input(0).dtype),
        w_dtype_(problem.input(1).dtype),
        x_zero_(problem.input(2).Present()),
        w_zeros_(Elements(problem.input(3)) * (problem.input(3).Present() ? 1 : 0)),
        threads_(std::max(problem.threads, 1)),
        pairs_((g.Depth() + 1) / 2),
        panels_((g.Pixels() + product.panel - 1) / product.panel) {
    const std::vector<int64_t> places = g.TapPlaces();
    for (int64_t c = 0; c < g.channels; ++c) {
      for (const int64_t place : places) taps_.push_back(c * g.PaddedPixels() + place);
    }
  }

  size_t WorkspaceBytes() const override {
    return FilterBytes() + ImageBytes() + static_cast<size_t>(threads_) * PanelBytes();
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    auto* filters = reinterpret_cast<int32_t*>(workspace);
    auto* image = reinterpret_cast<int16_t*>(workspace + FilterBytes());
    std::byte* scratch = workspace + FilterBytes() + ImageBytes();
    PackFilters(inputs[1], w_zeros_ > 0 ? inputs[3] : nullptr, filters);
    const int zero = x_zero_ ? ByteAt(inputs[2], x_dtype_, 0) : 0;
    const int64_t planes = g_.batch * g_.groups * g_.channels;
    ForItems(pool, threads_, planes, GrainFor(g_.PaddedPixels()),
             [&](int64_t plane, int) { Center(inputs[0], plane, zero, image); });
    auto* y = static_cast<int32_t*>(outputs[0]);
    const int64_t work = product_.panel * g_.Depth() + g_.filters * pairs_;
    ForItems(pool, threads_, g_.batch * g_.groups * panels_, GrainFor(work, 16384), [&](int64_t item, int part) {
      auto* panel = reinterpret_cast<int32_t*>(scratch + static_cast<size_t>(part) * PanelBytes());
      const int64_t unit = item / panels_, first = item % panels_ * product_.panel, group = unit % g_.groups;
      const int64_t columns = std::min(product_.panel, g_.Pixels() - first);
      Gather(image + unit * g_.channels * g_.PaddedPixels(), first, columns, panel);
      product_.multiply(g_.filters, columns, pairs_, filters + group * g_.filters * pairs_, panel,
                        y + unit * g_.filters * g_.Pixels() + first, g_.Pixels());
    });
  }

 private:
  static size_t Round(size_t bytes) { return (bytes + 127) / 64 * 64; }
  size_t FilterBytes() const { return Round(static_cast<size_t>(g_.groups * g_.filters * pairs_) * sizeof(int32_t)); }
  size_t ImageBytes() const {
    return Round(static_cast<size_t>(g_.batch * g_.groups * g_.channels * g_.PaddedPixels()) * sizeof(int16_t));
  }
  size_t PanelBytes() const { return Round(static_cast<size_t>(pairs_ * product_.panel) * sizeof(int32_t)); }

  void PackFilters(const void* w, const void* zeros, int32_t* to) const {
    const int64_t depth = g_.Depth();
    for (int64_t filter = 0; filter < g_.groups * g_.filters; ++filter) {
      const int zero = zeros == nullptr ? 0 : ByteAt(zeros, w_dtype_, w_zeros_ == 1 ? 0 : filter);
      for (int64_t k = 0; k < pairs_; ++k) {
        const int64_t at = filter * depth + 2 * k;
        *to++ = Pair(ByteAt(w, w_dtype_, at) - zero, 2 * k + 1 < depth ? ByteAt(w, w_dtype_, at + 1) - zero : 0);
      }
    }
  }

  void Center(const void* x, int64_t plane, int zero, int16_t* image) const {
    int16_t* to = image + plane * g_.PaddedPixels();
    std::fill_n(to, g_.PaddedPixels(), int16_t{0});
    int64_t from = plane * g_.InPixels();
    for (int64_t z = 0; z < g_.in[0]; ++z) {
      for (int64_t y = 0; y < g_.in[1]; ++y, from += g_.in[2]) {
        int16_t* row = to + g_.At(z + g_.pad[0], y + g_.pad[1], g_.pad[2]);
        for (int64_t i = 0; i < g_.in[2]; ++i) row[i] = static_cast<int16_t>(ByteAt(x, x_dtype_, from + i) - zero);
      }
    }
  }

  void Gather(const int16_t* image, int64_t first, int64_t columns, int32_t* panel) const {
    int64_t pixels[64];
    for (int64_t j = 0; j < product_.panel; ++j) {
      pixels[j] = g_.Start(std::min(first + j, first + columns - 1));
    }
    const int64_t depth = g_.Depth();
    for (int64_t k = 0; k < pairs_; ++k, panel += product_.panel) {
      const int16_t* low = image + taps_[static_cast<size_t>(2 * k)];
      if (2 * k + 1 < depth) {
        const int16_t* high = image + taps_[static_cast<size_t>(2 * k + 1)];
        for (int64_t j = 0; j < product_.panel; ++j) panel[j] = Pair(low[pixels[j]], high[pixels[j]]);
      } else {
        for (int64_t j = 0; j < product_.panel; ++j) panel[j] = Pair(low[pixels[j]], 0);
      }
    }
  }

  IntegerProduct product_;
  IntegerGeometry g_;
  DType x_dtype_, w_dtype_;
  bool x_zero_;
  int64_t w_zeros_;
  int threads_;
  int64_t pairs_, panels_;
  std::vector<int64_t> taps_;  // of element k of a column, within the padded image
};

}  // namespace

Status SupportsIntegerConv(const Problem& problem) {
  return ReadIntegerConv(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareIntegerConv(const Problem& problem, const IntegerProduct& product) {
  TAMIS_ASSERT(product.panel <= 64);
  TAMIS_ASSIGN_OR_RETURN(const IntegerGeometry geometry, ReadIntegerConv(problem));
  return std::unique_ptr<PreparedKernel>(std::make_unique<IntegerConv>(product, geometry, problem));
}

}  // namespace tamis
