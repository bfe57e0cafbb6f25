// Rotary of domain "tamis" (op_tamis.h): the arguments of its bodies and the part that does not depend on the ISA.
//
// Items are heads' rows, in the order of memory. A row is read before it is written, so that the result may lie where x
// does. x and y are f32 or bf16, tables and arithmetic f32.
#pragma once

#include "src/kernels/range_kernel.h"

namespace tamis {

struct RotaryArgs {
  int64_t size = 0;  // elements of a row
  int64_t half = 0;  // pairs that are turned
  bool interleaved = false;
  bool own_angles = false;  // each element of a pair has its own column of the table, beside the other's as in x
  // Where a row finds its angles: row r of x has those of row r / divisor % positions, after r / batch_rows batches.
  int64_t divisor = 1, positions = 1, batch_rows = 1;
  int64_t width = 0, batch_step = 0;  // of the tables, in elements
  bool bf16_input = false, bf16_output = false;
};

using RotaryBody = RangeBody<RotaryArgs>;

// What holds on any device and for any type of x: tables of f32 that fit x.
Status CheckRotary(const Problem& problem);
// Of what passes CheckRotary; the types are left open.
RotaryArgs RotaryGeometry(const Problem& problem);
int64_t RotaryRows(const Problem& problem);

Status SupportsRotary(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareRotary(const Problem& problem, RotaryBody body);
double RotaryFlops(const Problem& problem);

}  // namespace tamis
