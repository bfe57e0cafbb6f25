// RNN, GRU and LSTM of f32: arguments of their bodies and the part that does not depend on the ISA.
//
// The inputs of all steps are projected at once, as one product over rows of steps and batch, by all threads. The
// recurrence then goes step by step; threads take directions and blocks of the batch, which never wait for each other.
// Where there are fewer of these than threads and a step's weights are many, they share every step's products instead:
// each then finds its part of the weights in its own cache. Weights that are not constant are packed at every run.
#pragma once

#include "src/kernels/kernel.h"
#include "src/ops/op_recurrent.h"

namespace tamis {

// [columns, depth] of ONNX repacked as [panel][depth][panel width], zeros behind the last column.
struct PackedGates {
  const float* data = nullptr;
  int64_t columns = 0;  // a multiple of the panel's width
};

struct RecurrentArgs {
  Cell cell = Cell::kRnn;
  int64_t gates = 1, directions = 1;
  bool reverse = false, batch_first = false, linear_before_reset = false, input_forget = false;
  float clip = 0;
  CellActivation activations[2][3];  // of each direction
  int64_t steps = 0, batch = 0, input = 0, hidden = 0;
  int64_t panel = 0;
  bool bias = false, initial_h = false, initial_c = false, peephole = false;  // which operands the node has
  bool y_h = false, y_c = false;
  int64_t wide_lengths = 0;  // bytes of one sequence length; 0 if there are none
  // Gates of the input; of the recurrence, those computed together and (GRU) the candidate by itself.
  PackedGates weight[2], recurrence[2], candidate[2];

  int64_t Rows() const { return steps * batch; }
  int64_t Length(const void* lengths, int64_t item) const;
  // Element offsets: of x, of the states, and of y, in either layout.
  int64_t RowOf(int64_t step, int64_t item) const;
  int64_t StateAt(int64_t direction, int64_t item) const;
  int64_t ResultAt(int64_t step, int64_t direction, int64_t item) const;
};

// Who computes a step's products.
struct StepThreads {
  ThreadPool* pool = nullptr;  // null: the calling thread alone
  int parts = 1;
  // f(work, part) for each part. Not inline: the bodies are compiled for their ISA.
  void Run(void (*f)(const void* work, int part), const void* work) const;
};

struct RecurrentBodies {
  int64_t panel;
  // projected[row] = x[row] . weight + biases, rows [begin, end).
  void (*project)(const RecurrentArgs& args, const void* const* inputs, int64_t direction, int64_t begin, int64_t end,
                  float* projected);
  // All steps of items [begin, end) of the batch in one direction. `scratch` holds ScratchFloats(end - begin).
  void (*recur)(const RecurrentArgs& args, const void* const* inputs, void* const* outputs, int64_t direction,
                int64_t begin, int64_t end, const float* projected, float* scratch, const StepThreads& threads);
};
// States, products and one more row set of the hidden size, for `items` of the batch.
int64_t RecurrentScratchFloats(const RecurrentArgs& args, int64_t items);

Status SupportsRecurrent(const Problem& problem);
double RecurrentFlops(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareRecurrent(const Problem& problem, PackCache& cache,
                                                         const RecurrentBodies& bodies);

}  // namespace tamis
