#include "src/runtime/dynamic_program.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "src/runtime/appender.h"

namespace tamis {

using Clock = std::chrono::steady_clock;

struct DynamicProgram::Step {
  const Node* node = nullptr;
  int64_t opset = 0;
  size_t number = 0;                     // among all steps of the program
  std::unique_ptr<NodeKernels> kernels;  // null: the operator evaluates itself
  std::vector<DType> dtypes;             // of the outputs; empty if one is not known
  bool appends = false;                  // a Concat in a body: it may add to its own result, again and again
  std::vector<Block> regions;
  std::vector<ValueId> dead;  // values of the block that nobody reads after this
};

struct DynamicProgram::Block {
  const Graph* graph = nullptr;
  std::vector<Step> steps;
  std::vector<std::pair<ValueId, Datum>> constants;
};

// The values of a block in execution. `at` points to a value wherever it is: here, among the constants, or, for what is
// captured, in the frame around.
struct DynamicProgram::Frame {
  explicit Frame(const Block& block) : own(block.graph->NumValues()), at(own.size()) {
    for (size_t i = 0; i < own.size(); ++i) at[i] = &own[i];
    for (const auto& [id, datum] : block.constants) at[static_cast<size_t>(id)] = &datum;
  }
  bool Owns(ValueId id) const { return at[static_cast<size_t>(id)] == &own[static_cast<size_t>(id)]; }

  std::vector<Datum> own;
  std::vector<const Datum*> at;
};

// What a profile notes of a step.
struct DynamicProgram::Record {
  double seconds = 0;
  std::string tactic;  // empty: not run
  Dims dims;
};

// One run.
class DynamicProgram::Execution {
 public:
  Execution(const DynamicProgram& program, ThreadPool& pool, const std::function<bool()>& cancelled,
            std::vector<Record>* records)
      : program_(program), pool_(pool), cancelled_(cancelled), records_(records) {}

  // `inputs` are the block's explicit ones; captures are in the frame already.
  Result<std::vector<Datum>> Run(const Block& block, Frame& frame, std::span<const Datum> inputs);

 private:
  friend class Regions;
  Status RunStep(const Step& step, Frame& frame);
  Result<bool> RunKernel(const Step& step, Frame& frame);
  Status Evaluate(const Step& step, Frame& frame);
  std::byte* Workspace(size_t bytes);
  void Note(const Step& step, const Frame& frame, const std::string& tactic);

  const DynamicProgram& program_;
  ThreadPool& pool_;
  const std::function<bool()>& cancelled_;
  std::vector<Record>* records_;
  double nested_seconds_ = 0;  // of the bodies of the step in progress
  std::unique_ptr<PackedBytes> workspace_;
  std::vector<const Tensor*> tensors_;  // operands of the step in progress
  std::vector<const void*> in_;
  std::vector<void*> out_;
  std::map<size_t, Appender> appenders_;  // by the step's number
};

// Runs the bodies of one step. A body's frame is made once, however often it runs.
class DynamicProgram::Regions : public RegionRunner {
 public:
  Regions(Execution& execution, const Step& step, const Frame& outer)
      : execution_(execution), step_(step), outer_(outer), frames_(step.regions.size()) {}

  Result<std::vector<Datum>> Run(size_t region, std::span<const Datum> inputs) override {
    const Block& block = step_.regions[region];
    if (frames_[region] == nullptr) {
      frames_[region] = std::make_unique<Frame>(block);
      const auto& captures = step_.node->regions[region].captures;
      const auto& ids = block.graph->inputs;
      for (size_t i = 0; i < captures.size(); ++i) {
        const ValueId inner = ids[ids.size() - captures.size() + i];
        frames_[region]->at[static_cast<size_t>(inner)] = outer_.at[static_cast<size_t>(captures[i])];
      }
    }
    return execution_.Run(block, *frames_[region], inputs);
  }

