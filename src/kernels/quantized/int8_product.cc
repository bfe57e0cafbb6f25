#include <cpuid.h>

#include <algorithm>
#include <cstring>

#include "src/kernels/gemm/gemm_panels.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/quantized/int8_panel.h"

namespace tamis {
namespace {

// A product over x as bytes in memory: output row r of line l starts at image_offset(l) + r * row_pitch, and the taps
// of all rows lie at the same distances from there. A matrix product is one line with one tap.
struct Int8Shape {
  QuantizedConvShape conv;
  bool dynamic = false, is_signed = false;
  // x as the routines see it: spatial sizes with padding, bytes from pixel to pixel.
  std::array<int64_t, 3> padded = {1, 1, 1};
  int64_t pixel_pitch = 0;
  bool staged = false;  // laid out anew in the workspace
  // The taps of a kernel row lie side by side, as their weights do: they are one tap with all of their channels. Fewer
  // steps are then filled up, and loops are longer.
  bool rows_as_taps = false;
  int64_t lines = 0, line_rows = 0;
};

Result<Int8Shape> ReadShape(const Problem& problem) {
  Int8Shape shape;
  if (problem.node->op == "QuantizedConv") {
    TAMIS_ASSIGN_OR_RETURN(shape.conv, ReadQuantizedConv(problem));
  } else {
    TAMIS_ASSIGN_OR_RETURN(const QuantizedShape linear, ReadQuantizedLinear(problem));
    shape.dynamic = linear.x == DType::kFloat32;
    shape.conv.batch = 1;
    shape.conv.channels = linear.depth;
    shape.conv.outputs = linear.outputs;
    shape.conv.geometry.axes[2].in = shape.conv.geometry.axes[2].out = linear.rows;
  }
  if (Elements(problem.outputs[0]) == 0) return UserError("an empty dimension");
  shape.is_signed = problem.input(0).dtype == DType::kInt8;
  return shape;
}

// Lays out what Run needs for a weight packed like this.
void PlanLayout(Int8Shape& shape, const PackedInt8& weight) {
  const auto& axes = shape.conv.geometry.axes;
  bool pointwise = true, pads = false;
  for (size_t i = 0; i < 3; ++i) {
    const SlidingAxis& axis = axes[i];
    const int64_t reach = (axis.out - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    shape.padded[i] = std::max(axis.pad_begin + axis.in, reach);
    pads |= shape.padded[i] != axis.in;
    pointwise &= axis.kernel == 1 && axis.stride == 1;
  }
  const bool one_line = pointwise && !pads;
  shape.line_rows = one_line ? shape.conv.batch * shape.conv.geometry.OutputSize() : axes[2].out;
  shape.lines = one_line ? 1 : shape.conv.batch * axes[0].out * axes[1].out;
  shape.pixel_pitch = shape.conv.channels;
  // A routine reads whole steps: the last row needs bytes behind it. And rows whose pitch is a large power of two would
  // share few cache sets.
  const bool overread = weight.geometry().channels % weight.inputs_per_step() != 0;
  const bool aliasing =
      one_line && !shape.dynamic && shape.conv.channels % 4096 == 0 && weight.panels() > 4 && shape.line_rows > 4;
  if (aliasing) shape.pixel_pitch += 64;
  shape.staged = shape.is_signed || shape.dynamic || pads || overread || aliasing;
}

class Int8Product : public PreparedKernel {
 public:
  Int8Product(const Int8Shape& shape, const Problem& problem, std::shared_ptr<const PackedInt8> weight,
              const Int8Routine& routine)
      : shape_(shape),
        weight_(std::move(weight)),
        routine_(routine),
        result_(ResultOf(*problem.node, problem.input(4).dtype)),
        residual_element_(problem.input(4).Present() ? ByteSize(problem.input(4).dtype, 1) : 0),
        zero_(problem.node->Int("x_zero_point", 0) + (shape.is_signed ? 128 : 0)),
        threads_(std::max(problem.threads, 1)) {
    const auto& [d, h, w] = shape_.conv.geometry.axes;
    for (int64_t kd = 0; kd < d.kernel; ++kd) {
      for (int64_t kh = 0; kh < h.kernel; ++kh) {
        for (int64_t kw = 0; kw < (shape_.rows_as_taps ? 1 : w.kernel); ++kw) {
          taps_.push_back(PixelAt(0, kd * d.dilation, kh * h.dilation, kw * w.dilation));
        }
      }
    }
    const int64_t bytes_per_row = shape_.conv.channels * d.stride * h.stride * w.stride;
    grid_ = CutPanelGrid(Rows(), weight_->panels(), bytes_per_row, threads_);
    constexpr int64_t kSlack = 64;
    staged_bytes_ = shape_.staged ? Padded64(shape_.conv.batch * PaddedPixels() * shape_.pixel_pitch + kSlack) : 0;
    // Parts of rows lay out what they read themselves, a few rows of x twice: it is then in the right core's cache, and
    // nobody waits. Else all parts read all of it.
    staged_by_part_ = shape_.staged && !shape_.dynamic && grid_.panel_parts == 1 && grid_.row_parts > 1;
    if (staged_by_part_) {
      size_t largest = 0;
      for (int part = 0; part < grid_.row_parts; ++part) {
        const PartSpan pixels = PixelsOf(RowsOf(grid_, Rows(), part));
        largest = std::max(largest, Padded64((pixels.end - pixels.begin) * shape_.pixel_pitch + kSlack));
      }
      part_bytes_ = largest;
      staged_bytes_ = largest * static_cast<size_t>(grid_.row_parts);
    }
    widened_bytes_ = routine_.widen != nullptr ? static_cast<size_t>(weight_->steps() * 64) : 0;
  }

  size_t WorkspaceBytes() const override {
    return staged_bytes_ + widened_bytes_ * static_cast<size_t>(grid_.row_parts * grid_.panel_parts);
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    Call call = {inputs, outputs[0], static_cast<const uint8_t*>(inputs[0]), static_cast<int32_t>(zero_), 1};
    auto* staged = reinterpret_cast<uint8_t*>(workspace);
    if (shape_.dynamic) {
      const DynamicScale scale = QuantizeDynamically(
          static_cast<const float*>(inputs[0]), shape_.conv.channels * shape_.conv.geometry.InputSize(), staged, pool);
      call.factor = scale.scale;
      call.zero = scale.zero;
    } else if (shape_.staged && !staged_by_part_) {
      pool.ParallelFor(shape_.conv.batch * PaddedPixels(), 256, [&](int64_t begin, int64_t end) {
        Stage(static_cast<const uint8_t*>(inputs[0]), begin, end, staged);
      });
    }
    if (shape_.staged) call.x = staged;
    const int parts = static_cast<int>(grid_.row_parts * grid_.panel_parts);
    pool.Run(parts, [&](int part) {
      std::byte* widened = workspace + staged_bytes_ + widened_bytes_ * static_cast<size_t>(part);
      const PartSpan rows = RowsOf(grid_, Rows(), part);
      const PartSpan panels = PanelsOf(grid_, weight_->panels(), part);
      Call own = call;
      if (staged_by_part_ && rows.begin < rows.end) {
        const PartSpan pixels = PixelsOf(rows);
        uint8_t* const to = staged + part_bytes_ * static_cast<size_t>(part) - pixels.begin * shape_.pixel_pitch;
        Stage(static_cast<const uint8_t*>(inputs[0]), pixels.begin, pixels.end, to);
        own.x = to;
      }
      for (int64_t row = rows.begin; row < rows.end; row += grid_.block_rows) {
        const PartSpan block = {row, std::min(row + grid_.block_rows, rows.end)};
        for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
          Panel(own, block, panel, panel + 1 < panels.end, widened);
        }
      }
    });
  }

 private:
  struct Call {
    std::span<const void* const> inputs;
    void* y;
    const uint8_t* x;
    int32_t zero;
    float factor;
  };

  static size_t Padded64(int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); }
  int64_t Rows() const { return shape_.lines * shape_.line_rows; }
  int64_t PaddedPixels() const { return shape_.padded[0] * shape_.padded[1] * shape_.padded[2]; }
  // Bytes from x to a pixel of the padded image.
  int64_t PixelAt(int64_t image, int64_t z, int64_t y, int64_t x) const {
    return (((image * shape_.padded[0] + z) * shape_.padded[1] + y) * shape_.padded[2] + x) * shape_.pixel_pitch;
  }

