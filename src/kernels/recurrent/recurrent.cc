#include "src/kernels/recurrent/recurrent.h"

#include <algorithm>
#include <cstring>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

constexpr int64_t kAlign = 16;  // floats in a cache line
// Weights of a step that take one core about ten microseconds to read, against the one or two of handing work over.
constexpr int64_t kSharedStepFloats = int64_t{512} << 8;

int64_t Aligned(int64_t floats) {
  return (floats + kAlign - 1) / kAlign * kAlign;
}

// Rows [begin, end) of matrix[rows, depth] as panels.
void PackPanels(const float* matrix, int64_t begin, int64_t end, int64_t depth, int64_t panel, float* to) {
  const int64_t panels = (end - begin + panel - 1) / panel;
  for (int64_t p = 0; p < panels; ++p) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t c = 0; c < panel; ++c) {
        const int64_t row = begin + p * panel + c;
        *to++ = row < end ? matrix[row * depth + k] : 0;
      }
    }
  }
}
std::shared_ptr<const PackedBytes> Pack(const float* matrix, int64_t begin, int64_t end, int64_t depth, int64_t panel) {
  const int64_t columns = (end - begin + panel - 1) / panel * panel;
  auto packed = std::make_shared<PackedBytes>(static_cast<size_t>(columns * depth) * sizeof(float));
  PackPanels(matrix, begin, end, depth, panel, reinterpret_cast<float*>(packed->data()));
  return packed;
}

// Gates of a weight that is not constant: which part of which input, and where its panels lie in the workspace.
struct LateGates {
  PackedGates (RecurrentArgs::*gates)[2];
  size_t input;
  int64_t direction, rows, depth, begin, end, offset;
};

// Which rows of the recurrence are computed together; the others, of GRU's candidate, need the reset gate first.
int64_t Together(const RecurrentArgs& args) {
  return (args.cell == Cell::kGru ? 2 : args.gates) * args.hidden;
}

class RecurrentKernel : public PreparedKernel {
 public:
  RecurrentKernel(RecurrentArgs args, const RecurrentBodies& bodies,
                  std::vector<std::shared_ptr<const PackedWeight>> weights, std::vector<LateGates> late,
                  int64_t late_floats, int threads)
      : args_(std::move(args)),
        bodies_(bodies),
        weights_(std::move(weights)),
        late_(std::move(late)),
        late_floats_(Aligned(late_floats)),
        threads_(std::max(threads, 1)) {
    const int64_t per_direction = std::max<int64_t>(threads_ / args_.directions, 1);
    blocks_ = std::clamp<int64_t>(args_.batch / 2, 1, per_direction);  // single rows waste the weights' way
    block_items_ = (args_.batch + blocks_ - 1) / blocks_;
    const int64_t step_floats = args_.hidden * (args_.recurrence[0].columns + args_.candidate[0].columns);
    share_steps_ = args_.directions * blocks_ < threads_ && step_floats >= kSharedStepFloats;
    projected_ = Aligned(args_.Rows() * args_.weight[0].columns);
    scratch_ = Aligned(RecurrentScratchFloats(args_, block_items_));
  }

  size_t WorkspaceBytes() const override {
    return static_cast<size_t>(late_floats_ + args_.directions * (projected_ + blocks_ * scratch_)) * sizeof(float);
  }

