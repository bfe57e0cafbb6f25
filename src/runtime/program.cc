#include "src/runtime/program.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "src/base/tensor_store.h"

namespace tamis {
namespace {

// From the `parts` equal runs of a value's axis 0 to the next.
size_t PartBytes(const Value& value, int64_t parts) {
  const auto elements = static_cast<size_t>(NumElements(*ConstantDims(value.type.shape)));
  return ByteSize(value.type.dtype, elements) / static_cast<size_t>(parts);
}

}  // namespace

Result<std::unique_ptr<Program>> Program::Make(Graph graph, const ProgramOptions& options, PackCache& cache) {
  if (options.blocks.empty() && options.micro_batches.entries == 0) return MakeAsItIs(std::move(graph), options, cache);
  Graph formed = graph.Clone();
  FormMicroBatches(formed, options.micro_batches);
  for (const BlockSpec& block : options.blocks) FormBlock(formed, block);
  auto program = MakeAsItIs(std::move(formed), options, cache);
  // Kernels may run by rows no more since the plan was made.
  return program.ok() ? std::move(program) : MakeAsItIs(std::move(graph), options, cache);
}

Result<std::unique_ptr<Program>> Program::MakeAsItIs(Graph graph, const ProgramOptions& options, PackCache& cache) {
  auto program = std::unique_ptr<Program>(new Program());
  program->graph_ = std::move(graph);
  program->arenas_ = options.arenas ? options.arenas : std::make_shared<ArenaPool>();
  const Graph& g = program->graph_;
  for (NodeId id : g.NodeIds()) {
    if (IsView(g.node(id))) continue;
    TAMIS_ASSIGN_OR_RETURN(program->steps_.emplace_back(), MakeStep(g, id, options, cache));
  }
  program->PlaceValues();
  return program;
}

Result<Program::Step> Program::MakeStep(const Graph& graph, NodeId id, const ProgramOptions& options,
                                        PackCache& cache) {
  Step step;
  step.node = id;
  const Node& node = graph.node(id);
  if (node.IsTamis(kMicroBatches)) {
    TAMIS_RETURN_IF_ERROR(PrepareParts(graph, options, cache, &step));
    return step;
  }
  const std::string& name = node.outputs[0] == kNoValue ? node.name : graph.value(node.outputs[0]).name;
  TAMIS_ASSIGN_OR_RETURN(step.prepared, PreparedNode::Make(graph, node, options.threads,
                                                           options.wish ? options.wish(name) : std::string(), cache));
  for (const Operand& operand : step.prepared->problem().inputs) {
    if (operand.constant == nullptr) continue;
    TensorStore::Rest(*operand.constant);
    if (options.packed) options.packed(*operand.constant);
  }
  return step;
}

Status Program::PrepareParts(const Graph& graph, const ProgramOptions& options, PackCache& cache, Step* step) {
  const Node& node = graph.node(step->node);
  ProgramOptions inner = options;
  inner.micro_batches = {};
  TAMIS_ASSIGN_OR_RETURN(step->layers, Make(node.regions[0].body->Clone(), inner, cache));
  step->parts = node.Int("parts", 1);
  const std::vector<int64_t> cut = node.Ints("cut_inputs");
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    step->input_part_bytes.push_back(cut[i] != 0 ? PartBytes(graph.value(node.inputs[i]), step->parts) : 0);
  }
  for (const ValueId id : node.outputs) step->output_part_bytes.push_back(PartBytes(graph.value(id), step->parts));
  return {};
}

