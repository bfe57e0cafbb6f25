#include "src/kernels/quantized/code_table.h"

#include "src/base/cpu.h"

namespace tamis {

std::shared_ptr<const CodeTable> TableOf(const Node& node) {
  const std::vector<int64_t> codes = node.Ints("table");
  if (codes.empty()) return nullptr;
  auto table = std::make_shared<CodeTable>();
  for (size_t i = 0; i < table->codes.size(); ++i) table->codes[i] = static_cast<uint8_t>(codes[i]);
  return table;
}

void LookupPlain(const CodeTable& table, const uint8_t* x, int64_t count, uint8_t* y) {
  const uint8_t* codes = table.codes.data();
  for (int64_t i = 0; i < count; ++i) y[i] = codes[x[i]];
}

LookupFunction BestLookup() {
  if (Cpu().avx512_vbmi) return LookupVbmi;
  return Cpu().isa >= Isa::kAvx2 ? LookupAvx2 : LookupPlain;
}

}  // namespace tamis
