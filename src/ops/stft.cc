// STFT: the Fourier transforms of windowed frames of signal[B, L, 1 or 2], `frame_step` apart. Inputs: signal,
// frame_step, window?, frame_length?. A real signal may come as [B, L]: exporters write it and ONNX Runtime takes it.
#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_fourier.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 4));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kFloats));
  for (size_t i : {1, 3}) {
    if (context.HasInput(i)) TAMIS_RETURN_IF_ERROR(CheckDType(context, i, kIntegers));
  }
  if (context.HasInput(2)) TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, 2));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* x = context.InputShape(0);
  if (x == nullptr) return {};
  const Dim parts = x->size() == 3 ? (*x)[2] : Dim(1);
  if (x->size() < 2 || x->size() > 3 || (!MayEqual(parts, Dim(1)) && !MayEqual(parts, Dim(2)))) {
    return context.Error(fmt::format("needs [batch, length] or [batch, length, 1 or 2], has {}", ToString(*x)));
  }
  const bool onesided = context.node().Int("onesided", 1) != 0;
  if (onesided && parts == Dim(2))
    return context.Error("a complex signal has no one-sided spectrum; onesided = 0 works");
  std::optional<Dim> length = (*x)[1];
  if (context.HasInput(2)) {
    const Shape* window = context.InputShape(2);
    length.reset();
    if (window != nullptr) {
      if (window->size() != 1) return context.Error(fmt::format("the window {} must have one axis", ToString(*window)));
      length = (*window)[0];
    }
  }
  if (context.HasInput(3)) {
    const auto given = Contents(context, 3);
    if (given && given->size() != 1) return context.Error("frame_length must be one number");
    if (given && context.HasInput(2) && length && !MayEqual(*length, (*given)[0])) {
      return context.Error(
          fmt::format("the window has {} elements, a frame {}", length->ToString(), (*given)[0].ToString()));
    }
    if (given) length = (*given)[0];
    if (!given && !context.HasInput(2)) length.reset();
  }
  const auto step = Contents(context, 1);
  if (step && (step->size() != 1 || (*step)[0].Constant().value_or(1) < 1)) {
    return context.Error("frame_step must be one positive number");
  }
  Shape shape = {(*x)[0], context.DataDim(0, 1), context.DataDim(0, 2), Dim(2)};
  if (length) {
    if (length->Constant().value_or(1) < 1)
      return context.Error(fmt::format("a frame of {} elements is not possible", length->ToString()));
    shape[2] = onesided ? Dim::FloorDiv(*length, Dim(2)) + Dim(1) : *length;
    const Dim behind = (*x)[1] - *length;
    if (behind.Constant().value_or(0) < 0) {
      return context.Error(
          fmt::format("a frame of {} elements is longer than the signal's {}", length->ToString(), (*x)[1].ToString()));
    }
    if (step) shape[1] = Dim::FloorDiv(behind, (*step)[0]) + Dim(1);
  }
  return SetShape(context, 0, context.InputDType(0), std::move(shape));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const auto x = ReadDoubles(*context.input(0));
  const auto given = [&](size_t i) { return context.input(i) != nullptr && context.input(i)->Defined(); };
  const Tensor& signal = *context.input(0);
  const int64_t batch = signal.dim(0), samples = signal.dim(1), parts = signal.dims().size() == 3 ? signal.dim(2) : 1;
  int64_t length = samples;
  if (given(2)) length = context.input(2)->dim(0);
  if (given(3)) length = context.input(3)->ToInt64s()[0];
  const auto window = given(2) ? ReadDoubles(*context.input(2)) : std::vector<double>(static_cast<size_t>(length), 1.0);
  const int64_t step = context.input(1)->ToInt64s()[0];
  Tensor& output = context.outputs[0];
  const int64_t frames = output.dim(1), bins = output.dim(2);
  std::vector<double> y;
  y.reserve(static_cast<size_t>(output.NumElements()));
  std::vector<std::complex<double>> frame(static_cast<size_t>(length));
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t f = 0; f < frames; ++f) {
      for (int64_t i = 0; i < length; ++i) {
        const double* at = x.data() + (b * samples + f * step + i) * parts;
        frame[static_cast<size_t>(i)] =
            std::complex<double>(at[0], parts == 2 ? at[1] : 0) * window[static_cast<size_t>(i)];
      }
      Fourier(frame, false);
      for (int64_t k = 0; k < bins; ++k) {
        y.push_back(frame[static_cast<size_t>(k)].real());
        y.push_back(frame[static_cast<size_t>(k)].imag());
      }
    }
  }
  WriteDoubles(output, y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x57f7);
  const auto number = [](int64_t n) { return Tensor::Int64s(std::vector<int64_t>{n}).Reshaped({}); };
  return {{{make.Floats({2, 30, 1}), number(4), make.Floats({10})}, {}},
          {{make.Floats({1, 20, 2}), number(3), Tensor(), number(7)}, {{"onesided", int64_t{0}}}},
          {{make.Floats({2, 25}), number(5), make.Floats({8})}, {}}};
}

}  // namespace

extern const OpDef op_stft = {
    .name = "STFT", .domain = "", .since_opset = 17, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