void Program::PlaceValues() {
  const Graph& g = graph_;
  std::vector<LayoutStep> layout_steps;
  for (const Step& step : steps_) {
    // Layers that run for parts of the batch have their whole arena inside this one.
    if (step.layers) layout_steps.push_back({step.node, step.layers->memory_.planned, 0});
    if (step.prepared) {
      layout_steps.push_back({step.node, step.prepared->WorkspaceBytes(), step.prepared->in_place()});
    }
  }
  const MemoryLayout layout = LayOut(g, layout_steps);
  memory_ = layout.figures;
  const auto place_of = [&](ValueId id) { return id == kNoValue ? Place{} : layout.values[static_cast<size_t>(id)]; };
  for (size_t s = 0; s < steps_.size(); ++s) {
    Step& step = steps_[s];
    step.workspace_offset = layout.workspace_offsets[s];
    for (ValueId id : g.node(step.node).inputs) step.inputs.push_back(place_of(id));
    for (ValueId id : g.node(step.node).outputs) step.outputs.push_back(place_of(id));
    // Of the step, and of one part and what the part's layers hold.
    const size_t inner_inputs = step.layers ? step.inputs.size() + step.layers->most_inputs_ : 0;
    const size_t inner_outputs = step.layers ? step.outputs.size() + step.layers->most_outputs_ : 0;
    most_inputs_ = std::max(most_inputs_, step.inputs.size() + inner_inputs);
    most_outputs_ = std::max(most_outputs_, step.outputs.size() + inner_outputs);
  }
  for (ValueId id : g.outputs) {
    output_places_.push_back(place_of(id));
    output_types_.push_back({g.value(id).type.dtype, *ConstantDims(g.value(id).type.shape)});
  }
}

Result<std::vector<Tensor>> Program::Run(std::span<const Tensor> inputs, ThreadPool& pool) const {
  std::vector<const Tensor*> in;
  for (const Tensor& input : inputs) in.push_back(&input);
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < output_types_.size(); ++i) outputs.push_back(NewOutput(i));
  std::vector<Tensor*> out;
  for (Tensor& output : outputs) out.push_back(&output);
  TAMIS_RETURN_IF_ERROR(RunInto(in, out, pool));
  return outputs;
}

Status Program::RunInto(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs,
                        ThreadPool& pool) const {
  return RunTimed(inputs, outputs, pool, nullptr);
}

Status Program::RunTimed(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs, ThreadPool& pool,
                         std::vector<double>* seconds) const {
  auto block = arenas_->Take(memory_.planned);
  block->inputs.clear();
  block->outputs.clear();
  // Addresses are pushed as they are needed and must not move.
  block->inputs.reserve(inputs.size() + most_inputs_);
  block->outputs.reserve(outputs.size() + most_outputs_);
  for (const Tensor* input : inputs) block->inputs.push_back(input->raw());
  for (Tensor* output : outputs) block->outputs.push_back(output->raw());
  RunState state;
  state.inputs = std::span(block->inputs).first(inputs.size());
  state.outputs = std::span(block->outputs).first(outputs.size());
  state.arena = block->memory.data();
  state.block = block.get();
  state.seconds = seconds == nullptr ? nullptr : seconds->data();
  const Status status = RunAt(state, pool);
  arenas_->Return(std::move(block));
  return status;
}

Status Program::RunAt(const RunState& state, ThreadPool& pool) const {
  const auto address = [&](const Place& place) -> const void* {
    switch (place.kind) {
      case Place::Kind::kNone:
        return nullptr;
      case Place::Kind::kConstant:
        return place.constant;
      case Place::Kind::kInput:
        return state.inputs[place.index];
      case Place::Kind::kOutput:
        return state.outputs[place.index];
      case Place::Kind::kArena:
        return state.arena + place.offset;
    }
    return nullptr;
  };
  std::vector<const void*>& inputs = state.block->inputs;
  std::vector<void*>& outputs = state.block->outputs;
  const size_t held_inputs = inputs.size(), held_outputs = outputs.size();
  RunState inner = state;
  Status status;
  for (size_t s = 0; s < steps_.size() && status.ok(); ++s) {
    const Step& step = steps_[s];
    for (const Place& place : step.inputs) inputs.push_back(address(place));
    for (const Place& place : step.outputs) outputs.push_back(const_cast<void*>(address(place)));
    const auto operands = std::span(inputs).subspan(held_inputs);
    const auto results = std::span(outputs).subspan(held_outputs);
    inner.arena = state.arena + step.workspace_offset;
    if (step.layers) {
      status = RunParts(step, operands, results, inner, pool);
    } else {
      const auto start = state.seconds ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
      status = step.prepared->Run(operands, results, inner.arena, pool);
      if (state.seconds) {
        *inner.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      }
    }
    if (inner.seconds) inner.seconds += step.layers ? step.layers->NumTimes() : 1;
    inputs.resize(held_inputs);
    outputs.resize(held_outputs);
  }
  if (!status.ok()) return status;
  for (size_t i = 0; i < output_places_.size(); ++i) {
    const Place& place = output_places_[i];
    const bool in_place = place.kind == Place::Kind::kOutput && place.index == i;
    const size_t bytes = ByteSize(output_types_[i].dtype, static_cast<size_t>(NumElements(output_types_[i].dims)));
    if (!in_place && bytes > 0) std::memcpy(state.outputs[i], address(place), bytes);
  }
  return {};
}

