// The body of the int8 depthwise kernels for the instruction set of the including file, told by `I`:
//   I::Bytes, I::Floats      a vector as whole numbers and as floats
//   I::kBytes                its size
//   I::RoundAndScale         a table that is a line (affine_table.h)
//   I::Dot                   how four products of bytes are added to a lane: Weight, Prepare and Add, as of the AVX2
//   tile
// and loads, stores and arithmetic by the names used here. `exchange` is what the table does to a vector of codes.
#pragma once

#include <immintrin.h>

#include "src/kernels/quantized/depthwise_int8.h"

namespace tamis {
namespace {

// Four vectors of scaled sums as codes, before a table that is no line.
template <class I>
inline typename I::Bytes CodesOf(const typename I::Floats* scaled, const QuantizedResult& result,
                                 const AffineTable& last) {
  using Bytes = typename I::Bytes;
  const bool line = result.affine.has_value();
  Bytes wide[4];
  for (int v = 0; v < 4; ++v) wide[v] = I::ToInt(line ? I::RoundAndScale(scaled[v], last.factor) : scaled[v]);
  const Bytes zero = I::Set16(static_cast<int16_t>(last.offset));
  const Bytes low = I::Add16(I::Pack32(wide[0], wide[1]), zero), high = I::Add16(I::Pack32(wide[2], wide[3]), zero);
  const Bytes lowest = I::Set8(last.lowest), highest = I::Set8(last.highest);
  if (result.y_type == CodeType::kUInt8) return I::MinU8(I::MaxU8(I::PackU16(low, high), lowest), highest);
  return I::MinS8(I::MaxS8(I::PackS16(low, high), lowest), highest);
}

// kSide rows of results side by side in a vector.
template <class I, int kSide, class Exchange>
class DepthwiseRows {
 public:
  using Bytes = typename I::Bytes;
  using Dot = typename I::Dot;
  static constexpr int64_t kPart = I::kBytes / kSide;  // bytes of one row's channels

  DepthwiseRows(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task, const Exchange& exchange)
      : args_(args),
        task_(task),
        exchange_(exchange),
        h_(args.shape.geometry.axes[1]),
        w_(args.shape.geometry.axes[2]),
        last_(args.result.ToCodes()),
        channels_(args.shape.channels),
        first_(task.block * I::kBytes) {
    const int64_t rest = channels_ - first_;
    count_ = rest < kPart ? rest : kPart;
    flip_ = I::Set8(args.is_signed ? -128 : 0);
  }

  void Run() const {
    for (int64_t row = 0; row < task_.rows; row += kSide) {
      Interleave(task_.row + row);
      if (w_.kernel == 3 && args_.row_sets == 1) {
        Multiply<3>(row);
      } else {
        Multiply<0>(row);
      }
    }
  }

 private:
  // One row of x, or padding, for each row of results.
  struct Source {
    const uint8_t* at[kSide];
    int64_t step[kSide];
  };

  Source SourceOf(int64_t row, int64_t kernel_row) const {
    Source source;
    for (int side = 0; side < kSide; ++side) {
      const int64_t out = row + side < h_.out ? row + side : h_.out - 1;
      const int64_t in = out * h_.stride - h_.pad_begin + kernel_row * h_.dilation;
      const bool inside = kernel_row < h_.kernel && in >= 0 && in < h_.in;
      const auto* x = static_cast<const uint8_t*>(task_.x);
      source.at[side] = inside ? x + ((task_.image * h_.in + in) * w_.in) * channels_ + first_ : nullptr;
      source.step[side] = inside ? channels_ : 0;
    }
    return source;
  }
  Bytes Load(const Source& source, int64_t column) const {
    const uint8_t* at[kSide];
    for (int side = 0; side < kSide; ++side) {
      at[side] = source.step[side] != 0 ? source.at[side] + column * source.step[side] : nullptr;
    }
    return I::template LoadParts<kSide>(at, count_, args_.padding, flip_);
  }

  void Interleave(int64_t row) const {
    const Bytes padding = I::Load(args_.padding);
    for (int64_t set = 0; set < args_.row_sets; ++set) {
      const Source sources[4] = {SourceOf(row, 4 * set), SourceOf(row, 4 * set + 1), SourceOf(row, 4 * set + 2),
                                 SourceOf(row, 4 * set + 3)};
      uint8_t* to = task_.scratch + set * 4 * I::kBytes;
      const int64_t pitch = args_.row_sets * 4 * I::kBytes;
      for (int64_t column = 0; column < args_.columns; ++column, to += pitch) {
        const int64_t in = column - w_.pad_begin;
        if (in < 0 || in >= w_.in) {
          for (int v = 0; v < 4; ++v) I::Store(to + v * I::kBytes, padding);
          continue;
        }
        const Bytes r0 = Load(sources[0], in), r1 = Load(sources[1], in);
        const Bytes r2 = Load(sources[2], in), r3 = Load(sources[3], in);
        const Bytes low01 = I::UnpackLow8(r0, r1), high01 = I::UnpackHigh8(r0, r1);
        const Bytes low23 = I::UnpackLow8(r2, r3), high23 = I::UnpackHigh8(r2, r3);
        I::Store(to, I::UnpackLow16(low01, low23));
        I::Store(to + I::kBytes, I::UnpackHigh16(low01, low23));
        I::Store(to + 2 * I::kBytes, I::UnpackLow16(high01, high23));
        I::Store(to + 3 * I::kBytes, I::UnpackHigh16(high01, high23));
      }
    }
  }

