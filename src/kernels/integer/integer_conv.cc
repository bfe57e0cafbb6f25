#include <algorithm>
#include <array>
#include <vector>

#include "src/kernels/integer/integer_product.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

constexpr size_t kAxes = 3;

// Three spatial axes; those that the image lacks have one index.
struct Geometry {
  int64_t batch = 1, groups = 1, channels = 1, filters = 1;  // of one group
  std::array<int64_t, kAxes> in{1, 1, 1}, out{1, 1, 1}, taps{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, pad{0, 0, 0};
  std::array<int64_t, kAxes> padded{1, 1, 1};

  int64_t Pixels() const { return out[0] * out[1] * out[2]; }
  int64_t Depth() const { return channels * taps[0] * taps[1] * taps[2]; }
  int64_t InPixels() const { return in[0] * in[1] * in[2]; }
  int64_t PaddedPixels() const { return padded[0] * padded[1] * padded[2]; }
};

Result<Geometry> GeometryOf(const Problem& problem) {
  const Dims &x = problem.input(0).dims, &w = problem.input(1).dims, &y = problem.outputs[0].dims;
  const Node& node = *problem.node;
  if (x.size() < 3 || x.size() > 5 || w.size() != x.size()) {
    return UserError("{} with filters {}: one to three spatial axes are supported", ToString(x), ToString(w));
  }
  const size_t axes = x.size() - 2, skipped = kAxes - axes;
  Geometry g;
  g.batch = x[0];
  g.groups = node.Int("group", 1);
  if (g.groups < 1 || w[0] % g.groups != 0 || w[1] * g.groups != x[1]) return UserError("groups do not fit");
  g.channels = w[1];
  g.filters = w[0] / g.groups;
  const auto strides = node.Ints("strides", std::vector<int64_t>(axes, 1));
  const auto dilations = node.Ints("dilations", std::vector<int64_t>(axes, 1));
  auto pads = node.Ints("pads", std::vector<int64_t>(2 * axes, 0));
  if (strides.size() != axes || dilations.size() != axes || pads.size() != 2 * axes) {
    return UserError("an attribute does not fit {} axes", axes);
  }
  const std::string auto_pad = node.String("auto_pad", "NOTSET");
  for (size_t i = 0; i < axes; ++i) {
    const size_t d = skipped + i;
    g.in[d] = x[2 + i];
    g.out[d] = y[2 + i];
    g.taps[d] = w[2 + i];
    g.stride[d] = strides[i];
    g.dilation[d] = dilations[i];
    const int64_t reach = (g.out[d] - 1) * g.stride[d] + (g.taps[d] - 1) * g.dilation[d] + 1;
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
      const int64_t total = std::max<int64_t>(reach - g.in[d], 0);
      pads[i] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    } else if (auto_pad == "VALID") {
      pads[i] = 0;
    }
    if (pads[i] < 0 || g.stride[d] < 1 || g.dilation[d] < 1) return UserError("negative pads or strides");
    g.pad[d] = pads[i];
    g.padded[d] = std::max(reach, g.in[d] + pads[i]);
  }
  return g;
}

// Per image and group: x centred, with its padding, then panels of pixels gathered from it.
class IntegerConv : public PreparedKernel {
 public:
  IntegerConv(const IntegerProduct& product, const Geometry& g, const Problem& problem)
      : product_(product),
        g_(g),
        x_dtype_(problem.input(0).dtype),
        w_dtype_(problem.input(1).dtype),
        x_zero_(problem.input(2).Present()),
        w_zeros_(Elements(problem.input(3)) * (problem.input(3).Present() ? 1 : 0)),
        threads_(std::max(problem.threads, 1)),
        pairs_((g.Depth() + 1) / 2),
        panels_((g.Pixels() + product.panel - 1) / product.panel) {
    for (int64_t c = 0; c < g.channels; ++c) {
      for (int64_t z = 0; z < g.taps[0]; ++z) {
        for (int64_t y = 0; y < g.taps[1]; ++y) {
          for (int64_t x = 0; x < g.taps[2]; ++x) {
            taps_.push_back(c * g.PaddedPixels() + At(z * g.dilation[0], y * g.dilation[1], x * g.dilation[2]));
          }
        }
      }
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
  int64_t At(int64_t z, int64_t y, int64_t x) const { return (z * g_.padded[1] + y) * g_.padded[2] + x; }

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
        int16_t* row = to + At(z + g_.pad[0], y + g_.pad[1], g_.pad[2]);
        for (int64_t i = 0; i < g_.in[2]; ++i) row[i] = static_cast<int16_t>(ByteAt(x, x_dtype_, from + i) - zero);
      }
    }
  }

  void Gather(const int16_t* image, int64_t first, int64_t columns, int32_t* panel) const {
    int64_t pixels[64];
    for (int64_t j = 0; j < product_.panel; ++j) {
      const int64_t pixel = std::min(first + j, first + columns - 1);
      const int64_t x = pixel % g_.out[2], y = pixel / g_.out[2] % g_.out[1], z = pixel / g_.out[2] / g_.out[1];
      pixels[j] = At(z * g_.stride[0], y * g_.stride[1], x * g_.stride[2]);
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
  Geometry g_;
  DType x_dtype_, w_dtype_;
  bool x_zero_;
  int64_t w_zeros_;
  int threads_;
  int64_t pairs_, panels_;
  std::vector<int64_t> taps_;  // of element k of a column, within the padded image
};

}  // namespace

Status SupportsIntegerConv(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  for (size_t i = 0; i < 2; ++i) {
    const DType dtype = problem.input(i).dtype;
    if (dtype != DType::kUInt8 && dtype != DType::kInt8) return UserError("input {} is {}", i, Name(dtype));
  }
  const Operand& zeros = problem.input(3);
  if (zeros.Present() && Elements(zeros) != 1 && Elements(zeros) != problem.input(1).dims[0]) {
    return UserError("zero points {} for {} filters", ToString(zeros.dims), problem.input(1).dims[0]);
  }
  return GeometryOf(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareIntegerConv(const Problem& problem, const IntegerProduct& product) {
  TAMIS_ASSERT(product.panel <= 64);
  TAMIS_ASSIGN_OR_RETURN(const Geometry geometry, GeometryOf(problem));
  return std::unique_ptr<PreparedKernel>(std::make_unique<IntegerConv>(product, geometry, problem));
}

}  // namespace tamis
