// The bodies of RNN, GRU and LSTM for the ISA of the including file.
#pragma once

#include "src/kernels/recurrent/recurrent.h"
#include "src/kernels/vec_math.h"
#include "src/kernels/vec_tile.h"

namespace tamis {
namespace {

constexpr int64_t kGatePanel = kTileVectors * kLanes;

// One panel for up to kVecTileRows rows. The weights are what is read again at every step: each is loaded once for all
// rows.
template <int kRows>
inline void MultiplyPanel(int64_t rows, int64_t depth, const float* a, const float* panel, float* c, int64_t c_stride) {
  if (rows == kRows) {
    Tile<F32Product, kRows, kTileVectors>(depth, a, depth, panel, kGatePanel, c, c_stride);
  } else if constexpr (kRows > 1) {
    MultiplyPanel<kRows - 1>(rows, depth, a, panel, c, c_stride);
  }
}

// c[rows, gates.columns] = a[rows, depth] . gates; of the columns [begin, end)
inline void MultiplyGates(const PackedGates& gates, int64_t begin, int64_t end, int64_t rows, int64_t depth,
                          const float* a, float* c) {
  for (int64_t n = begin; n < end; n += kGatePanel) {
    for (int64_t r = 0; r < rows; r += kVecTileRows) {
      MultiplyPanel<kVecTileRows>(MinOf(kVecTileRows, rows - r), depth, a + r * depth, gates.data + n * depth,
                                  c + r * gates.columns + n, gates.columns);
    }
  }
}

struct StepProduct {
  const PackedGates& gates;
  int64_t rows, depth;
  const float* a;
  float* c;
  int parts;
};

inline void MultiplyGates(const StepProduct& product, const StepThreads& threads) {
  threads.Run(
      [](const void* work, int part) {
        const auto& p = *static_cast<const StepProduct*>(work);
        const int64_t panels = p.gates.columns / kGatePanel;
        MultiplyGates(p.gates, panels * part / p.parts * kGatePanel, panels * (part + 1) / p.parts * kGatePanel, p.rows,
                      p.depth, p.a, p.c);
      },
      &product);
}

// A vector, or its first n elements where n is not 0.
TAMIS_INLINE Vec Read(const float* p, int n) {
  return n == 0 ? Load(p) : LoadPart(p, n);
}
TAMIS_INLINE void Write(float* p, Vec v, int n) {
  if (n == 0) {
    Store(p, v);
  } else {
    StorePart(p, v, n);
  }
}

TAMIS_INLINE Vec ActivateCell(const CellActivation& activation, float clip, Vec x) {
  if (clip > 0) x = Clamp(x, Set(-clip), Set(clip));
  const Vec alpha = Set(activation.alpha), beta = Set(activation.beta), zero = Set(0);
  switch (activation.function) {
    case CellFunction::kRelu:
      return Max(zero, x);
    case CellFunction::kTanh:
      return Tanh(x);
    case CellFunction::kSigmoid:
      return Sigmoid(x);
    case CellFunction::kAffine:
      return Fma(alpha, x, beta);
    case CellFunction::kLeakyRelu:
      return IfLess(x, zero, alpha * x, x);
    case CellFunction::kThresholdedRelu:
      return IfLess(x, alpha, zero, x);
    case CellFunction::kScaledTanh:
      return alpha * Tanh(beta * x);
    case CellFunction::kHardSigmoid:
      return HardSigmoid(x, alpha, beta);
    case CellFunction::kSoftsign:
      return x / (Set(1) + Abs(x));
    default:  // refused
      return x;
  }
}

inline void ProjectInputs(const RecurrentArgs& args, const void* const* inputs, int64_t direction, int64_t begin,
                          int64_t end, float* projected) {
  const PackedGates& gates = args.weight[direction];
  const int64_t rows = args.gates * args.hidden;
  const float* x = static_cast<const float*>(inputs[0]) + begin * args.input;
  float* out = projected + begin * gates.columns;
  MultiplyGates(gates, 0, gates.columns, end - begin, args.input, x, out);
  if (!args.bias) return;
  const float* bias = static_cast<const float*>(inputs[3]) + direction * 2 * rows;
  // The candidate's recurrent bias is added before the reset gate multiplies it.
  const int64_t both = args.cell == Cell::kGru && args.linear_before_reset ? 2 * args.hidden : rows;
  for (int64_t row = begin; row < end; ++row, out += gates.columns) {
    const auto add = [&](int64_t first, int64_t count, bool recurrent_too) {
      const auto sum = [&](int64_t i, int n) {
        Vec v = Read(out + first + i, n) + Read(bias + first + i, n);
        if (recurrent_too) v = v + Read(bias + rows + first + i, n);
        Write(out + first + i, v, n);
      };
      ForVectors(
          count, [&](int64_t i) { sum(i, 0); }, [&](int64_t i, int n) { sum(i, n); });
    };
    add(0, both, true);
    if (both < rows) add(both, rows - both, false);
  }
}

// What one item of the batch computes with at one step.
struct CellStep {
  const RecurrentArgs& args;
  const CellActivation* functions;
  const float* x;         // projected
  const float* z;         // recurrence times state
  const float* peephole;  // or null
  const float* bias;      // of GRU's candidate, before the reset; or null
  float* h;
  float* c;