  // Pixels of the padded images that these rows read.
  PartSpan PixelsOf(PartSpan rows) const {
    if (shape_.lines == 1) {
      const int64_t stride = shape_.conv.geometry.axes[2].stride;
      return {rows.begin * stride, std::min((rows.end - 1) * stride + shape_.conv.geometry.axes[2].kernel *
                                                                          shape_.conv.geometry.axes[2].dilation,
                                            shape_.conv.batch * PaddedPixels())};
    }
    const auto& [d, h, w] = shape_.conv.geometry.axes;
    const auto first_row = [&](int64_t line) {  // of the padded images
      return (line / (d.out * h.out) * shape_.padded[0] + line / h.out % d.out * d.stride) * shape_.padded[1] +
             line % h.out * h.stride;
    };
    const int64_t begin = first_row(rows.begin / shape_.line_rows), last = first_row((rows.end - 1) / shape_.line_rows);
    const int64_t reach = (d.kernel - 1) * d.dilation * shape_.padded[1] + (h.kernel - 1) * h.dilation + 1;
    return {begin * shape_.padded[2], (last + reach) * shape_.padded[2]};
  }

  void Panel(const Call& call, PartSpan rows, int64_t panel, bool has_next, std::byte* widened) const {
    const int64_t group = panel / weight_->group_panels();
    const int64_t first = panel % weight_->group_panels() * PackedInt8::kLanes;
    const int64_t output = group * weight_->geometry().outputs + first;
    alignas(64) std::array<int32_t, PackedInt8::kLanes> start;
    const int32_t* sums = weight_->sums(panel);
    for (size_t lane = 0; lane < start.size(); ++lane) start[lane] = -call.zero * sums[lane];
    Int8Task task;
    task.taps = taps_.data();
    task.tap_count = static_cast<int64_t>(taps_.size());
    task.tap_steps = weight_->tap_steps();
    task.values = weight_->values(panel);
    task.codes = weight_->codes(panel);
    task.order = weight_->order(panel);
    task.start = start.data();
    task.scale = static_cast<const float*>(call.inputs[2]) + output;
    if (call.inputs.size() > 3 && call.inputs[3] != nullptr) {
      task.bias = static_cast<const float*>(call.inputs[3]) + output;
    }
    task.factor = call.factor;
    task.lanes = static_cast<int>(std::min(PackedInt8::kLanes, weight_->geometry().outputs - first));
    task.result = &result_;
    if (HasVbmi()) task.exchange_tile = ExchangeTileVbmi;
    task.y_pitch = shape_.conv.outputs;
    if (routine_.widen != nullptr && rows.end - rows.begin > routine_.inline_rows) {
      routine_.widen(task.codes, weight_->steps(), widened);
      task.widened = widened;
    }
    const int64_t lines = has_next ? (weight_->values(panel + 1) - weight_->values(panel)) / 64 : 0;
    const auto line_of = [&](int64_t row) { return lines * (row - rows.begin) / (rows.end - rows.begin); };
    const auto& [d, h, w] = shape_.conv.geometry.axes;
    task.x_pitch = w.stride * shape_.pixel_pitch;
    const auto element = static_cast<int64_t>(ByteSize(result_.dtype, 1));
    for (int64_t row = rows.begin; row < rows.end; row += task.rows) {
      const int64_t line = row / shape_.line_rows, at = row % shape_.line_rows;
      task.rows = std::min(shape_.line_rows - at, rows.end - row);
      int64_t offset = at * task.x_pitch + group * weight_->geometry().channels;
      if (shape_.lines > 1) {
        offset += PixelAt(line / (d.out * h.out), line / h.out % d.out * d.stride, line % h.out * h.stride, 0);
      }
      task.x = call.x + offset;
      task.y = static_cast<std::byte*>(call.y) + (row * shape_.conv.outputs + output) * element;
      if (residual_element_ > 0) {
        task.residual = static_cast<const std::byte*>(call.inputs[4]) +
                        (row * shape_.conv.outputs + output) * static_cast<int64_t>(residual_element_);
      }
      if (lines > 0) {
        task.ahead = reinterpret_cast<const std::byte*>(weight_->values(panel + 1)) + line_of(row) * 64;
        task.ahead_lines = line_of(row + task.rows) - line_of(row);
      }
      routine_.run(task);
    }
  }

