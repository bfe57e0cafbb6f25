#include "src/runtime/program.h"

#include <chrono>
#include <cstring>

#include "src/runtime/memory_plan.h"

namespace tamis {
Result<std::unique_ptr<Program>> Program::Make(Graph graph, const ProgramOptions& options, PackCache& cache) {
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
    program->steps_.push_back(std::move(step));
  }
  TAMIS_RETURN_IF_ERROR(program->PlaceValues());
  return program;
}

Status Program::PlaceValues() {
  const Graph& g = graph_;
  // A view shares the place of the value it looks at.
  std::vector<ValueId> root(g.NumValues());
  for (size_t i = 0; i < root.size(); ++i) root[i] = static_cast<ValueId>(i);
  for (NodeId id : g.NodeIds()) {
    const Node& node = g.node(id);
    if (IsView(node)) root[static_cast<size_t>(node.outputs[0])] = root[static_cast<size_t>(node.inputs[0])];
  }
  std::vector<Place> places(g.NumValues());
  for (size_t i = 0; i < places.size(); ++i) {
    const Value& value = g.value(static_cast<ValueId>(i));
    if (value.constant) places[i] = {Place::Kind::kConstant, value.constant->raw(), 0, 0};
  }
  for (size_t i = 0; i < g.inputs.size(); ++i) {
    places[static_cast<size_t>(g.inputs[i])] = {Place::Kind::kInput, nullptr, i, 0};
  }
  // A graph output that a node computes is written straight into the tensor that the caller gets.
  for (size_t i = 0; i < g.outputs.size(); ++i) {
    Place& place = places[static_cast<size_t>(root[static_cast<size_t>(g.outputs[i])])];
    if (place.kind == Place::Kind::kNone) place = {Place::Kind::kOutput, nullptr, i, 0};
  }
  // Everything else lives in the arena from its producer to its last reader.
  std::vector<int> use_of_value(g.NumValues(), -1);
  std::vector<BufferUse> uses;
  for (size_t s = 0; s < steps_.size(); ++s) {
    const Node& node = g.node(steps_[s].node);
    const int step = static_cast<int>(s);
    for (ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      const int use = use_of_value[static_cast<size_t>(root[static_cast<size_t>(id)])];
      if (use >= 0) uses[static_cast<size_t>(use)].last = step;
    }
    for (ValueId id : node.outputs) {
      if (id == kNoValue || places[static_cast<size_t>(id)].kind != Place::Kind::kNone) continue;
      const auto dims = ConstantDims(g.value(id).type.shape);
      const size_t bytes = ByteSize(g.value(id).type.dtype, static_cast<size_t>(NumElements(*dims)));
      use_of_value[static_cast<size_t>(id)] = static_cast<int>(uses.size());
      uses.push_back({bytes, step, step});
    }
  }
  // A graph output whose bytes another output already holds is copied at the end and must survive until then.
  const size_t first_workspace = uses.size();
  for (size_t s = 0; s < steps_.size(); ++s) {
    uses.push_back({steps_[s].prepared->WorkspaceBytes(), static_cast<int>(s), static_cast<int>(s)});
  }
  const MemoryPlan plan = PlanMemory(uses);
  arena_bytes_ = plan.arena_bytes;
  for (size_t i = 0; i < places.size(); ++i) {
    if (use_of_value[i] >= 0) {
      places[i] = {Place::Kind::kArena, nullptr, 0, plan.offsets[static_cast<size_t>(use_of_value[i])]};
    }
  }
  const auto place_of = [&](ValueId id) {
    return id == kNoValue ? Place{} : places[static_cast<size_t>(root[static_cast<size_t>(id)])];
  };
  for (size_t s = 0; s < steps_.size(); ++s) {
    Step& step = steps_[s];
    step.workspace_offset = plan.offsets[first_workspace + s];
    for (ValueId id : g.node(step.node).inputs) step.inputs.push_back(place_of(id));
    for (ValueId id : g.node(step.node).outputs) step.outputs.push_back(place_of(id));
  }
  for (ValueId id : g.outputs) output_places_.push_back(place_of(id));
  return {};
}

Result<std::vector<Tensor>> Program::Run(std::span<const Tensor> inputs, ThreadPool& pool) const {
  return RunTimed(inputs, pool, nullptr);
}

Result<std::vector<Tensor>> Program::RunTimed(std::span<const Tensor> inputs, ThreadPool& pool,
                                              std::vector<double>* seconds) const {
  std::vector<Tensor> outputs;
  for (ValueId id : graph_.outputs) {
    const Type& type = graph_.value(id).type;
    outputs.emplace_back(type.dtype, *ConstantDims(type.shape));
  }
  auto arena = arenas_->Take(arena_bytes_);
  std::byte* base = arena->data();
  std::vector<const void*> in;
  std::vector<void*> out;
  const auto address = [&](const Place& place) -> const void* {
    switch (place.kind) {
      case Place::Kind::kNone:
        return nullptr;
      case Place::Kind::kConstant:
        return place.constant;
      case Place::Kind::kInput:
        return inputs[place.index].raw();
      case Place::Kind::kOutput:
        return outputs[place.index].raw();
      case Place::Kind::kArena:
        return base + place.offset;
    }
    return nullptr;
  };
  Status status;
  for (size_t s = 0; s < steps_.size() && status.ok(); ++s) {
    const Step& step = steps_[s];
    in.clear();
    out.clear();
    for (const Place& place : step.inputs) in.push_back(address(place));
    for (const Place& place : step.outputs) out.push_back(const_cast<void*>(address(place)));
    const auto start = seconds ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
    status = step.prepared->Run(in, out, base + step.workspace_offset, pool);
    if (seconds) (*seconds)[s] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  if (status.ok()) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Place& place = output_places_[i];
      const bool in_place = place.kind == Place::Kind::kOutput && place.index == i;
      if (!in_place && outputs[i].NumBytes() > 0) std::memcpy(outputs[i].raw(), address(place), outputs[i].NumBytes());
    }
  }
  arenas_->Return(std::move(arena));
  if (!status.ok()) return status;
  return outputs;
}

Result<std::vector<Session::NodeTime>> Program::Profile(std::span<const Tensor> inputs, int repeats,
                                                        ThreadPool& pool) const {
  std::vector<double> seconds(steps_.size(), 0);
  for (int r = 0; r < repeats; ++r) {
    auto outputs = RunTimed(inputs, pool, &seconds);
    if (!outputs.ok()) return outputs.status();
  }
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
