// The least time that a node could take on this machine: its multiplications at the speed of the fastest product that
// was measured here, or its bytes at the speed of the widest copy, whichever is longer.
#pragma once

#include "src/kernels/kernel.h"
#include "src/tuner/tuner.h"

namespace tamis {

class Roofline {
 public:
  // Times a product of each type in the second-level cache and an elementwise operator far outside it. The tuner's
  // timing cache keeps these like any other time: measured once a machine.
  static Result<Roofline> Measure(Tuner& tuner, int threads);

  // 0 for problems without multiplications and bytes.
  double Seconds(const Problem& problem) const;

  double f32_flops() const { return f32_; }  // a second, with all threads; 0: not measured
  double bf16_flops() const { return bf16_; }
  double int8_flops() const { return int8_; }
  double bytes() const { return bytes_; }

 private:
  double f32_ = 0, bf16_ = 0, int8_ = 0, bytes_ = 0;
};

// Twice the multiplications of a product, a convolution or an attention; 0 for anything else. Those that a 2:4 weight
// spares are not counted.
double FloatingOperations(const Problem& problem);
// Read and written once; a 2:4 weight as it is kept, and of what Gather or Slice chooses from only what it takes.
double BytesMoved(const Problem& problem);

}  // namespace tamis
