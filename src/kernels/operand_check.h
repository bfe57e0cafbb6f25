// What the `supports` functions of kernels share: precise refusals, sizes, and a cost that ranks ISAs.
#pragma once

#include <string_view>

#include "src/kernels/kernel.h"

namespace tamis {

inline bool IsBf16(const Operand& operand) {
  return operand.dtype == DType::kBFloat16;
}

// OK if the node is of this domain.
Status CheckDomain(const Problem& problem, std::string_view domain);
// OK if the operand is present and f32 or bf16. `what` names it in the refusal: "input 0 (x)".
Status CheckF32OrBf16(const Operand& operand, std::string_view what);
// OK if the operand is omitted or f32.
Status CheckF32IfPresent(const Operand& operand, std::string_view what);
// OK if the node has exactly this many results that somebody asked for, from the first.
Status CheckOutputs(const Problem& problem, size_t count);

int64_t Elements(const Operand& operand);
size_t Bytes(const Operand& operand);
// Product of dims [begin, end).
int64_t Product(const Dims& dims, size_t begin, size_t end);
// `axis` from the front; -1 if it does not lie in [-rank, rank).
int64_t NormalizeAxis(int64_t axis, size_t rank);

// Seconds that the operands' traffic plus `flops` operations take on one ISA with the problem's threads. Rates are
// those of a common server core; only the ranking counts.
double PredictSeconds(const Problem& problem, Isa isa, double flops);

}  // namespace tamis
