// The two operators of tree ensembles differ in their attributes only.
#pragma once

#include "src/ops/ml/op_forest.h"
#include "src/ops/op_def.h"

namespace tamis {

using ReadTrees = Result<TreeEnsemble> (*)(const Node& node);

// ReadTreesById or ReadTreesByIndex, as the node's operator asks.
ReadTrees TreeReaderOf(const Node& node);

// [N, C] or [C] to [N, targets] of `result`; kUndefined: of the operand's own type.
Status InferTrees(InferContext& context, DType result);
Status EvalTrees(EvalContext& context);

}  // namespace tamis