  TAMIS_INLINE Vec Apply(int function, Vec v) const { return ActivateCell(functions[function], args.clip, v); }
  TAMIS_INLINE Vec Gate(int64_t gate, int64_t i, int n) const {
    const int64_t at = gate * args.hidden + i;
    return Read(x + at, n) + Read(z + at, n);
  }

  TAMIS_INLINE void Rnn(int64_t i, int n) const { Write(h + i, Apply(0, Gate(0, i, n)), n); }

  TAMIS_INLINE void Lstm(int64_t i, int n) const {
    const int64_t hidden = args.hidden;
    Vec cell = Read(c + i, n);
    const auto seen = [&](int64_t p, Vec v) {
      return peephole == nullptr ? v : Fma(Read(peephole + p * hidden + i, n), cell, v);
    };
    const Vec in = Apply(0, seen(0, Gate(0, i, n)));
    const Vec forget = args.input_forget ? Set(1) - in : Apply(0, seen(2, Gate(2, i, n)));
    cell = Fma(forget, cell, in * Apply(1, Gate(3, i, n)));
    const Vec out = Apply(0, seen(1, Gate(1, i, n)));
    Write(c + i, cell, n);
    Write(h + i, out * Apply(2, cell), n);
  }

  // reset * h into `reset_h`, if the candidate's product comes after the reset.
  TAMIS_INLINE void GruReset(float* reset_h, int64_t i, int n) const {
    Write(reset_h + i, Apply(0, Gate(1, i, n)) * Read(h + i, n), n);
  }
  TAMIS_INLINE void Gru(const float* candidate, int64_t i, int n) const {
    Vec recurred = Read(candidate + i, n);
    if (args.linear_before_reset) {
      if (bias != nullptr) recurred = recurred + Read(bias + i, n);
      recurred = recurred * Apply(0, Gate(1, i, n));
    }
    const Vec update = Apply(0, Gate(0, i, n));
    const Vec fresh = Apply(1, Read(x + 2 * args.hidden + i, n) + recurred);
    Write(h + i, Fma(update, Read(h + i, n) - fresh, fresh), n);
  }
};

inline void CopyFloats(const float* from, float* to, int64_t n) {
  Map(from, to, n, [](Vec v) { return v; });
}

inline void RecurItems(const RecurrentArgs& args, const void* const* inputs, void* const* outputs, int64_t direction,
                       int64_t begin, int64_t end, const float* projected, float* scratch, const StepThreads& threads) {
  const int64_t hidden = args.hidden, items = end - begin;
  const PackedGates& gates = args.recurrence[direction];
  const PackedGates& candidate = args.candidate[direction];
  const bool gru = args.cell == Cell::kGru, reset_first = gru && !args.linear_before_reset;
  float* h = scratch;
  float* c = h + items * hidden;
  float* reset_h = c + items * hidden;
  float* z = reset_h + items * hidden;
  float* z_candidate = z + items * gates.columns;
  const auto load_state = [&](const void* initial, float* state) {
    for (int64_t b = 0; b < items; ++b) {
      if (initial != nullptr) {
        CopyFloats(static_cast<const float*>(initial) + args.StateAt(direction, begin + b), state + b * hidden, hidden);
      } else {
        for (int64_t i = 0; i < hidden; ++i) state[b * hidden + i] = 0;
      }
    }
  };
  const bool lstm = args.cell == Cell::kLstm;
  load_state(args.initial_h ? inputs[5] : nullptr, h);
  load_state(args.initial_c ? inputs[6] : nullptr, c);
  const CellActivation* activations = args.activations[direction];
  const float* peephole = args.peephole ? static_cast<const float*>(inputs[7]) + direction * 3 * hidden : nullptr;
  const float* bias = gru && args.bias ? static_cast<const float*>(inputs[3]) + (direction * 6 + 5) * hidden : nullptr;
  const void* lengths = args.wide_lengths != 0 ? inputs[4] : nullptr;
  const bool reverse = direction == 1 || args.reverse;
  for (int64_t step = 0; step < args.steps; ++step) {
    MultiplyGates(StepProduct{gates, items, hidden, h, z, threads.parts}, threads);
    const auto for_each = [&](auto f) {
      for (int64_t b = 0; b < items; ++b) {
        const int64_t length = args.Length(lengths, begin + b);
        if (step >= length) continue;
        const int64_t t = reverse ? length - 1 - step : step;
        const CellStep cell{args,
                            activations,
                            projected + args.RowOf(t, begin + b) * args.weight[direction].columns,
                            z + b * gates.columns,
                            peephole,
                            bias,
                            h + b * hidden,
                            c + b * hidden};
        f(cell, b, t);
      }
    };
    if (reset_first) {
      for_each([&](const CellStep& cell, int64_t b, int64_t) {
        float* to = reset_h + b * hidden;
        ForVectors(
            hidden, [&](int64_t i) { cell.GruReset(to, i, 0); }, [&](int64_t i, int n) { cell.GruReset(to, i, n); });
      });
    }
    if (gru) {
      const float* state = reset_first ? reset_h : h;
      MultiplyGates(StepProduct{candidate, items, hidden, state, z_candidate, threads.parts}, threads);
    }
    for_each([&](const CellStep& cell, int64_t b, int64_t t) {
      const float* fresh = z_candidate + b * candidate.columns;
      const auto compute = [&](int64_t i, int n) {
        if (lstm) {
          cell.Lstm(i, n);
        } else if (gru) {
          cell.Gru(fresh, i, n);
        } else {
          cell.Rnn(i, n);
        }
      };
      ForVectors(
          hidden, [&](int64_t i) { compute(i, 0); }, [&](int64_t i, int n) { compute(i, n); });
      if (outputs[0] != nullptr) {
        CopyFloats(cell.h, static_cast<float*>(outputs[0]) + args.ResultAt(t, direction, begin + b), hidden);
      }
    });
  }
  const auto store_state = [&](void* output, const float* state) {
    for (int64_t b = 0; output != nullptr && b < items; ++b) {
      CopyFloats(state + b * hidden, static_cast<float*>(output) + args.StateAt(direction, begin + b), hidden);
    }
  };
  store_state(args.y_h ? outputs[1] : nullptr, h);
  store_state(args.y_c ? outputs[2] : nullptr, c);
}

constexpr RecurrentBodies kRecurrentBodies = {kGatePanel, ProjectInputs, RecurItems};

}  // namespace
}  // namespace tamis