  Status Check(std::span<const void* const> inputs) const override {
    for (int64_t item = 0; args_.wide_lengths != 0 && item < args_.batch; ++item) {
      const int64_t length = args_.Length(inputs[4], item);
      if (length < 0 || length > args_.steps) {
        return UserError("a sequence length of {} is outside [0, {}]", length, args_.steps);
      }
    }
    return {};
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    auto* floats = reinterpret_cast<float*>(workspace);
    RecurrentArgs args = args_;  // with the panels of this run
    const auto pack = [&](int i) {
      const LateGates& gates = late_[static_cast<size_t>(i)];
      const float* matrix = static_cast<const float*>(inputs[gates.input]) + gates.direction * gates.rows * gates.depth;
      PackPanels(matrix, gates.begin, gates.end, gates.depth, args.panel, floats + gates.offset);
      (args.*gates.gates)[gates.direction].data = floats + gates.offset;
    };
    if (!late_.empty()) pool.Run(static_cast<int>(late_.size()), [&pack](int i) { pack(i); });
    floats += late_floats_;
    const int64_t directions = args.directions;
    const int64_t grain = GrainFor(args.input * args.weight[0].columns / 8);
    const auto parts = static_cast<int>(std::clamp<int64_t>(args.Rows() / grain, 1, threads_));
    const auto project = [&](int part) {
      const int64_t begin = args.Rows() * part / parts, end = args.Rows() * (part + 1) / parts;
      for (int64_t d = 0; d < directions; ++d) {
        bodies_.project(args, inputs.data(), d, begin, end, floats + d * projected_);
      }
    };
    pool.Run(parts, [&project](int part) { project(part); });
    if (outputs[0] != nullptr && args.wide_lengths != 0) {
      std::memset(outputs[0], 0, static_cast<size_t>(args.Rows() * directions * args.hidden) * sizeof(float));
    }
    float* scratch = floats + directions * projected_;
    const StepThreads threads = share_steps_ ? StepThreads{&pool, threads_} : StepThreads();
    const auto recur = [&](int part) {
      const int64_t d = part / blocks_, block = part % blocks_;
      bodies_.recur(args, inputs.data(), outputs.data(), d, args.batch * block / blocks_,
                    args.batch * (block + 1) / blocks_, floats + d * projected_, scratch + part * scratch_, threads);
    };
    const auto independent = static_cast<int>(directions * blocks_);
    if (share_steps_) {
      for (int part = 0; part < independent; ++part) recur(part);
    } else {
      pool.Run(independent, [&recur](int part) { recur(part); });
    }
  }

 private:
  RecurrentArgs args_;
  RecurrentBodies bodies_;
  std::vector<std::shared_ptr<const PackedWeight>> weights_;
  std::vector<LateGates> late_;
  int64_t late_floats_;
  int threads_;
  int64_t blocks_ = 1, block_items_ = 1;
  bool share_steps_ = false;
  int64_t projected_ = 0, scratch_ = 0;  // floats of one direction, of one part
};

}  // namespace

void StepThreads::Run(void (*f)(const void* work, int part), const void* work) const {
  if (pool == nullptr) return f(work, 0);
  const auto call = [f, work](int part) { f(work, part); };
  pool->Run(parts, [&call](int part) { call(part); });
}

int64_t RecurrentArgs::Length(const void* lengths, int64_t item) const {
  if (wide_lengths == 0) return steps;
  return wide_lengths == 8 ? static_cast<const int64_t*>(lengths)[item] : static_cast<const int32_t*>(lengths)[item];
}

int64_t RecurrentArgs::RowOf(int64_t step, int64_t item) const {
  return batch_first ? item * steps + step : step * batch + item;
}

int64_t RecurrentArgs::StateAt(int64_t direction, int64_t item) const {
  return (batch_first ? item * directions + direction : direction * batch + item) * hidden;
}

int64_t RecurrentArgs::ResultAt(int64_t step, int64_t direction, int64_t item) const {
  const int64_t row =
      batch_first ? (item * steps + step) * directions + direction : (step * directions + direction) * batch + item;
  return row * hidden;
}

int64_t RecurrentScratchFloats(const RecurrentArgs& args, int64_t items) {
  return items * (3 * args.hidden + args.recurrence[0].columns + args.candidate[0].columns);
}