  // Pixels [begin, end) of the padded images.
  void Stage(const uint8_t* x, int64_t begin, int64_t end, uint8_t* staged) const {
    const auto& [d, h, w] = shape_.conv.geometry.axes;
    const int64_t channels = shape_.conv.channels, pitch = shape_.pixel_pitch;
    const auto zero = static_cast<uint8_t>(zero_);
    while (begin < end) {
      const int64_t row = begin / shape_.padded[2], from = begin % shape_.padded[2];
      const int64_t to = std::min(shape_.padded[2], from + end - begin);
      const int64_t z = row / shape_.padded[1] % shape_.padded[0] - d.pad_begin;
      const int64_t y = row % shape_.padded[1] - h.pad_begin;
      const bool inside = z >= 0 && z < d.in && y >= 0 && y < h.in;
      const int64_t left = inside ? std::clamp(w.pad_begin, from, to) : to;
      const int64_t right = inside ? std::clamp(w.pad_begin + w.in, left, to) : to;
      uint8_t* out = staged + begin * pitch;
      std::memset(out, zero, static_cast<size_t>((left - from) * pitch));
      out += (left - from) * pitch;
      const int64_t image = row / (shape_.padded[0] * shape_.padded[1]);
      const uint8_t* in = x + (((image * d.in + z) * h.in + y) * w.in + left - w.pad_begin) * channels;
      const int64_t runs = pitch == channels ? (right > left ? 1 : 0) : right - left;
      const int64_t bytes = pitch == channels ? (right - left) * channels : channels;
      for (int64_t i = 0; i < runs; ++i) CopyCodes(in + i * channels, bytes, out + i * pitch);
      out += (right - left) * pitch;
      std::memset(out, zero, static_cast<size_t>((to - right) * pitch));
      begin += to - from;
    }
  }
  void CopyCodes(const uint8_t* from, int64_t bytes, uint8_t* to) const {
    if (!shape_.is_signed) {
      std::memcpy(to, from, static_cast<size_t>(bytes));
      return;
    }
    for (int64_t i = 0; i < bytes; ++i) to[i] = from[i] ^ 0x80;
  }

