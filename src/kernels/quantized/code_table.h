// A function of one code as a table: what QuantizedLookup applies, and int8 products behind their requantisation.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "src/ir/graph.h"

namespace tamis {

struct CodeTable {
  alignas(64) std::array<uint8_t, 256> codes{};  // by the byte that is exchanged
};
// The attribute `table` of a node; null if it has none.
std::shared_ptr<const CodeTable> TableOf(const Node& node);

// y[i] = table[x[i]], perhaps in place; one for each instruction set, and the best of this machine.
using LookupFunction = void (*)(const CodeTable& table, const uint8_t* x, int64_t count, uint8_t* y);
void LookupPlain(const CodeTable& table, const uint8_t* x, int64_t count, uint8_t* y);
void LookupAvx2(const CodeTable& table, const uint8_t* x, int64_t count, uint8_t* y);
void LookupVbmi(const CodeTable& table, const uint8_t* x, int64_t count, uint8_t* y);
LookupFunction BestLookup();

}  // namespace tamis