Status SupportsRecurrent(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  NodeProblems problems;
  const Recurrent spec = ReadRecurrent(*problem.node, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  for (size_t i : {0, 1, 2, 3, 5, 6, 7}) {
    const Operand& operand = problem.input(i);
    if (i < 3 && !operand.Present()) return UserError("input {} is missing", i);
    if (operand.Present() && operand.dtype != DType::kFloat32) {
      return UserError("input {} is {}; float32 is supported", i, Name(operand.dtype));
    }
    if (i < 3 && operand.dims.size() != 3) return UserError("input {} has {} dimensions", i, operand.dims.size());
  }
  for (const CellActivation& activation : spec.activations) {
    if (activation.function == CellFunction::kElu || activation.function == CellFunction::kSoftplus) {
      return UserError("the activations Elu and Softplus are not supported");
    }
  }
  return {};
}

double RecurrentFlops(const Problem& problem) {
  const Dims& x = problem.input(0).dims;
  return 2.0 * static_cast<double>(x[0] * x[1]) *
         static_cast<double>(Elements(problem.input(1)) + Elements(problem.input(2)));
}

Result<std::unique_ptr<PreparedKernel>> PrepareRecurrent(const Problem& problem, PackCache& cache,
                                                         const RecurrentBodies& bodies) {
  NodeProblems problems;
  RecurrentArgs args;
  const Recurrent spec = ReadRecurrent(*problem.node, &problems);
  args.cell = spec.cell;
  args.gates = spec.Gates();
  args.directions = spec.directions;
  args.reverse = spec.reverse;
  args.batch_first = spec.batch_first;
  args.linear_before_reset = spec.linear_before_reset;
  args.input_forget = spec.input_forget;
  args.clip = spec.clip;
  for (int64_t d = 0; d < spec.directions; ++d) {
    for (size_t f = 0; f < spec.Functions(); ++f) args.activations[d][f] = spec.Activation(d, f);
  }
  const Dims& x = problem.input(0).dims;
  args.steps = x[args.batch_first ? 1 : 0];
  args.batch = x[args.batch_first ? 0 : 1];
  args.input = x[2];
  args.hidden = problem.input(2).dims[2];
  args.panel = bodies.panel;
  args.bias = problem.input(3).Present();
  args.initial_h = problem.input(5).Present();
  args.initial_c = problem.input(6).Present();
  args.peephole = problem.input(7).Present();
  args.y_h = problem.outputs.size() > 1 && problem.outputs[1].Present();
  args.y_c = problem.outputs.size() > 2 && problem.outputs[2].Present();
  if (problem.input(4).Present()) args.wide_lengths = problem.input(4).dtype == DType::kInt64 ? 8 : 4;
  std::vector<std::shared_ptr<const PackedWeight>> weights;
  std::vector<LateGates> late;
  int64_t late_floats = 0;
  const auto pack = [&](PackedGates(RecurrentArgs::*member)[2], size_t input, int64_t direction, int64_t begin,
                        int64_t end) {
    const Operand& operand = problem.input(input);
    const int64_t rows = operand.dims[1], depth = operand.dims[2];
    const int64_t columns = (end - begin + args.panel - 1) / args.panel * args.panel;
    PackedGates& gates = (args.*member)[direction];
    gates.columns = columns;
    if (operand.constant == nullptr) {
      late.push_back({member, input, direction, rows, depth, begin, end, late_floats});
      late_floats += Aligned(columns * depth);
      return;
    }
    const float* matrix = operand.constant->Data<float>() + direction * rows * depth;
    const auto made =
        cache.Get(operand.constant_hash, fmt::format("recurrent/panel{}/{}/{}-{}", args.panel, direction, begin, end),
                  [&] { return Pack(matrix, begin, end, depth, args.panel); });
    weights.push_back(made);
    gates.data = reinterpret_cast<const float*>(static_cast<const PackedBytes&>(*made).data());
  };
  const int64_t rows = args.gates * args.hidden, together = Together(args);
  for (int64_t d = 0; d < args.directions; ++d) {
    pack(&RecurrentArgs::weight, 1, d, 0, rows);
    pack(&RecurrentArgs::recurrence, 2, d, 0, together);
    if (together < rows) pack(&RecurrentArgs::candidate, 2, d, together, rows);
  }
  return std::unique_ptr<PreparedKernel>(std::make_unique<RecurrentKernel>(
      std::move(args), bodies, std::move(weights), std::move(late), late_floats, problem.threads));
}

}  // namespace tamis
