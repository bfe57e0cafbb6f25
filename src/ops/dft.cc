// DFT: along one axis of x[..., 1] (real) or x[..., 2] (complex). Inputs: x, dft_length?, and since opset 20 the axis,
// which is an attribute before.
#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_fourier.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

constexpr int64_t kAxisInputOpset = 20;

// Inverse and onesided: a one-sided complex spectrum to a real signal.
bool ToReal(const Node& node) {
  return node.Int("inverse", 0) != 0 && node.Int("onesided", 0) != 0;
}

// nullopt where it is computed at run time.
Result<std::optional<size_t>> AxisOf(const InferContext& context, size_t rank) {
  const auto signed_rank = static_cast<int64_t>(rank);
  int64_t axis = context.node().Int("axis", 1);
  if (context.opset() >= kAxisInputOpset) {
    axis = -2;
    if (context.HasInput(2)) {
      const auto given = ConstantInt(context, 2);
      if (!given) return std::optional<size_t>();
      axis = *given;
    }
  }
  TAMIS_ASSIGN_OR_RETURN(const int64_t resolved, ResolvedAxis(context, axis, signed_rank));
  if (resolved == signed_rank - 1) return context.Error("the last axis holds real and imaginary parts");
  return std::optional<size_t>(static_cast<size_t>(resolved));
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, context.opset() >= kAxisInputOpset ? 3 : 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kFloats));
  for (size_t i : {1, 2}) {
    if (context.HasInput(i)) TAMIS_RETURN_IF_ERROR(CheckDType(context, i, kIntegers));
  }
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* x = context.InputShape(0);
  if (x == nullptr) return {};
  if (x->size() < 2 || (!MayEqual(x->back(), Dim(1)) && !MayEqual(x->back(), Dim(2)))) {
    return context.Error(fmt::format("the last axis of {} must hold 1 (real) or 2 (complex) parts", ToString(*x)));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto axis, AxisOf(context, x->size()));
  Shape shape = *x;
  shape.back() = Dim(ToReal(context.node()) ? 1 : 2);
  for (size_t i = 0; i + 1 < shape.size(); ++i) {
    if (!axis) shape[i] = context.DataDim(0, i);
  }
  if (axis) {
    std::optional<Dim> length = ToReal(context.node()) ? Dim(2) * ((*x)[*axis] - Dim(1)) : (*x)[*axis];
    if (context.HasInput(1)) {
      const auto given = Contents(context, 1);
      if (given && given->size() != 1) return context.Error("dft_length must be one number");
      length = given ? std::optional((*given)[0]) : std::nullopt;
    }
    if (length && length->Constant().value_or(1) < 1) {
      return context.Error(fmt::format("a length of {} is not possible", length->ToString()));
    }
    const bool halved = context.node().Int("onesided", 0) != 0 && context.node().Int("inverse", 0) == 0;
    shape[*axis] = !length ? context.DataDim(0, *axis) : halved ? Dim::FloorDiv(*length, Dim(2)) + Dim(1) : *length;
  }
  return SetShape(context, 0, context.InputDType(0), std::move(shape));
}

// The halves of a real signal's spectrum are conjugates: exactly, however they were rounded.
template <class T>
void MakeSymmetric(std::vector<std::complex<T>>& spectrum) {
  const size_t n = spectrum.size();
  for (size_t i = 1; 2 * i < n; ++i) spectrum[n - i] = std::conj(spectrum[i]);
  spectrum[0] = spectrum[0].real();
  if (n % 2 == 0) spectrum[n / 2] = spectrum[n / 2].real();
}

template <class T>
Status Transform(EvalContext& context, const InferContext& infer) {
  const auto x = ReadDoubles(*context.input(0));
  const Dims& dims = context.input(0)->dims();
  TAMIS_ASSIGN_OR_RETURN(const auto resolved, AxisOf(infer, dims.size()));
  const size_t axis = *resolved;
  const bool inverse = context.node.Int("inverse", 0) != 0, to_real = ToReal(context.node);
  Tensor& output = context.outputs[0];
  const int64_t in = dims[axis], out = output.dims()[axis], parts = dims.back(), out_parts = output.dims().back();
  int64_t length = to_real ? 2 * (in - 1) : in;
  if (context.input(1) != nullptr && context.input(1)->Defined()) length = context.input(1)->ToInt64s()[0];
  const int64_t outer = CountOf(dims, 0, axis), inner = CountOf(dims, axis + 1, dims.size() - 1);
  std::vector<double> y(static_cast<size_t>(output.NumElements()));
  std::vector<std::complex<T>> signal;
  for (int64_t row = 0; row < outer * inner; ++row) {
    const int64_t o = row / inner, r = row % inner;
    signal.assign(static_cast<size_t>(length), T{0});
    const int64_t given = std::min(in, to_real ? length / 2 + 1 : length);
    for (int64_t i = 0; i < given; ++i) {
      const double* at = x.data() + ((o * in + i) * inner + r) * parts;
      signal[static_cast<size_t>(i)] = {static_cast<T>(at[0]), parts == 2 ? static_cast<T>(at[1]) : T{0}};
    }
    if (to_real) {  // the other half mirrors the given one; what has no partner is real
      signal[0] = signal[0].real();
      if (length % 2 == 0) signal[static_cast<size_t>(length / 2)] = signal[static_cast<size_t>(length / 2)].real();
      for (size_t i = 1; 2 * i < signal.size(); ++i) signal[signal.size() - i] = std::conj(signal[i]);
    }
    Fourier(signal, inverse);
    if (parts == 1) MakeSymmetric(signal);
    for (int64_t i = 0; i < out; ++i) {
      double* at = y.data() + ((o * out + i) * inner + r) * out_parts;
      at[0] = signal[static_cast<size_t>(i)].real();
      if (out_parts == 2) at[1] = signal[static_cast<size_t>(i)].imag();
    }
  }
  WriteDoubles(output, y);
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const bool is_double = context.input(0)->dtype() == DType::kFloat64;
  return is_double ? Transform<double>(context, *bound->infer) : Transform<float>(context, *bound->infer);
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0xdf70);
  const std::map<std::string, Attribute> one = {{"onesided", int64_t{1}}}, back = {{"inverse", int64_t{1}}};
  return {{{make.Floats({2, 10, 3, 1})}, {}},
          {{make.Floats({2, 7, 2}), Tensor::Int64s(std::vector<int64_t>{12}).Reshaped({})}, back},
          {{make.Floats({2, 9, 1})}, one},
          {{make.Floats({2, 5, 2})}, {{"onesided", int64_t{1}}, {"inverse", int64_t{1}}}},
          {{make.Floats({4, 3, 1}), Tensor(), Tensor::Int64s(std::vector<int64_t>{0}).Reshaped({})}, {}}};
}

}  // namespace

extern const OpDef op_dft = {
    .name = "DFT", .domain = "", .since_opset = 17, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
