// MelWeightMatrix: [dft_length / 2 + 1, num_mel_bins] triangles, evenly spaced on the mel scale 2595 log10(1 + f /
// 700), that turn a spectrum into a mel spectrum. Inputs: num_mel_bins, dft_length, sample_rate, lower and upper edge
// in Hz.
#include <cmath>

#include "src/ops/op_bind.h"
#include "src/ops/op_doubles.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 5, 5));
  for (size_t i : {0, 1, 2}) TAMIS_RETURN_IF_ERROR(CheckDType(context, i, kIntegers));
  for (size_t i : {3, 4}) TAMIS_RETURN_IF_ERROR(CheckDType(context, i, kFloats));
  const int64_t dtype = context.node().Int("output_datatype", 1);
  const bool known = dtype > 0 && dtype <= 16 && dtype != static_cast<int64_t>(DType::kString) &&
                     dtype != static_cast<int64_t>(DType::kBool) && BitSize(static_cast<DType>(dtype)) >= 8;
  if (!known) return context.Error(fmt::format("output_datatype {} is not a number type", dtype));
  const auto bins = Contents(context, 0), length = Contents(context, 1);
  if ((bins && bins->size() != 1) || (length && length->size() != 1)) {
    return context.Error("num_mel_bins and dft_length must be one number each");
  }
  const Dim rows = length ? Dim::FloorDiv((*length)[0], Dim(2)) + Dim(1) : context.DataDim(0, 0);
  return SetShape(context, 0, static_cast<DType>(dtype), {rows, bins ? (*bins)[0] : context.DataDim(0, 1)});
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  for (size_t i = 0; i < 5; ++i) {
    if (context.input(i)->NumElements() != 1) return context.Error(fmt::format("input {} must be one number", i));
  }
  const int64_t length = context.input(1)->ToInt64s()[0], rate = context.input(2)->ToInt64s()[0];
  const double low = ReadDoubles(*context.input(3))[0], high = ReadDoubles(*context.input(4))[0];
  if (rate < 1 || !(low >= 0) || !(high >= low)) {
    return context.Error(fmt::format("a sample rate of {} and edges {} and {} are not possible", rate, low, high));
  }
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const int64_t rows = context.outputs[0].dim(0), bins = context.outputs[0].dim(1);
  const double step = (mel(high) - mel(low)) / static_cast<double>(bins + 2);
  // The spectrum's bin at which a triangle begins, peaks or ends.
  const auto edge = [&](int64_t i) {
    const double hertz = 700 * (std::pow(10, (mel(low) + step * static_cast<double>(i)) / 2595) - 1);
    return std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate));
  };
  std::vector<double> y(static_cast<size_t>(rows * bins));
  for (int64_t i = 0; i < bins; ++i) {
    const double begin = edge(i), peak = edge(i + 1), end = edge(i + 2);
    if (peak >= static_cast<double>(rows)) return context.Error("the upper edge lies above half the sample rate");
    for (int64_t j = 0; j < rows; ++j) {
      const auto at = static_cast<double>(j);
      double& value = y[static_cast<size_t>(j * bins + i)];
      if (at == peak) {
        value = 1;
      } else if (at >= begin && at < peak) {
        value = (at - begin) / (peak - begin);
      } else if (at > peak && at < end) {
        value = (end - at) / (end - peak);
      }
    }
  }
  WriteDoubles(context.outputs[0], y);
  return {};
}

std::vector<OpTestCase> Cases() {
  const auto number = [](int64_t n) { return Tensor::Int64s(std::vector<int64_t>{n}).Reshaped({}); };
  return {{{number(8), number(16), number(8192), Tensor::Float(0), Tensor::Float(4096)}, {}},
          {{number(5), number(64), number(16000), Tensor::Float(100), Tensor::Float(7600)},
           {{"output_datatype", int64_t{11}}}}};
}

}  // namespace

extern const OpDef op_mel_weight_matrix = {
    .name = "MelWeightMatrix", .domain = "", .since_opset = 17, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