// `state` has the arena and the times of the step's layers.
Status Program::RunParts(const Step& step, std::span<const void* const> inputs, std::span<void* const> outputs,
                         const RunState& state, ThreadPool& pool) {
  RunState part = state;
  std::vector<const void*>& held_inputs = state.block->inputs;
  std::vector<void*>& held_outputs = state.block->outputs;
  const size_t first_input = held_inputs.size(), first_output = held_outputs.size();
  for (int64_t p = 0; p < step.parts; ++p) {
    const auto index = static_cast<size_t>(p);
    for (size_t i = 0; i < inputs.size(); ++i) {
      held_inputs.push_back(static_cast<const std::byte*>(inputs[i]) + index * step.input_part_bytes[i]);
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      held_outputs.push_back(static_cast<std::byte*>(outputs[i]) + index * step.output_part_bytes[i]);
    }
    part.inputs = std::span(held_inputs).subspan(first_input);
    part.outputs = std::span(held_outputs).subspan(first_output);
    TAMIS_RETURN_IF_ERROR(step.layers->RunAt(part, pool));
    held_inputs.resize(first_input);
    held_outputs.resize(first_output);
  }
  return {};
}

size_t Program::NumTimes() const {
  size_t times = 0;
  for (const Step& step : steps_) times += step.layers ? step.layers->NumTimes() : 1;
  return times;
}

Result<std::vector<Session::NodeTime>> Program::Profile(std::span<const Tensor> inputs, int repeats,
                                                        ThreadPool& pool) const {
  std::vector<double> seconds(NumTimes(), 0);
  std::vector<const Tensor*> in;
  for (const Tensor& input : inputs) in.push_back(&input);
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < output_types_.size(); ++i) outputs.push_back(NewOutput(i));
  std::vector<Tensor*> out;
  for (Tensor& output : outputs) out.push_back(&output);
  for (int r = 0; r < repeats; ++r) TAMIS_RETURN_IF_ERROR(RunTimed(in, out, pool, &seconds));
  std::vector<Session::NodeTime> times;
  AddNodeTimes(seconds.data(), repeats, &times);
  return times;
}

// Layers that run for parts of the batch count with all of its parts.
void Program::AddNodeTimes(const double* seconds, int repeats, std::vector<Session::NodeTime>* times) const {
  for (const Step& step : steps_) {
    if (step.layers) {
      step.layers->AddNodeTimes(seconds, repeats, times);
      seconds += step.layers->NumTimes();
      continue;
    }
    const Node& node = graph_.node(step.node);
    Session::NodeTime& time = times->emplace_back();
    if (node.outputs[0] != kNoValue) time.name = graph_.value(node.outputs[0]).name;
    time.op = node.op;
    time.tactic = step.prepared->tactic();
    time.seconds = *seconds++ / repeats;
    time.output_dims = step.prepared->problem().outputs[0].dims;
  }
}

}  // namespace tamis
