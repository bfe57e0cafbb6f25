#include "src/kernels/quantize/quantize.h"

#include <cmath>

#include "src/kernels/operand_check.h"
#include "src/kernels/quantize/dynamic_quantize.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_small_float.h"

namespace tamis {
namespace {

constexpr int64_t kGrain = 32768;  // elements that are worth a thread

// Packed elements share bytes: threads begin at a multiple of this.
constexpr int64_t kUnit = 64;

bool IsQuantized(DType dtype) {
  return (IsInteger(dtype) && BitSize(dtype) <= 16) || (IsSmallFloat(dtype) && dtype != DType::kFloat8E8M0);
}

ScaleRuns RunsOf(const Problem& problem) {
  const Dims &x = problem.input(0).dims, &scale = problem.input(1).dims;
  const int64_t block = problem.node->Int("block_size", 0);
  ScaleRuns runs;
  runs.length = NumElements(x);
  if (block == 0 && NumElements(scale) == 1) return runs;
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", 1), x.size()));
  const int64_t outer = Product(x, 0, axis);
  runs.size = x[axis];
  runs.inner = Product(x, axis + 1, x.size());
  runs.block = block;
  runs.scales = block == 0 ? runs.size : scale[axis];
  if (runs.inner > 1) {  // each index of the axis has a run
    runs.runs = outer * runs.size;
    runs.length = runs.inner;
    runs.row = block != 0;
  } else if (block == 0) {
    runs.runs = outer;
    runs.length = runs.size;
    runs.row = true;
  } else {
    runs.runs = outer * runs.scales;
    runs.length = block;
  }
  return runs;
}

// One run is shared by elements, several by runs.
class Quantize : public RangeKernel<QuantizeArgs> {
 public:
  Quantize(const QuantizeArgs& args, RangeBody<QuantizeArgs> body, int64_t count, int64_t grain, int threads,
           std::unique_ptr<std::vector<float>> codes)
      : RangeKernel(args, body, count, grain, threads), codes_(std::move(codes)) {}

 private:
  std::unique_ptr<std::vector<float>> codes_;
};

class DynamicQuantize : public PreparedKernel {
 public:
  DynamicQuantize(const QuantizeBodies& bodies, int64_t count, int threads)
      : bodies_(bodies), count_(count), threads_(threads) {}

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* /*workspace*/,
           ThreadPool& pool) const override {
    const DynamicScale scale = QuantizeDynamically(bodies_, static_cast<const float*>(inputs[0]), count_, threads_,
                                                   static_cast<uint8_t*>(outputs[0]), pool);
    if (outputs.size() > 1 && outputs[1] != nullptr) *static_cast<float*>(outputs[1]) = scale.scale;
    if (outputs.size() > 2 && outputs[2] != nullptr) *static_cast<uint8_t*>(outputs[2]) = scale.zero;
  }

 private:
  QuantizeBodies bodies_;
  int64_t count_;
  int threads_;
};

}  // namespace

ScaleRun RunAt(const ScaleRuns& runs, int64_t run) {
  if (runs.inner == 1 && runs.block != 0) {  // a block of the last axis, which may be cut short
    const int64_t outer = run / runs.scales, part = run % runs.scales;
    return {outer * runs.size + part * runs.block, std::min(runs.block, runs.size - part * runs.block), run};
  }
  const int64_t begin = run * runs.length;
  if (runs.inner == 1) return {begin, runs.length, 0};
  const int64_t outer = run / runs.size, along = run % runs.size;
  if (runs.block == 0) return {begin, runs.length, along};
  return {begin, runs.length, (outer * runs.scales + along / runs.block) * runs.inner};
}

bool IsPlainInteger(DType dtype) {
  return dtype == DType::kUInt8 || dtype == DType::kInt8 || dtype == DType::kUInt16 || dtype == DType::kInt16 ||
         dtype == DType::kInt32;
}

void DecodeCodes(const QuantizeArgs& args, const void* from, int64_t begin, int64_t n, float* values) {
  const auto* codes = static_cast<const uint8_t*>(from);
  const int bits = BitSize(args.quantized);
  for (int64_t i = 0; i < n; ++i) {
    values[i] = args.codes[bits == 8 ? codes[begin + i] : GetPacked(codes, begin + i, bits)];
  }
}

