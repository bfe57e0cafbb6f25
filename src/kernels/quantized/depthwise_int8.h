// QuantizedConv with one filter per channel: what its kernels share.
//
// A row of results is made for one block of channels at a time, as many channels as a vector has bytes. First the
// kernel's rows of x are interleaved, four rows to the four bytes of a lane, for every column once; then each tap
// column of each result is one multiply-add of bytes a vector. Interleaving within 128 bits puts channel 16 L + 4 j + i
// into lane 4 L + i of vector j, and packing the sums of vectors 0 to 3 to bytes puts them back in order: weights,
// scales and biases are packed the same way, and nothing is ever permuted. The last block may be filled with two or
// four rows of results of a half or a quarter of the channels.
//
// Where there is no VNNI a kernel may compute in floats instead (avx2/quantized_depthwise_float_avx2.cc): eight
// channels a block, in their own order.
#pragma once

#include <cstring>

#include "src/kernels/quantized/quantized.h"

namespace tamis {

struct DepthwiseInt8Args {
  QuantizedConvShape shape;
  QuantizedResult result;
  bool is_signed = false;
  int32_t zero = 0;      // of x as unsigned bytes
  int64_t row_sets = 1;  // of four rows of the kernel
  int64_t columns = 0;   // of x, padding included, that a row of results reads
  int64_t block = 64;    // channels: bytes of a vector, or lanes of one of floats
  int64_t blocks = 0;
  int64_t tail_rows = 1;  // rows of results side by side in the last block
  // Packed as above: [block][tap column][row set][vector 0..3][lane] of four bytes; then by [block][vector][lane].
  const int8_t* weights = nullptr;
  const int32_t* starts = nullptr;       // -zero * sum of the filter
  const float* scales = nullptr;         // over y's scale if the activation only bounds
  const float* biases = nullptr;         // likewise
  const float* float_weights = nullptr;  // of kernels in floats: [block][row][tap column][channel]
  const float* float_starts = nullptr;
  alignas(64) uint8_t padding[64] = {};  // a vector of the zero point
};

// Results (image, row) .. (image, row + rows), rows <= kDepthwiseRows, of one block of channels. `scratch`:
// columns * row_sets * 4 vectors; in floats a vector for each column of every line of x that the rows read.
constexpr int64_t kDepthwiseRows = 4;
constexpr int64_t kDepthwiseFloatResults = 4;  // neighbours of a row that are made together in floats
struct DepthwiseInt8Task {
  const void* x = nullptr;
  void* y = nullptr;
  int64_t image = 0, row = 0, rows = 0, block = 0;
  uint8_t* scratch = nullptr;
};
using DepthwiseInt8Body = void (*)(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task);

void DepthwiseInt8Avx512(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task);
// With the table in registers.
void DepthwiseInt8Vbmi(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task);

struct DepthwiseInt8Form {
  DepthwiseInt8Body body = nullptr;
  int64_t block = 64;  // as in DepthwiseInt8Args
  // The body of nodes that have a table, which it applies itself; null: `body`, which does those that are lines, and
  // else a pass over the codes behind it.
  DepthwiseInt8Body with_table = nullptr;
  bool floats = false;
};

Status SupportsDepthwiseInt8(const Problem& problem);
// The same in floats: few enough products for their sum to be exact.
Status SupportsDepthwiseFloats(const Problem& problem);
double DepthwiseInt8Cost(const Problem& problem, Isa isa, double work);
Result<std::unique_ptr<PreparedKernel>> PrepareDepthwiseInt8(const Problem& problem, const DepthwiseInt8Form& form);

}  // namespace tamis
