#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/quantized/codes_body.h"

namespace tamis {
namespace {

// Sixteen values as codes.
template <class Code>
TAMIS_INLINE void StoreCodes(__m512 v, float zero, __mmask16 mask, Code* y) {
  // Far beyond all codes, and conversions stay inside 32 bits; a NaN becomes the lowest.
  const __m512 lowest = _mm512_set1_ps(-65536), highest = _mm512_set1_ps(65536);
  const __m512 bounded = _mm512_min_ps(_mm512_max_ps(v, lowest), highest);
  const __m512i code = _mm512_add_epi32(_mm512_cvtps_epi32(bounded), _mm512_set1_epi32(static_cast<int>(zero)));
  if constexpr (Code(-1) > Code(0)) {
    _mm512_mask_cvtusepi32_storeu_epi8(y, mask, _mm512_max_epi32(code, _mm512_setzero_si512()));
  } else {
    _mm512_mask_cvtsepi32_storeu_epi8(y, mask, code);
  }
}

// GELU of codes plus f32 (a bias) as codes again: what stands between the two products of a quantised transformer's
// MLP. One walk, and GELU from its table: the division in erf's quotient alone takes longer.
template <class In, class Out>
void GeluOfSums(const CodesArgs& args, const In* a, const float* b, Out* y, int64_t begin, int64_t end) {
  const GeluRegisters gelu = LoadGelu();
  const __m512 scale = _mm512_set1_ps(args.scales[0]), shift = _mm512_set1_ps(args.shifts[0]);
  const __m512 factor = _mm512_set1_ps(args.factor);
  const int64_t inner = args.loops.dims[args.loops.rank - 1];
  for (int64_t at = begin; at < end;) {
    int64_t offsets[kMaxOperands];
    RowOffsets(args.loops, at / inner, offsets);
    const int64_t first = at % inner, count = MinOf(inner - first, end - at);
    for (int64_t i = 0; i < count; i += 16) {
      const __mmask16 mask = MaskOfLanes(count - i);
      const __m128i narrow = _mm_maskz_loadu_epi8(mask, a + offsets[0] + first + i);
      const __m512i wide = In(-1) > In(0) ? _mm512_cvtepu8_epi32(narrow) : _mm512_cvtepi8_epi32(narrow);
      const __m512 bias = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, b + offsets[1] + first + i), shift);
      const __m512 x = _mm512_fmadd_ps(_mm512_cvtepi32_ps(wide), scale, bias);
      StoreCodes(_mm512_mul_ps(Gelu(x, gelu), factor), args.zero, mask, y + at + i);
    }
    at += count;
  }
}

template <class In>
bool WriteGelu(const CodesArgs& args, const In* a, const float* b, void* y, int64_t begin, int64_t end) {
  if (args.y_type == CodeType::kUInt8) GeluOfSums(args, a, b, static_cast<uint8_t*>(y), begin, end);
  if (args.y_type == CodeType::kInt8) GeluOfSums(args, a, b, static_cast<int8_t*>(y), begin, end);
  return args.y_type != CodeType::kFloat32;
}

void CodesOrGelu(const CodesArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                 std::byte* scratch) {
  const int last = args.loops.rank - 1;
  if (args.task == CodesTask::kAdd && args.activation.activation == Activation::kGelu &&
      args.types[1] == CodeType::kFloat32 && args.loops.strides[0][last] == 1 && args.loops.strides[1][last] == 1) {
    const auto* b = static_cast<const float*>(inputs[1]);
    if (args.types[0] == CodeType::kUInt8 &&
        WriteGelu(args, static_cast<const uint8_t*>(inputs[0]), b, outputs[0], begin, end)) {
      return;
    }
    if (args.types[0] == CodeType::kInt8 &&
        WriteGelu(args, static_cast<const int8_t*>(inputs[0]), b, outputs[0], begin, end)) {
      return;
    }
  }
  Codes(args, inputs, outputs, begin, end, scratch);
}

}  // namespace

extern const KernelDef kernel_codes_avx512 = {
    .name = "codes_avx512",
    .family = "quantized",
    .ops = {"QuantizedBinary", "QuantizedGlobalAveragePool", "QuantizeLinear", "DequantizeLinear"},
    .isa = Isa::kAvx512,
    .supports = SupportsCodes,
    .cost =
        [](const Problem& problem) {
          return PredictSeconds(problem, Isa::kAvx512, 4 * static_cast<double>(Elements(problem.input(0))));
        },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareCodes(problem, CodesOrGelu); },
};

}  // namespace tamis
