#include "src/kernels/quantized/depthwise_int8.h"

#include <algorithm>

#include "src/kernels/operand_check.h"
#include "src/kernels/row_kernel.h"

namespace tamis {
namespace {

Status CheckShape(const Problem& problem, const QuantizedConvShape& shape) {
  if (shape.group != shape.channels || shape.outputs != shape.channels) {
    return UserError("computes one filter per channel only: {} groups, {} channels, {} outputs", shape.group,
                     shape.channels, shape.outputs);
  }
  const SlidingAxis &d = shape.geometry.axes[0], &h = shape.geometry.axes[1];
  if (d.kernel != 1 || d.in != d.out || d.pad_begin != 0) return UserError("three spatial axes are not supported");
  constexpr int64_t kTallest = 8;
  if (h.kernel > kTallest) return UserError("a kernel of {} rows is not supported, {} are", h.kernel, kTallest);
  if (CodeTypeOf(problem.outputs[0].dtype) == CodeType::kFloat32) return UserError("y must be codes");
  if (problem.input(4).Present()) return UserError("a residual is not supported");
  if (problem.input(2).constant == nullptr) return UserError("the scale must be constant");
  if (problem.input(3).Present() && problem.input(3).constant == nullptr) return UserError("the bias must be constant");
  const QuantizedResult result = ResultOf(*problem.node);
  if (!result.bounds_only) return UserError("the activation is not supported");
  if (Elements(problem.outputs[0]) == 0) return UserError("an empty dimension");
  return {};
}

// Small, and full of what is no part of the weight: not shared between sessions.
class Packed {
 public:
  Packed(const DepthwiseInt8Args& args, const Problem& problem, bool floats)
      : floats_(floats),
        weights_(static_cast<size_t>(args.blocks * Steps(args) * args.block * 4)),
        starts_(static_cast<size_t>(args.blocks * args.block * 4)),
        scales_(starts_.Bytes()),
        biases_(starts_.Bytes()) {
    for (PackedBytes* part : {&weights_, &starts_, &scales_, &biases_}) std::memset(part->data(), 0, part->Bytes());
    const SlidingAxis &h = args.shape.geometry.axes[1], &w = args.shape.geometry.axes[2];
    const int8_t* filter = problem.input(1).constant->Data<int8_t>();
    const float inverse = 1.0f / args.result.y_scale;
    const int64_t tail = args.block / args.tail_rows;
    for (int64_t b = 0; b < args.blocks; ++b) {
      for (int64_t at = 0; at < args.block; ++at) {
        const int64_t c = b * args.block + (b + 1 == args.blocks ? at % tail : at);
        if (c >= args.shape.channels) continue;
        const int64_t slot = floats ? at : SlotOf(at, args.block);
        int32_t sum = 0;
        for (int64_t i = 0; i < h.kernel; ++i) {
          for (int64_t j = 0; j < w.kernel; ++j) {
            const int8_t weight = filter[(c * h.kernel + i) * w.kernel + j];
            sum += weight;
            if (floats) {
              const int64_t step = (b * h.kernel + i) * w.kernel + j;
              reinterpret_cast<float*>(weights_.data())[step * args.block + slot] = weight;
            } else {
              const int64_t step = (b * w.kernel + j) * args.row_sets + i / 4;
              reinterpret_cast<int8_t*>(weights_.data())[(step * args.block + slot) * 4 + i % 4] = weight;
            }
          }
        }
        const int64_t out = b * args.block + slot;
        if (floats) {
          reinterpret_cast<float*>(starts_.data())[out] = static_cast<float>(-args.zero * sum);
        } else {
          reinterpret_cast<int32_t*>(starts_.data())[out] = -args.zero * sum;
        }
        reinterpret_cast<float*>(scales_.data())[out] = problem.input(2).constant->Data<float>()[c] * inverse;
        if (problem.input(3).Present()) {
          reinterpret_cast<float*>(biases_.data())[out] = problem.input(3).constant->Data<float>()[c] * inverse;
        }
      }
    }
  }
  void PointFrom(DepthwiseInt8Args& args) const {
    if (floats_) {
      args.float_weights = reinterpret_cast<const float*>(weights_.data());
      args.float_starts = reinterpret_cast<const float*>(starts_.data());
    } else {
      args.weights = reinterpret_cast<const int8_t*>(weights_.data());
      args.starts = reinterpret_cast<const int32_t*>(starts_.data());
    }
    args.scales = reinterpret_cast<const float*>(scales_.data());
    args.biases = reinterpret_cast<const float*>(biases_.data());
  }

