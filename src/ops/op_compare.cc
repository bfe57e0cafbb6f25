#include "src/ops/op_compare.h"

namespace tamis {

bool NeverNegative(const Dim& dim) {
  std::vector<std::string> symbols;
  dim.CollectSymbols(&symbols);
  std::map<std::string, Dim> maybe_zero;
  for (const std::string& symbol : symbols)
    maybe_zero.emplace(symbol, Dim::Symbol(symbol + '?'));  // NonNegative's mark
  return (symbols.empty() ? dim : dim.Substitute(maybe_zero)).NonNegative();
}

}  // namespace tamis