 private:
  Execution& execution_;
  const Step& step_;
  const Frame& outer_;
  std::vector<std::unique_ptr<Frame>> frames_;
};

Result<std::vector<Datum>> DynamicProgram::Execution::Run(const Block& block, Frame& frame,
                                                          std::span<const Datum> inputs) {
  const Graph& graph = *block.graph;
  if (inputs.size() > graph.inputs.size()) {
    return InternalError("graph '{}' takes {} inputs, {} are given", graph.name, graph.inputs.size(), inputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) frame.at[static_cast<size_t>(graph.inputs[i])] = &inputs[i];
  for (const Step& step : block.steps) {
    if (cancelled_ && cancelled_()) return RuntimeError("the run was cancelled");
    if (records_ == nullptr) {
      TAMIS_RETURN_IF_ERROR(RunStep(step, frame));
      continue;
    }
    const double outer_nested = nested_seconds_;
    nested_seconds_ = 0;
    const auto start = Clock::now();
    TAMIS_RETURN_IF_ERROR(RunStep(step, frame));
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    (*records_)[step.number].seconds += seconds - nested_seconds_;
    nested_seconds_ = outer_nested + seconds;
  }
  std::vector<Datum> results;
  results.reserve(graph.outputs.size());
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId id = graph.outputs[i];
    const bool again = std::find(graph.outputs.begin() + static_cast<std::ptrdiff_t>(i) + 1, graph.outputs.end(), id) !=
                       graph.outputs.end();
    if (frame.Owns(id) && !again) {
      results.push_back(std::move(frame.own[static_cast<size_t>(id)]));
      frame.own[static_cast<size_t>(id)] = Datum();
    } else {
      results.push_back(*frame.at[static_cast<size_t>(id)]);
    }
  }
  return results;
}

Status DynamicProgram::Execution::RunStep(const Step& step, Frame& frame) {
  if (step.kernels != nullptr) {
    TAMIS_ASSIGN_OR_RETURN(const bool done, RunKernel(step, frame));
    if (!done) TAMIS_RETURN_IF_ERROR(Evaluate(step, frame));
    if (step.appends) {
      const Datum& result = frame.own[static_cast<size_t>(step.node->outputs[0])];
      if (result.IsTensor() && result.tensor().NumElements() > 0) appenders_[step.number].Note(result.tensor());
    }
  } else {
    TAMIS_RETURN_IF_ERROR(Evaluate(step, frame));
  }
  for (ValueId id : step.dead) frame.own[static_cast<size_t>(id)] = Datum();
  return {};
}

// False if there is no kernel for these operands.
Result<bool> DynamicProgram::Execution::RunKernel(const Step& step, Frame& frame) {
  tensors_.clear();
  for (ValueId id : step.node->inputs) {
    const Datum* datum = id == kNoValue ? nullptr : frame.at[static_cast<size_t>(id)];
    if (datum != nullptr && (!datum->IsTensor() || BitSize(datum->tensor().dtype()) == 0)) return false;
    tensors_.push_back(datum ? &datum->tensor() : nullptr);
  }
  if (step.appends) {
    auto joined = appenders_[step.number].Append(*step.node, tensors_, *program_.buffers_);
    if (joined) {
      frame.own[static_cast<size_t>(step.node->outputs[0])] = std::move(*joined);
      if (records_) Note(step, frame, "append");
      return true;
    }
  }
  const auto shaped = step.kernels->Find(tensors_);
  if (shaped == nullptr) return false;
  const auto& outputs = step.node->outputs;
  if (shaped->prepared == nullptr) {
    frame.own[static_cast<size_t>(outputs[0])] = tensors_[0]->Reshaped(shaped->outputs[0].dims);
    if (records_) Note(step, frame, "view");
    return true;
  }
  in_.clear();
  out_.clear();
  for (const Tensor* tensor : tensors_) in_.push_back(tensor ? tensor->raw() : nullptr);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == kNoValue) {
      out_.push_back(nullptr);
      continue;
    }
    Datum& datum = frame.own[static_cast<size_t>(outputs[i])];
    datum = program_.buffers_->NewTensor(shaped->outputs[i].dtype, shaped->outputs[i].dims);
    out_.push_back(datum.tensor().raw());
  }
  TAMIS_RETURN_IF_ERROR(shaped->prepared->Run(in_, out_, Workspace(shaped->prepared->WorkspaceBytes()), pool_));
  if (records_) Note(step, frame, shaped->prepared->tactic());
  return true;
}

Status DynamicProgram::Execution::Evaluate(const Step& step, Frame& frame) {
  std::vector<const Datum*> operands;
  for (ValueId id : step.node->inputs) {
    operands.push_back(id == kNoValue ? nullptr : frame.at[static_cast<size_t>(id)]);
  }
  Regions regions(*this, step, frame);
  TAMIS_ASSIGN_OR_RETURN(auto results, EvaluateData(*step.node, step.opset, operands, step.dtypes, &regions));
  for (size_t i = 0; i < results.size() && i < step.node->outputs.size(); ++i) {
    const ValueId id = step.node->outputs[i];
    if (id != kNoValue) frame.own[static_cast<size_t>(id)] = std::move(results[i]);
  }
  // What regions, sequences and shapes that depend on data leave no place for kernels is no reference: it is the way.
  const bool own = step.kernels == nullptr || step.kernels->DependsOnData();
  if (records_) Note(step, frame, own ? "operator" : "reference");
  return {};
}

std::byte* DynamicProgram::Execution::Workspace(size_t bytes) {
  if (workspace_ == nullptr || workspace_->Bytes() < bytes) {
    workspace_.reset();
    workspace_ = std::make_unique<PackedBytes>(bytes);
  }
  return workspace_->data();
}

void DynamicProgram::Execution::Note(const Step& step, const Frame& frame, const std::string& tactic) {
  Record& record = (*records_)[step.number];
  record.tactic = tactic;
  const ValueId first = step.node->outputs.empty() ? kNoValue : step.node->outputs[0];
  if (first == kNoValue) return;
  const Datum& datum = *frame.at[static_cast<size_t>(first)];
  record.dims = datum.IsTensor() ? datum.tensor().dims() : Dims{static_cast<int64_t>(datum.elements().size())};
}