 private:
  int64_t Steps(const DepthwiseInt8Args& args) const {
    return args.shape.geometry.axes[2].kernel * (floats_ ? args.shape.geometry.axes[1].kernel : args.row_sets);
  }
  // Where the channel of byte `at` of a vector lies among the lanes of the four vectors.
  static int64_t SlotOf(int64_t at, int64_t block) {
    const int64_t lane_of_128 = at / 16, vector = at % 16 / 4;
    return vector * (block / 4) + lane_of_128 * 4 + at % 4;
  }

  bool floats_;
  PackedBytes weights_, starts_, scales_, biases_;
};

class DepthwiseInt8 : public RowKernel {
 public:
  DepthwiseInt8(const DepthwiseInt8Args& args, std::unique_ptr<const Packed> packed, const DepthwiseInt8Form& form,
                bool exchanges, int threads)
      : args_(args),
        packed_(std::move(packed)),
        body_(form.body),
        exchanges_(exchanges || args.result.table == nullptr || args.result.affine.has_value()),
        lines_(args.shape.geometry.axes) {
    packed_->PointFrom(args_);
    std::memset(args_.padding, args_.zero, sizeof(args_.padding));
    const SlidingAxis& h = args_.shape.geometry.axes[1];
    row_units_ = (h.out + kDepthwiseRows - 1) / kDepthwiseRows;
    items_ = args_.shape.batch * row_units_ * args_.blocks;
    // As in PrepareDepthwise.
    by_channels_ = args_.shape.batch * h.in < int64_t{5} * threads;
    const int64_t lines = (kDepthwiseRows - 1) * h.stride + (h.kernel - 1) * h.dilation + 1;
    scratch_bytes_ = args_.columns * args_.block * 4 * (form.floats ? lines : args_.row_sets);
    const int64_t work = args_.shape.batch * args_.shape.geometry.OutputSize() * args_.blocks;  // vectors of results
    const int64_t least = form.floats ? 1600 : 400;                                             // worth a thread
    threads_ = static_cast<int>(std::clamp<int64_t>(std::min(items_, work / least), 1, std::max(threads, 1)));
  }

  size_t WorkspaceBytes() const override { return static_cast<size_t>(scratch_bytes_ * threads_); }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    const int64_t rows = args_.shape.geometry.axes[1].out;
    const auto part_work = [&](int part) {
      DepthwiseInt8Task task;
      task.x = inputs[0];
      task.y = outputs[0];
      task.scratch = reinterpret_cast<uint8_t*>(workspace) + scratch_bytes_ * part;
      for (int64_t item = items_ * part / threads_; item < items_ * (part + 1) / threads_; ++item) {
        const int64_t units = args_.shape.batch * row_units_;
        const int64_t row_unit = by_channels_ ? item % units : item / args_.blocks, unit = row_unit % row_units_;
        task.block = by_channels_ ? item / units : item % args_.blocks;
        task.image = row_unit / row_units_;
        task.row = unit * kDepthwiseRows;
        task.rows = std::min(kDepthwiseRows, rows - task.row);
        body_(args_, task);
        if (!exchanges_) Exchange(task);
      }
    };
    pool.Run(threads_, [&part_work](int part) { part_work(part); });
  }