void EncodeCodes(const QuantizeArgs& args, const float* values, int64_t n, void* to, int64_t begin) {
  auto* codes = static_cast<uint8_t*>(to);
  const int bits = BitSize(args.quantized);
  for (int64_t i = 0; i < n; ++i) {
    const unsigned code = IsInteger(args.quantized)
                              ? static_cast<unsigned>(static_cast<int>(values[i]))
                              : EncodeSmallFloat(args.quantized, static_cast<double>(values[i]), args.saturate);
    if (bits == 8) {
      codes[begin + i] = static_cast<uint8_t>(code);
    } else {
      SetPacked(codes, begin + i, bits, code);
    }
  }
}

Status SupportsQuantize(const Problem& problem) {
  const Node& node = *problem.node;
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  if (node.op == "DynamicQuantizeLinear") {
    if (problem.input(0).dtype == DType::kFloat32) return {};
    return UserError("input 0 is {}; float32 is supported", Name(problem.input(0).dtype));
  }
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const bool quantize = node.op == "QuantizeLinear";
  const Operand& real = quantize ? problem.input(0) : problem.outputs[0];
  const Operand& quantized = quantize ? problem.outputs[0] : problem.input(0);
  if (real.dtype != DType::kFloat32) return UserError("float32 is supported, not {}", Name(real.dtype));
  if (problem.input(1).dtype != DType::kFloat32) {
    return UserError("a scale of {} is not supported", Name(problem.input(1).dtype));
  }
  const bool wide = !quantize && quantized.dtype == DType::kInt32;
  if (!IsQuantized(quantized.dtype) && !wide) return UserError("{} is not quantized to", Name(quantized.dtype));
  const int64_t precision = node.Int("precision", 0);
  if (precision != 0 && precision != static_cast<int64_t>(DType::kFloat32)) return UserError("computes in float32");
  if (problem.input(2).Present() && Elements(problem.input(2)) != Elements(problem.input(1))) {
    return UserError("scales and zero points are not as many");
  }
  const bool one = node.Int("block_size", 0) == 0 && Elements(problem.input(1)) == 1;
  if (!one && NormalizeAxis(node.Int("axis", 1), problem.input(0).dims.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(problem.input(0).dims));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PrepareQuantize(const Problem& problem, const QuantizeBodies& bodies) {
  const Node& node = *problem.node;
  if (node.op == "DynamicQuantizeLinear") {
    return std::unique_ptr<PreparedKernel>(
        std::make_unique<DynamicQuantize>(bodies, Elements(problem.input(0)), problem.threads));
  }
  const bool quantize = node.op == "QuantizeLinear";
  QuantizeArgs args;
  args.runs = RunsOf(problem);
  args.quantized = quantize ? problem.outputs[0].dtype : problem.input(0).dtype;
  args.zero = problem.input(2).Present();
  args.saturate = node.Int("saturate", 1) != 0;
  std::unique_ptr<std::vector<float>> codes;
  args.integer = IsInteger(args.quantized);
  if (args.integer) {
    const IntegerRange range = RangeOf(args.quantized);
    args.low = static_cast<float>(range.low);
    args.high = static_cast<float>(range.high);
  } else {
    args.low = -HUGE_VALF;
    args.high = HUGE_VALF;
  }
  if (!IsPlainInteger(args.quantized)) {
    codes = std::make_unique<std::vector<float>>(256);
    const int bits = BitSize(args.quantized);
    for (int code = 0; code < 1 << bits; ++code) {
      const bool negative = args.low < 0 && (code >> (bits - 1)) != 0;
      (*codes)[static_cast<size_t>(code)] =
          IsInteger(args.quantized) ? static_cast<float>(negative ? code - (1 << bits) : code)
                                    : static_cast<float>(DecodeSmallFloat(args.quantized, static_cast<uint8_t>(code)));
    }
    args.codes = codes->data();
  }
  // Elements of less than a byte, where several runs could meet in one: a single thread.
  const bool packed = IsPacked(args.quantized);
  const int64_t elements = Elements(problem.input(0));
  const bool single = args.runs.runs == 1;
  const int64_t count = elements == 0 ? 0 : single ? (elements + kUnit - 1) / kUnit : args.runs.runs;
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(single ? kUnit : args.runs.length, 1));
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<Quantize>(args, quantize ? bodies.quantize : bodies.dequantize, count, grain,
                                 packed && !single ? 1 : problem.threads, std::move(codes)));
}

}  // namespace tamis
