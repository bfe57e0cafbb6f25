// What RNN, GRU and LSTM share: attributes, operands, shapes, and the reference evaluation.
//
// A cell with G gates (1, 3, 4) and hidden size H takes x[S, B, I] ([B, S, I] with layout 1), weight W[D, G*H, I],
// recurrence R[D, G*H, H], bias[D, 2*G*H], sequence_lens[B], initial_h and initial_c, and peepholes P[D, 3*H]. Steps
// behind a sequence's length give 0 and leave its state as it is; the reverse direction begins at the length.
#pragma once

#include <string>
#include <vector>

#include "src/ops/op_rule.h"

namespace tamis {

enum class Cell : uint8_t { kRnn, kGru, kLstm };

enum class CellFunction : uint8_t {
  kRelu,
  kTanh,
  kSigmoid,
  kAffine,
  kLeakyRelu,
  kThresholdedRelu,
  kScaledTanh,
  kHardSigmoid,
  kElu,
  kSoftsign,
  kSoftplus,
};
struct CellActivation {
  CellFunction function = CellFunction::kTanh;
  float alpha = 0;
  float beta = 0;
};

struct Recurrent {
  Cell cell = Cell::kRnn;
  int64_t directions = 1;
  bool reverse = false;  // the only direction
  bool batch_first = false;
  bool linear_before_reset = false;  // GRU
  bool input_forget = false;         // LSTM
  float clip = 0;                    // 0: none
  // For each direction: RNN f; GRU f, g; LSTM f, g, h.
  std::vector<CellActivation> activations;

  int64_t Gates() const { return cell == Cell::kRnn ? 1 : cell == Cell::kGru ? 3 : 4; }
  size_t Functions() const { return cell == Cell::kRnn ? 1 : cell == Cell::kGru ? 2 : 3; }
  bool Reverse(int64_t direction) const { return direction == 1 || reverse; }
  const CellActivation& Activation(int64_t direction, size_t function) const {
    return activations[static_cast<size_t>(direction) * Functions() + function];
  }
};

// Reads a node's attributes; adds what is wrong.
Recurrent ReadRecurrent(const Node& node, NodeProblems* problems);

Status InferRecurrent(InferContext& context);
Status EvalRecurrent(EvalContext& context);

}  // namespace tamis