  Int8Shape shape_;
  std::shared_ptr<const PackedInt8> weight_;
  Int8Routine routine_;
  QuantizedResult result_;
  size_t residual_element_;  // bytes; 0: there is none
  int64_t zero_;
  int threads_;
  std::vector<int64_t> taps_;
  PanelGrid grid_;
  bool staged_by_part_ = false;
  size_t staged_bytes_ = 0, part_bytes_ = 0, widened_bytes_ = 0;
};

}  // namespace

Status Int8PanelsSupported(const Problem& problem, bool sparse) {
  TAMIS_RETURN_IF_ERROR(ReadShape(problem).status());
  if (sparse && problem.input(1).pattern == Pattern::kDense) return UserError("the weight is not 2:4");
  return {};
}

double Int8PanelsCost(const Problem& problem, Isa isa, double work) {
  const double depth = static_cast<double>(Elements(problem.input(1))) / static_cast<double>(problem.input(1).dims[0]);
  return PredictSeconds(problem, isa, static_cast<double>(Elements(problem.outputs[0])) * depth * work);
}

bool HasAvxVnni() {
  static const bool kHas = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1U << 4)) != 0;
  }();
  return kHas;
}

double Int8SparseWork() {
  return 0.45 / SparseShare();
}

Result<std::unique_ptr<PreparedKernel>> PrepareInt8Panels(const Problem& problem, PackCache& cache,
                                                          const Int8Routine& routine) {
  TAMIS_ASSIGN_OR_RETURN(Int8Shape shape, ReadShape(problem));
  const Operand& weight = problem.input(1);
  Int8Geometry geometry;
  geometry.groups = shape.conv.group;
  geometry.outputs = shape.conv.outputs / shape.conv.group;
  geometry.taps = shape.conv.geometry.KernelSize();
  geometry.channels = shape.conv.channels / shape.conv.group;
  const SlidingAxis& w = shape.conv.geometry.axes[2];
  // Groups of four of the 2:4 pattern start anew at every tap.
  shape.rows_as_taps =
      geometry.groups == 1 && w.kernel > 1 && w.dilation == 1 && (!routine.sparse || geometry.channels % 4 == 0);
  if (shape.rows_as_taps) {
    geometry.taps /= w.kernel;
    geometry.channels *= w.kernel;
  }
  TAMIS_ASSIGN_OR_RETURN(auto packed, PackedInt8::Get(cache, weight.constant_hash, *weight.constant, geometry,
                                                      routine.sparse ? Pattern::kTwoFour : Pattern::kDense));
  PlanLayout(shape, *packed);
  return std::unique_ptr<PreparedKernel>(std::make_unique<Int8Product>(shape, problem, std::move(packed), routine));
}

}  // namespace tamis
