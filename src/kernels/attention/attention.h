// Attention of domain "tamis" (op_tamis.h): the arguments of its bodies, and the part that does not depend on the ISA.
//
// An item is one block of query rows of one head of one batch entry. For it the body computes whole rows of scores in
// scratch (keys x block floats stay in L2 for some thousand keys), their softmax in f32, and the weighted sum of the
// values. Keys and values of a head are repacked once per head and thread. Of keys that no query of the block sees
// nothing is computed.
#pragma once

#include "src/kernels/range_kernel.h"
#include "src/ops/op_tamis.h"

namespace tamis {

enum class MaskKind : uint8_t { kNone, kF32, kBf16 };

// Steps between batch entries, heads and rows of an operand, in elements; the elements of a row are neighbours.
struct AttentionSteps {
  int64_t batch = 0, head = 0, row = 0;
};

// What an operand may be rounded to: u8 codes of the numbers scale * (code - zero).
struct OperandCodes {
  float scale = 0;
  int zero = 0;
};

struct AttentionArgs {
  int64_t heads = 0, queries = 0, keys = 0;
  int64_t shared = 1;  // heads of q that read one head of k and v
  AttentionSteps q, k, v;
  int64_t depth = 0;        // of one head's queries and keys
  int64_t value_depth = 0;  // of one head's values
  int64_t block = 0;        // query rows of an item
  int64_t blocks = 0;       // items of one head
  float scale = 1;
  bool bf16_inputs = false;
  bool bf16_output = false;
  float softcap = 0;
  bool zero_masked = false;  // a row without a visible key gives 0, not NaN
  bool mean_masked = false;  // a row of scores below kMeanMasked gives the mean of all values
  AttentionSight sight;
  OperandCodes q_codes, k_codes, v_codes;  // scales of 0: none. Only kernels that multiply codes round
  MaskKind mask = MaskKind::kNone;
  int64_t mask_strides[4] = {};  // in elements, along batch, head, query and key; 0 where broadcast
  // Row lengths in scratch, multiples of 16 elements, and byte offsets of its parts.
  int64_t keys_pad = 0, value_pad = 0;
  int64_t keys_at = 0, values_at = 0, query_at = 0, scores_at = 0, weights_at = 0, result_at = 0;
};

using AttentionBody = RangeBody<AttentionArgs>;

Status SupportsAttention(const Problem& problem);
// As SupportsAttention, bf16 q, k and v only.
Status SupportsBf16Attention(const Problem& problem);
// As SupportsAttention, where the node lets operands be rounded to codes; without softcap.
Status SupportsAttentionOfCodes(const Problem& problem);
// As SupportsBf16Attention, and the depth of a head has to be cut into equal parts that fill tiles (TileSteps).
Status SupportsAttentionByTiles(const Problem& problem);
// The most steps of two elements, up to the 16 of a tile, that divide `depth`; 0 if they are fewer than 8, and not all.
int64_t TileSteps(int64_t depth);
// How a body takes its work.
struct AttentionBlocks {
  int64_t rows = 24;      // query rows of an item: a multiple of every vector tile's
  int64_t key_unit = 16;  // rows of scratch with an element a key have a multiple of so many; an odd one if it is 32,
                          // so that tiles, whose rows are so far apart, lie in different cache sets
};
Result<std::unique_ptr<PreparedKernel>> PrepareAttention(const Problem& problem, AttentionBody body,
                                                         const AttentionBlocks& blocks = {});
double AttentionFlops(const Problem& problem);

}  // namespace tamis
