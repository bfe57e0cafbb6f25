// Normalisations of rows, and MaskedMean: the arguments of their bodies and the part that does not depend on the ISA.
//
//   LayerNormalization (ONNX)   over the trailing axes from `axis`; scale and bias with one element a column,
//                               both f32 or both bf16
//   RMSNormalization (ONNX)     the same without mean and bias
//   L2Normalize, MaskedMean     of domain "tamis", see op_tamis.h
//   QuantizedLayerNorm          of domain "tamis", see op_quantized.h: codes of what LayerNormalization in f32 gives
// x and y are f32 or bf16, the arithmetic is f32. Mean and variance are computed in two passes.
#pragma once

#include "src/kernels/quantized/code_type.h"
#include "src/kernels/range_kernel.h"

namespace tamis {

enum class NormKind : uint8_t { kLayer, kRms, kL2 };

// Items are rows.
struct NormArgs {
  NormKind kind = NormKind::kLayer;
  int64_t columns = 0;
  float epsilon = 0;
  bool bias = false;
  bool bf16_input = false, bf16_output = false, bf16_affine = false;
  CodeType y_type = CodeType::kFloat32;  // beside bf16_output; where y is codes:
  float code_factor = 1, code_zero = 0;  // code = round(code_factor * number) + code_zero
};

// Items are batch entries.
struct MaskedMeanArgs {
  int64_t rows = 0, columns = 0;
  float epsilon = 0;
  bool bf16_input = false, bf16_output = false;
  DType mask = DType::kUndefined;
};

using NormBody = RangeBody<NormArgs>;
using MaskedMeanBody = RangeBody<MaskedMeanArgs>;

Status SupportsNorm(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareNorm(const Problem& problem, NormBody body);
// Operations of either family of bodies.
double NormFlops(const Problem& problem);

Status SupportsMaskedMean(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareMaskedMean(const Problem& problem, MaskedMeanBody body);
// The first `count` weights of one batch entry as f32, from any number type. Plain code for all ISAs.
void ReadMask(DType dtype, const void* mask, int64_t first, int64_t count, float* weights);

}  // namespace tamis