  int64_t RowUnit() const override { return lines_.pixels(); }
  RowSpan Needs(RowSpan rows) const override { return lines_.Needs(rows); }
  size_t RowScratchBytes(int64_t /*rows*/) const override { return static_cast<size_t>(scratch_bytes_); }
  void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
               std::byte* scratch) const override {
    const int64_t height = args_.shape.geometry.axes[1].out;
    DepthwiseInt8Task task;
    task.x = inputs[0];
    task.y = outputs[0];
    task.scratch = reinterpret_cast<uint8_t*>(scratch);
    const int64_t last = rows.end / RowUnit();
    for (int64_t line = rows.begin / RowUnit(); line < last; line += task.rows) {
      task.image = line / height;
      task.row = line % height;
      task.rows = std::min({kDepthwiseRows, height - task.row, last - line});
      for (task.block = 0; task.block < args_.blocks; ++task.block) {
        body_(args_, task);
        if (!exchanges_) Exchange(task);
      }
    }
  }

 private:
  void Exchange(const DepthwiseInt8Task& task) const {
    const int64_t columns = args_.shape.geometry.axes[2].out, channels = args_.shape.channels;
    const int64_t first = task.block * args_.block, count = std::min(args_.block, channels - first);
    const int64_t pixel = (task.image * args_.shape.geometry.axes[1].out + task.row) * columns;
    for (int64_t i = 0; i < task.rows * columns; ++i) {
      args_.result.Exchange(static_cast<uint8_t*>(task.y) + (pixel + i) * channels + first, count);
    }
  }

  DepthwiseInt8Args args_;
  std::unique_ptr<const Packed> packed_;
  DepthwiseInt8Body body_;
  bool exchanges_, by_channels_ = false;
  WindowLines lines_;
  int64_t row_units_ = 1, items_ = 1, scratch_bytes_ = 0;
  int threads_ = 1;
};

}  // namespace

Status SupportsDepthwiseInt8(const Problem& problem) {
  TAMIS_ASSIGN_OR_RETURN(const QuantizedConvShape shape, ReadQuantizedConv(problem));
  return CheckShape(problem, shape);
}

double DepthwiseInt8Cost(const Problem& problem, Isa isa, double work) {
  const double taps = static_cast<double>(Elements(problem.input(1))) / static_cast<double>(problem.input(1).dims[0]);
  return PredictSeconds(problem, isa, static_cast<double>(Elements(problem.outputs[0])) * taps * work);
}

Status SupportsDepthwiseFloats(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(SupportsDepthwiseInt8(problem));
  constexpr int64_t kTaps = 512;  // 2^24 over the greatest product of a code and a weight, 255 * 128
  const int64_t taps = Elements(problem.input(1)) / problem.input(1).dims[0];
  if (taps > kTaps) return UserError("a filter of {} taps is not supported, {} are", taps, kTaps);
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PrepareDepthwiseInt8(const Problem& problem, const DepthwiseInt8Form& form) {
  const bool exchanges = form.with_table != nullptr && problem.node->Has("table");
  DepthwiseInt8Form chosen = form;
  if (exchanges) chosen.body = form.with_table;
  DepthwiseInt8Args args;
  TAMIS_ASSIGN_OR_RETURN(args.shape, ReadQuantizedConv(problem));
  args.result = ResultOf(*problem.node);
  if (exchanges) args.result.affine.reset();  // two instructions of the body do any table
  args.is_signed = problem.input(0).dtype == DType::kInt8;
  args.zero = static_cast<int32_t>(problem.node->Int("x_zero_point", 0)) + (args.is_signed ? 128 : 0);
  const SlidingAxis &h = args.shape.geometry.axes[1], &w = args.shape.geometry.axes[2];
  args.row_sets = (h.kernel + 3) / 4;
  constexpr int64_t kGroup = kDepthwiseFloatResults;
  const int64_t results = form.floats ? (w.out + kGroup - 1) / kGroup * kGroup : w.out;
  args.columns = (results - 1) * w.stride + (w.kernel - 1) * w.dilation + 1;
  args.block = form.block;
  args.blocks = (args.shape.channels + form.block - 1) / form.block;
  const int64_t tail = args.shape.channels - (args.blocks - 1) * form.block;
  if (!form.floats) args.tail_rows = tail * 4 <= form.block && form.block == 64 ? 4 : tail * 2 <= form.block ? 2 : 1;
  auto packed = std::make_unique<const Packed>(args, problem, form.floats);
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<DepthwiseInt8>(args, std::move(packed), chosen, exchanges, problem.threads));
}

}  // namespace tamis
