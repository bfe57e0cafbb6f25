// The bodies of elementwise work on codes for the ISA of the including file.
#pragma once

#include "src/kernels/quantized/code_blocks.h"
#include "src/kernels/quantized/codes.h"

namespace tamis {
namespace {

// Elements [begin, end) of a sum or product, walked in runs of the innermost loop.
inline void BinaryCodes(const CodesArgs& args, const void* const* inputs, void* y, int64_t begin, int64_t end) {
  alignas(64) float a[kCodeBlock], b[kCodeBlock];
  const int last = args.loops.rank - 1;
  const int64_t inner = args.loops.dims[last];
  for (int64_t at = begin; at < end;) {
    int64_t offsets[kMaxOperands];
    RowOffsets(args.loops, at / inner, offsets);
    const int64_t first = at % inner;
    const int64_t count = MinOf(MinOf(inner - first, end - at), kCodeBlock);
    float* const blocks[] = {a, b};
    for (int k = 0; k < 2; ++k) {
      const int64_t step = args.loops.strides[k][last];
      WidenCodes(args.types[k], inputs[k], offsets[k] + first * step, step == 0 ? 1 : count, args.scales[k],
                 args.shifts[k], blocks[k]);
      for (int64_t i = 1; step == 0 && i < count; ++i) blocks[k][i] = blocks[k][0];
    }
    if (args.task == CodesTask::kAdd) {
      for (int64_t i = 0; i < count; ++i) a[i] += b[i];
    } else {
      for (int64_t i = 0; i < count; ++i) a[i] *= b[i];
    }
    ActivateBlock(args.activation, args.factor, a, count);
    NarrowCodes(args.y_type, a, count, args.zero, y, at);
    at += count;
  }
}

template <class T>
inline void AddPixels(const T* x, int64_t pixels, int64_t step, int64_t channels, int32_t* sums) {
  for (int64_t c = 0; c < channels; ++c) sums[c] = 0;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < channels; ++c) sums[c] += x[p * step + c];
  }
}

inline void PoolCodes(const CodesArgs& args, const void* const* inputs, void* y, int64_t begin, int64_t end) {
  int32_t sums[kPoolChannels];
  alignas(64) float values[kPoolChannels];
  const int64_t blocks = (args.channels + kPoolChannels - 1) / kPoolChannels;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t image = item / blocks, c = item % blocks * kPoolChannels;
    const int64_t count = MinOf(args.channels - c, kPoolChannels);
    const int64_t at = image * args.pixels * args.channels + c;
    if (args.types[0] == CodeType::kUInt8) {
      AddPixels(static_cast<const uint8_t*>(inputs[0]) + at, args.pixels, args.channels, count, sums);
    } else {
      AddPixels(static_cast<const int8_t*>(inputs[0]) + at, args.pixels, args.channels, count, sums);
    }
    WidenBlock(sums, count, args.scales[0], args.shifts[0], values);
    ActivateBlock(args.activation, args.factor, values, count);
    NarrowCodes(args.y_type, values, count, args.zero, y, image * args.channels + c);
  }
}

inline void QuantizeBlocks(const CodesArgs& args, const float* x, void* y, int64_t begin, int64_t end) {
  alignas(64) float values[kCodeBlock];
  for (int64_t at = begin; at < end; at += kCodeBlock) {
    const int64_t count = MinOf(end - at, kCodeBlock);
    for (int64_t i = 0; i < count; ++i) values[i] = x[at + i] / args.factor;
    NarrowCodes(args.y_type, values, count, args.zero, y, at);
  }
}

template <class T>
inline void DequantizeBlocks(const CodesArgs& args, const T* x, float* y, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) y[i] = (static_cast<float>(x[i]) - args.zero) * args.scales[0];
}

inline void Codes(const CodesArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                  std::byte* /*scratch*/) {
  switch (args.task) {
    case CodesTask::kAdd:
    case CodesTask::kMul:
      return BinaryCodes(args, inputs, outputs[0], begin, end);
    case CodesTask::kGlobalPool:
      return PoolCodes(args, inputs, outputs[0], begin, end);
    case CodesTask::kQuantize:
      return QuantizeBlocks(args, static_cast<const float*>(inputs[0]), outputs[0], begin, end);
    case CodesTask::kDequantize:
      auto* y = static_cast<float*>(outputs[0]);
      if (args.types[0] == CodeType::kUInt8) {
        return DequantizeBlocks(args, static_cast<const uint8_t*>(inputs[0]), y, begin, end);
      }
      return DequantizeBlocks(args, static_cast<const int8_t*>(inputs[0]), y, begin, end);
  }
}

}  // namespace
}  // namespace tamis