  // kTaps columns of one set of rows, or as many as there are.
  template <int kTaps>
  void Multiply(int64_t row) const {
    const int64_t sets = kTaps > 0 ? 1 : args_.row_sets, taps = kTaps > 0 ? kTaps : w_.kernel;
    const int8_t* weights = args_.weights + task_.block * taps * sets * 4 * I::kBytes;
    typename Dot::Weight held[kTaps > 0 ? kTaps : 1][4];
    if constexpr (kTaps > 0) {
      for (int t = 0; t < kTaps; ++t) {
        for (int v = 0; v < 4; ++v) held[t][v] = Dot::Prepare(I::Load(weights + (t * 4 + v) * I::kBytes));
      }
    }
    const int64_t at = task_.block * I::kBytes;  // numbers: four vectors a block
    const Epilogue epilogue = {args_.starts + at, args_.scales + at, args_.biases + at};
    const int64_t column_bytes = sets * 4 * I::kBytes;
    uint8_t* y[kSide];
    for (int side = 0; side < kSide; ++side) {
      const bool present = row + side < task_.rows;
      const int64_t out_row = task_.image * h_.out + task_.row + row + side;
      y[side] = present ? static_cast<uint8_t*>(task_.y) + out_row * w_.out * channels_ + first_ : nullptr;
    }
    for (int64_t column = 0; column < w_.out; ++column) {
      const uint8_t* x = task_.scratch + column * w_.stride * column_bytes;
      Bytes acc[4];
      for (int v = 0; v < 4; ++v) acc[v] = I::Load(epilogue.starts + v * I::kBytes / 4);
      if constexpr (kTaps > 0) {
#pragma GCC unroll 4
        for (int t = 0; t < kTaps; ++t) {
          for (int v = 0; v < 4; ++v) {
            acc[v] = Dot::Add(acc[v], I::Load(x + t * w_.dilation * column_bytes + v * I::kBytes), held[t][v]);
          }
        }
      } else {
        const int8_t* from = weights;
        for (int64_t t = 0; t < taps; ++t) {
          const uint8_t* tap = x + t * w_.dilation * column_bytes;
          for (int64_t s = 0; s < sets * 4; s += 4, from += 4 * I::kBytes) {
            for (int v = 0; v < 4; ++v) {
              const auto weight = Dot::Prepare(I::Load(from + v * I::kBytes));
              acc[v] = Dot::Add(acc[v], I::Load(tap + (s + v) * I::kBytes), weight);
            }
          }
        }
      }
      I::template StoreParts<kSide>(y, column * channels_, count_, exchange_(Codes(acc, epilogue)));
    }
  }

  struct Epilogue {
    const int32_t* starts;
    const float *scales, *biases;
  };
  Bytes Codes(const Bytes* acc, const Epilogue& epilogue) const {
    typename I::Floats scaled[4];
    for (int v = 0; v < 4; ++v) {
      const int64_t at = v * I::kBytes / 4;
      scaled[v] =
          I::MultiplyAdd(I::ToFloat(acc[v]), I::LoadFloat(epilogue.scales + at), I::LoadFloat(epilogue.biases + at));
    }
    return CodesOf<I>(scaled, args_.result, last_);
  }

  const DepthwiseInt8Args& args_;
  const DepthwiseInt8Task& task_;
  const Exchange& exchange_;
  const SlidingAxis &h_, &w_;
  AffineTable last_;
  int64_t channels_, first_, count_;
  Bytes flip_;
};

template <class I, class Exchange>
void DepthwiseInt8(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task, const Exchange& exchange) {
  const int64_t side = task.block + 1 == args.blocks ? args.tail_rows : 1;
  if constexpr (I::kBytes >= 64) {
    if (side == 4) return DepthwiseRows<I, 4, Exchange>(args, task, exchange).Run();
  }
  if (side == 2) return DepthwiseRows<I, 2, Exchange>(args, task, exchange).Run();
  DepthwiseRows<I, 1, Exchange>(args, task, exchange).Run();
}

}  // namespace
}  // namespace tamis