DynamicProgram::DynamicProgram() = default;
DynamicProgram::~DynamicProgram() = default;

Status DynamicProgram::MakeBlock(const Graph& graph, const std::string& path, const ProgramOptions& options,
                                 PackCache& cache, Block* block) {
  block->graph = &graph;
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (graph.value(id).constant) block->constants.emplace_back(id, *graph.value(id).constant);
  }
  std::vector<size_t> last(graph.NumValues(), 0);  // the step after which a value of a node is dead
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    Step step;
    step.node = &node;
    step.opset = graph.Opset(node.domain);
    step.number = names_.size();
    const ValueId first = node.outputs.empty() ? kNoValue : node.outputs[0];
    const std::string& name = first == kNoValue ? node.name : graph.value(first).name;
    names_.push_back(path + name);
    ops_.push_back(node.op);
    const OpDef* op = FindOp(node.op, node.domain);
    if (op == nullptr) return InternalError("operator {} is not known", node.op);
    if (op->eval != nullptr && node.regions.empty() && !(IsView(node) && first == kNoValue)) {
      // Plans name the main graph's nodes.
      std::string wish = path.empty() && options.wish ? options.wish(name) : std::string();
      step.kernels = std::make_unique<NodeKernels>(graph, id, options.threads, std::move(wish), &cache);
      step.appends = !path.empty() && node.Is("Concat") && first != kNoValue;
    }
    for (ValueId output : node.outputs) {
      step.dtypes.push_back(output == kNoValue ? DType::kUndefined : graph.value(output).type.dtype);
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue && step.dtypes[i] == DType::kUndefined) {
        step.dtypes.clear();
        break;
      }
    }
    const auto read = [&](ValueId v) {
      if (v != kNoValue) last[static_cast<size_t>(v)] = block->steps.size();
    };
    std::for_each(node.inputs.begin(), node.inputs.end(), read);
    std::for_each(node.outputs.begin(), node.outputs.end(), read);
    for (const Region& region : node.regions) {
      std::for_each(region.captures.begin(), region.captures.end(), read);
      TAMIS_RETURN_IF_ERROR(MakeBlock(*region.body, path + name + "/", options, cache, &step.regions.emplace_back()));
    }
    block->steps.push_back(std::move(step));
  }
  for (size_t i = 0; i < last.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Value& value = graph.value(id);
    if (value.producer != kNoNode && !value.constant && !graph.IsOutput(id)) block->steps[last[i]].dead.push_back(id);
  }
  return {};
}

Result<std::unique_ptr<DynamicProgram>> DynamicProgram::Make(Graph graph, const ProgramOptions& options,
                                                             PackCache& cache) {
  auto program = std::unique_ptr<DynamicProgram>(new DynamicProgram());
  program->graph_ = std::move(graph);
  program->main_ = std::make_unique<Block>();
  TAMIS_RETURN_IF_ERROR(program->MakeBlock(program->graph_, "", options, cache, program->main_.get()));
  return program;
}

Result<std::vector<Datum>> DynamicProgram::Run(std::span<const Datum> inputs, ThreadPool& pool,
                                               const std::function<bool()>& cancelled) const {
  Frame frame(*main_);
  return Execution(*this, pool, cancelled, nullptr).Run(*main_, frame, inputs);
}

Result<std::vector<Session::NodeTime>> DynamicProgram::Profile(std::span<const Datum> inputs, int repeats,
                                                               ThreadPool& pool) const {
  const std::function<bool()> never;
  std::vector<Record> records(names_.size());
  for (int r = 0; r < repeats; ++r) {
    Frame frame(*main_);
    const auto outputs = Execution(*this, pool, never, &records).Run(*main_, frame, inputs);
    if (!outputs.ok()) return outputs.status();
  }
  std::vector<Session::NodeTime> times;
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i].tactic.empty() || records[i].tactic == "view") continue;
    Session::NodeTime time;
    time.name = names_[i];
    time.op = ops_[i];
    time.tactic = records[i].tactic;
    time.seconds = records[i].seconds / repeats;
    time.output_dims = records[i].dims;
    times.push_back(std::move(time));
  }
  return times;
}

bool RunsNodeByNode(const Graph& concrete) {
  // Inputs and outputs as if a node read and wrote them: they may have no node.
  Node outside;
  outside.inputs = concrete.inputs;
  outside.outputs = concrete.outputs;
  if (!IsConcrete(concrete, outside)) return true;
  const auto ids = concrete.NodeIds();
  return std::any_of(ids.begin(), ids.end(), [&](NodeId id) {
    const Node& node = concrete.node(id);
    const OpDef* op = FindOp(node.op, node.domain);
    return op == nullptr || op->eval == nullptr || !IsConcrete(concrete, node);
  });
}

}  // namespace tamis
