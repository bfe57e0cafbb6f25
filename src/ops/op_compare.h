// What comparisons of sizes come to before the sizes are known.
#pragma once

#include "src/ir/dim.h"

namespace tamis {

// True if it can be shown that the value is never negative, all symbols being zero or more. Branches depend on
// comparisons, and callers may give an input without elements: a cache before the first token.
bool NeverNegative(const Dim& dim);

}  // namespace tamis
