#include "src/runtime/program.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace tamis {
Result<std::unique_ptr<Program>> Program::Make(Graph graph, const ProgramOptions& options, PackCache& cache) {
  if (options.blocks.empty()) return MakeAsItIs(std::move(graph), options, cache);
  Graph with_blocks = graph.Clone();
  for (const BlockSpec& block : options.blocks) FormBlock(with_blocks, block);
  auto program = MakeAsItIs(std::move(with_blocks), options, cache);
  // Kernels may run by rows no more since the plan was made.
  return program.ok() ? std::move(program) : MakeAsItIs(std::move(graph), options, cache);
}

Result<std::unique_ptr<Program>> Program::MakeAsItIs(Graph graph, const ProgramOptions& options, PackCache& cache) {
  auto program = std::unique_ptr<Program>(new Program());
  program->graph_ = std::move(graph);
  program->arenas_ = options.arenas ? options.arenas : std::make_shared<ArenaPool>();
  const Graph& g = program->graph_;
  for (NodeId id : g.NodeIds()) {
    const Node& node = g.node(id);
    if (IsView(node)) continue;
    Step step;
    step.node = id;
    const std::string& name = node.outputs[0] == kNoValue ? node.name : g.value(node.outputs[0]).name;
    TAMIS_ASSIGN_OR_RETURN(step.prepared, PreparedNode::Make(g, node, options.threads,
                                                             options.wish ? options.wish(name) : std::string(), cache));
    for (const Operand& operand : step.prepared->problem().inputs) {
      if (options.packed && operand.constant != nullptr) options.packed(*operand.constant);
    }
    program->steps_.push_back(std::move(step));
  }
  program->PlaceValues();
  return program;
}

void Program::PlaceValues() {
  const Graph& g = graph_;
  std::vector<LayoutStep> layout_steps;
  for (const Step& step : steps_) {
    layout_steps.push_back({step.node, step.prepared->WorkspaceBytes(), step.prepared->in_place()});
  }
  const MemoryLayout layout = LayOut(g, layout_steps);
  memory_ = layout.figures;
  const auto place_of = [&](ValueId id) { return id == kNoValue ? Place{} : layout.values[static_cast<size_t>(id)]; };
  for (size_t s = 0; s < steps_.size(); ++s) {
    Step& step = steps_[s];
    step.workspace_offset = layout.workspace_offsets[s];
    for (ValueId id : g.node(step.node).inputs) step.inputs.push_back(place_of(id));
    for (ValueId id : g.node(step.node).outputs) step.outputs.push_back(place_of(id));
    most_inputs_ = std::max(most_inputs_, step.inputs.size());
    most_outputs_ = std::max(most_outputs_, step.outputs.size());
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
  std::byte* base = block->memory.data();
  block->inputs.reserve(most_inputs_);
  block->outputs.reserve(most_outputs_);
  const auto address = [&](const Place& place) -> const void* {
    switch (place.kind) {
      case Place::Kind::kNone:
        return nullptr;
      case Place::Kind::kConstant:
        return place.constant;
      case Place::Kind::kInput:
        return inputs[place.index]->raw();
      case Place::Kind::kOutput:
        return outputs[place.index]->raw();
      case Place::Kind::kArena:
        return base + place.offset;
    }
    return nullptr;
  };
  Status status;
  for (size_t s = 0; s < steps_.size() && status.ok(); ++s) {
    const Step& step = steps_[s];
    block->inputs.clear();
    block->outputs.clear();
    for (const Place& place : step.inputs) block->inputs.push_back(address(place));
    for (const Place& place : step.outputs) block->outputs.push_back(const_cast<void*>(address(place)));
    const auto start = seconds ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
    status = step.prepared->Run(block->inputs, block->outputs, base + step.workspace_offset, pool);
    if (seconds) (*seconds)[s] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  if (status.ok()) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Place& place = output_places_[i];
      const bool in_place = place.kind == Place::Kind::kOutput && place.index == i;
      const size_t bytes = outputs[i]->NumBytes();
      if (!in_place && bytes > 0) std::memcpy(outputs[i]->raw(), address(place), bytes);
    }
  }
  arenas_->Return(std::move(block));
  return status;
}

Result<std::vector<Session::NodeTime>> Program::Profile(std::span<const Tensor> inputs, int repeats,
                                                        ThreadPool& pool) const {
  std::vector<double> seconds(steps_.size(), 0);
  std::vector<const Tensor*> in;
  for (const Tensor& input : inputs) in.push_back(&input);
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < output_types_.size(); ++i) outputs.push_back(NewOutput(i));
  std::vector<Tensor*> out;
  for (Tensor& output : outputs) out.push_back(&output);
  for (int r = 0; r < repeats; ++r) TAMIS_RETURN_IF_ERROR(RunTimed(in, out, pool, &seconds));
  std::vector<Session::NodeTime> times;
  for (size_t s = 0; s < steps_.size(); ++s) {
    const Node& node = graph_.node(steps_[s].node);
    Session::NodeTime time;
    if (node.outputs[0] != kNoValue) time.name = graph_.value(node.outputs[0]).name;
    time.op = node.op;
    time.tactic = steps_[s].prepared->tactic();
    time.seconds = seconds[s] / repeats;
    time.output_dims = steps_[s].prepared->problem().outputs[0].dims;
    times.push_back(std::move(time));
  }
  return times;
}

}  // namespace tamis
