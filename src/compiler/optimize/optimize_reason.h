// Why a layer did not become all that it could have been.
#pragma once

#include <string>

#include "src/compiler/optimize/optimize_candidates.h"
#include "src/compiler/optimize/optimize_table.h"

namespace tamis {

struct ReasonOptions {
  bool int8 = true;            // it might have been chosen
  bool asks_bfloat16 = false;  // likewise (NetworkTimer::AsksForBFloat16)
};

// Of each step that `setting` did not take (2:4, int8, bf16): what forbids it, that it is not faster, with the times,
// or that it would have cost too much accuracy; joined by "; ". Empty where every step was taken.
std::string ReasonOf(const CandidateLayer& layer, const LayerRow& row, const LayerSetting& setting,
                     const ReasonOptions& options);

}  // namespace tamis
