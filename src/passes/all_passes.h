// The passes' entry points, one a file of the same name. What each does stands at the head of its file.
#pragma once

#include "src/passes/pass.h"

namespace tamis {

// The operators that a pass starts from ("Einsum", "tamis.Linear"): it is not run where there is none of them, bodies
// of regions included. Empty: it is always run.
std::span<const std::string_view> PassRoots(std::string_view pass);

// ONNX operators to ONNX operators.
Status DropExpand(Graph& graph, const PassOptions& options);
Status DropIdentity(Graph& graph, const PassOptions& options);
Status FoldConstants(Graph& graph, const PassOptions& options);
Status InlineBranches(Graph& graph, const PassOptions& options);
Status SimplifyShapes(Graph& graph, const PassOptions& options);
Status FoldBatchNorm(Graph& graph, const PassOptions& options);
Status FoldGemmScale(Graph& graph, const PassOptions& options);
Status FoldScaleShift(Graph& graph, const PassOptions& options);
Status EliminateCommon(Graph& graph, const PassOptions& options);
Status RemoveDead(Graph& graph, const PassOptions& options);

// Towards the graph that runs.
Status MergeConvolutions(Graph& graph, const PassOptions& options);
Status PushCodes(Graph& graph, const PassOptions& options);
Status PropagateQuantization(Graph& graph, const PassOptions& options);
Status FoldDequantized(Graph& graph, const PassOptions& options);  // of fold_constants.cc
Status FuseCodes(Graph& graph, const PassOptions& options);
Status RecognizeLayerNorm(Graph& graph, const PassOptions& options);
Status RecognizeRmsNorm(Graph& graph, const PassOptions& options);
Status RecognizeGroupNorm(Graph& graph, const PassOptions& options);
Status RecognizeActivations(Graph& graph, const PassOptions& options);
Status RecognizeRotary(Graph& graph, const PassOptions& options);
Status RecognizePoolingHead(Graph& graph, const PassOptions& options);
Status MakeLinear(Graph& graph, const PassOptions& options);
Status LowerAttention(Graph& graph, const PassOptions& options);
Status LowerCastLike(Graph& graph, const PassOptions& options);
Status LowerVariadic(Graph& graph, const PassOptions& options);
Status SpellDefaults(Graph& graph, const PassOptions& options);
Status SplitProducts(Graph& graph, const PassOptions& options);
Status FuseElementwise(Graph& graph, const PassOptions& options);
Status LowerEinsum(Graph& graph, const PassOptions& options);
Status LowerMl(Graph& graph, const PassOptions& options);
Status RecognizeAttention(Graph& graph, const PassOptions& options);
Status RecognizeCausal(Graph& graph, const PassOptions& options);
Status MakeChannelsLast(Graph& graph, const PassOptions& options);
Status ActivateParts(Graph& graph, const PassOptions& options);
Status MovePointwise(Graph& graph, const PassOptions& options);
Status ComposeProducts(Graph& graph, const PassOptions& options);
Status PushTransposes(Graph& graph, const PassOptions& options);
Status SimplifyViews(Graph& graph, const PassOptions& options);
Status FuseEpilogue(Graph& graph, const PassOptions& options);
Status FuseNormCodes(Graph& graph, const PassOptions& options);
Status RecognizeFloat8(Graph& graph, const PassOptions& options);
Status LowerPrecision(Graph& graph, const PassOptions& options);
Status DetectPatterns(Graph& graph, const PassOptions& options);

}  // namespace tamis
