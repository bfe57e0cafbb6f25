#include "src/kernels/block/row_block.h"

#include <algorithm>

#include "src/kernels/block/row_tiles.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/problem.h"

namespace tamis {
namespace {

constexpr size_t kMaxOperands = 8;  // of a layer

// Where an operand of a layer comes from.
struct Source {
  enum class Kind : uint8_t { kNone, kConstant, kInput, kLayer };
  Kind kind = Kind::kNone;
  const void* constant = nullptr;
  size_t index = 0;  // of the block's input
};

struct Layer {
  std::unique_ptr<PreparedKernel> kernel;
  std::vector<Source> sources;
};

int64_t RowBytes(const Operand& operand) {
  return static_cast<int64_t>(ByteSize(operand.dtype, static_cast<size_t>(operand.dims.back())));
}

class RowBlock : public PreparedKernel {
 public:
  RowBlock(std::vector<Layer> layers, RowTiles tiles) : layers_(std::move(layers)), tiles_(std::move(tiles)) {}

  size_t WorkspaceBytes() const override { return tiles_.PartBytes() * static_cast<size_t>(tiles_.parts()); }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    const auto part = [&](int index) {
      const auto layer = [&](size_t k, RowSpan rows, const void* input, void* output, std::byte* scratch) {
        RunLayer(layers_[k], inputs, input, output == nullptr ? outputs[0] : output, rows, scratch);
      };
      tiles_.ForPart(index, workspace + tiles_.PartBytes() * static_cast<size_t>(index), layer);
    };
    pool.Run(tiles_.parts(), [&part](int index) { part(index); });
  }

 private:
  static void RunLayer(const Layer& layer, std::span<const void* const> inputs, const void* before, void* output,
                       RowSpan rows, std::byte* scratch) {
    std::array<const void*, kMaxOperands> operands = {};
    for (size_t i = 0; i < layer.sources.size(); ++i) {
      const Source& source = layer.sources[i];
      if (source.kind == Source::Kind::kConstant) operands[i] = source.constant;
      if (source.kind == Source::Kind::kInput) operands[i] = inputs[source.index];
      if (source.kind == Source::Kind::kLayer) operands[i] = before;
    }
    static_cast<const RowKernel&>(*layer.kernel)
        .RunRows({operands.data(), layer.sources.size()}, {&output, 1}, rows, scratch);
  }

  std::vector<Layer> layers_;
  RowTiles tiles_;
};

struct LayerChoice {
  Problem problem;
  const KernelDef* kernel = nullptr;
};

const Graph& LayersOf(const Node& node) {
  return *node.regions[0].body;
}

// Each layer runs on the thread that asks.
Result<std::vector<LayerChoice>> ReadLayers(const Graph& body, std::span<const std::string> kernels) {
  const std::vector<NodeId> ids = body.NodeIds();
  if (ids.size() < 2 || ids.size() > RowTiles::kMaxLayers) {
    return UserError("a block of {} layers; it may have 2 to {}", ids.size(), RowTiles::kMaxLayers);
  }
  if (kernels.size() != ids.size()) return UserError("{} kernels for {} layers", kernels.size(), ids.size());
  std::vector<LayerChoice> layers;
  for (size_t k = 0; k < ids.size(); ++k) {
    const Node& node = body.node(ids[k]);
    if (node.inputs.size() > kMaxOperands) return UserError("{}: {} operands", node.op, node.inputs.size());
    if (k > 0 && node.input(0) != body.node(ids[k - 1]).outputs[0]) return UserError("the layers are no chain");
    LayerChoice& layer = layers.emplace_back();
    TAMIS_ASSIGN_OR_RETURN(layer.problem, MakeProblem(body, node, 1));
    const auto candidates = CandidateKernels(layer.problem, nullptr);
    const auto found = std::find_if(candidates.begin(), candidates.end(),
                                    [&](const KernelDef* kernel) { return kernel->name == kernels[k]; });
    if (found == candidates.end()) return UserError("kernel {} can't compute {} here", kernels[k], node.op);
    layer.kernel = *found;
  }
  return layers;
}

Result<std::vector<LayerChoice>> ReadLayers(const Problem& problem) {
  const Node& node = *problem.node;
  if (node.regions.size() != 1) return UserError("a block has one region");
  const auto kernels = node.attributes.find("kernels");
  const auto* names =
      kernels == node.attributes.end() ? nullptr : std::get_if<std::vector<std::string>>(&kernels->second);
  if (names == nullptr) return UserError("a block needs the attribute kernels");
  return ReadLayers(LayersOf(node), *names);
}

// What lies between the layers shares the core's own cache with weights and the rows that come and go. Of an eighth to
// a half an eighth was best (docs/performance.md).
int64_t BudgetBytes() {
  return std::max<int64_t>(Cpu().l2_bytes / 8, 64 << 10);
}

// A region with copies of the nodes. `outer` receives the graph's values that its inputs stand for.
std::unique_ptr<Graph> MakeBody(const Graph& graph, std::span<const NodeId> ids, std::vector<ValueId>* outer) {
  auto body = std::make_unique<Graph>();
  body->opsets = graph.opsets;
  std::map<ValueId, ValueId> known;
  const auto inner = [&](ValueId id) {
    if (id == kNoValue) return kNoValue;
    if (const auto found = known.find(id); found != known.end()) return found->second;
    const Value& value = graph.value(id);
    const ValueId copy = body->AddValue(value.name, value.type);
    body->value(copy).constant = value.constant;
    body->value(copy).constant_hash = value.constant_hash;
    body->value(copy).pattern = value.pattern;
    if (!value.constant) {
      body->inputs.push_back(copy);
      outer->push_back(id);
    }
    known[id] = copy;
    return copy;
  };
  for (const NodeId id : ids) {
    Node copy;
    const Node& node = graph.node(id);
    copy.op = node.op;
    copy.domain = node.domain;
    copy.name = node.name;
    copy.attributes = node.attributes;
    for (const ValueId input : node.inputs) copy.inputs.push_back(inner(input));
    const Value& result = graph.value(node.outputs[0]);
    copy.outputs = {body->AddValue(result.name, result.type)};
    known[node.outputs[0]] = copy.outputs[0];
    body->AddNode(std::move(copy));
  }
  body->outputs = {known[graph.node(ids.back()).outputs[0]]};
  return body;
}

// The operand of the last layer that its kernel may write over, if the block has it as an input that no other operand
// of any layer is; kNoValue if there is none.
ValueId ToWriteOver(const Graph& graph, std::span<const NodeId> ids, const KernelDef& kernel) {
  const Node& last = graph.node(ids.back());
  for (size_t i = 1; i < last.inputs.size() && i < 32; ++i) {
    const ValueId id = last.inputs[i];
    if ((kernel.in_place >> i & 1U) == 0 || id == kNoValue || graph.value(id).constant) continue;
    int64_t reads = 0;
    for (const NodeId layer : ids) {
      const auto& inputs = graph.node(layer).inputs;
      reads += std::count(inputs.begin(), inputs.end(), id);
    }
    if (reads == 1) return id;
  }
  return kNoValue;
}

}  // namespace

Status SupportsRowBlock(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  return ReadLayers(problem).status();
}

double RowBlockCost(const Problem& problem) {
  double seconds = 0;
  const auto layers = ReadLayers(problem);
  for (const LayerChoice& layer : *layers) seconds += layer.kernel->cost(layer.problem);
  return seconds / std::max(problem.threads, 1);
}

Result<std::unique_ptr<PreparedKernel>> PrepareRowBlock(const Problem& problem, PackCache& cache) {
  TAMIS_ASSIGN_OR_RETURN(const std::vector<LayerChoice> choices, ReadLayers(problem));
  const Graph& body = LayersOf(*problem.node);
  std::vector<Layer> layers;
  std::vector<ChainLayer> chain;
  for (size_t k = 0; k < choices.size(); ++k) {
    Layer& layer = layers.emplace_back();
    const Node& node = *choices[k].problem.node;
    TAMIS_ASSIGN_OR_RETURN(layer.kernel, PrepareByRows(*choices[k].kernel, choices[k].problem, cache));
    chain.push_back({static_cast<const RowKernel*>(layer.kernel.get()), RowBytes(choices[k].problem.outputs[0])});
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Source source;
      const ValueId id = node.inputs[i];
      const auto input = std::find(body.inputs.begin(), body.inputs.end(), id);
      if (k > 0 && i == 0) {
        source.kind = Source::Kind::kLayer;
      } else if (id != kNoValue && body.value(id).constant) {
        source = {Source::Kind::kConstant, body.value(id).constant->raw(), 0};
      } else if (id != kNoValue) {
        if (input == body.inputs.end()) return UserError("{}: an operand is another layer's result", node.op);
        source = {Source::Kind::kInput, nullptr, static_cast<size_t>(input - body.inputs.begin())};
      }
      layer.sources.push_back(source);
    }
  }
  const Dims& dims = problem.outputs[0].dims;
  const int64_t rows = NumElements({dims.data(), dims.size() - 1});
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RowBlock>(std::move(layers), RowTiles(std::move(chain), rows, problem.threads, BudgetBytes())));
}

Result<std::unique_ptr<PreparedKernel>> PrepareByRows(const KernelDef& kernel, const Problem& problem,
                                                      PackCache& cache) {
  TAMIS_ASSIGN_OR_RETURN(auto prepared, kernel.prepare(problem, cache));
  const auto* by_rows = dynamic_cast<const RowKernel*>(prepared.get());
  if (by_rows != nullptr && by_rows->RunsByRows()) return prepared;
  return UserError("kernel {} can't compute {} by rows", kernel.name, problem.node->op);
}

std::vector<std::vector<NodeId>> LayerRuns(const Graph& concrete) {
  const auto users = concrete.Users();
  const auto only_reader = [&](const Node& node) {
    if (node.outputs.size() != 1 || node.outputs[0] == kNoValue || concrete.IsOutput(node.outputs[0])) return kNoNode;
    const auto& readers = users[static_cast<size_t>(node.outputs[0])];
    return readers.size() == 1 ? readers[0] : kNoNode;
  };
  const auto may_be_layer = [&](const Node& node) {
    return IsConcrete(concrete, node) && !IsView(node) && node.outputs.size() == 1 &&
           !concrete.value(node.outputs[0]).type.shape.empty();
  };
  std::vector<std::vector<NodeId>> runs;
  std::vector<bool> taken(concrete.NumNodeSlots(), false);
  for (const NodeId first : concrete.NodeIds()) {
    if (taken[static_cast<size_t>(first)] || !may_be_layer(concrete.node(first))) continue;
    std::vector<NodeId> run = {first};
    while (true) {
      const Node& node = concrete.node(run.back());
      const NodeId next = only_reader(node);
      if (next == kNoNode || taken[static_cast<size_t>(next)]) break;
      if (concrete.node(next).input(0) != node.outputs[0] || !may_be_layer(concrete.node(next))) break;
      run.push_back(next);
      taken[static_cast<size_t>(next)] = true;
    }
    if (run.size() > 1) runs.push_back(std::move(run));
  }
  return runs;
}

bool FormBlock(Graph& concrete, const BlockSpec& spec) {
  std::map<std::string_view, NodeId> by_result;
  for (const NodeId id : concrete.NodeIds()) {
    const Node& node = concrete.node(id);
    if (!node.outputs.empty() && node.outputs[0] != kNoValue) by_result[concrete.value(node.outputs[0]).name] = id;
  }
  std::vector<NodeId> ids;
  for (const std::string& name : spec.layers) {
    const auto found = by_result.find(name);
    if (found == by_result.end()) return false;
    ids.push_back(found->second);
  }
  const auto runs = LayerRuns(concrete);
  const bool together = std::any_of(runs.begin(), runs.end(), [&](const std::vector<NodeId>& run) {
    return std::search(run.begin(), run.end(), ids.begin(), ids.end()) != run.end();
  });
  if (ids.size() < 2 || !together) return false;

  std::vector<ValueId> outer;
  auto body = MakeBody(concrete, ids, &outer);
  const auto layers = ReadLayers(*body, spec.kernels);
  if (!layers.ok() || body->inputs.empty() || body->node(0).input(0) != body->inputs[0]) return false;
  // Input 1 is the one that may be written over, or none.
  const Node& last = concrete.node(ids.back());
  const ValueId over = ToWriteOver(concrete, ids, *layers->back().kernel);
  const auto at = std::find(outer.begin(), outer.end(), over);
  const auto inner_over = over == kNoValue ? kNoValue : body->inputs[static_cast<size_t>(at - outer.begin())];
  Node block;
  block.op = "RowBlock";
  block.domain = std::string(kTamisDomain);
  block.name = last.name;
  block.inputs = {outer[0], over};
  std::vector<ValueId> inner = {body->inputs[0], inner_over};
  for (size_t i = 1; i < outer.size(); ++i) {
    if (outer[i] == over) continue;
    block.inputs.push_back(outer[i]);
    inner.push_back(body->inputs[i]);
  }
  body->inputs = std::move(inner);
  block.outputs = last.outputs;
  block.attributes["kernels"] = spec.kernels;
  block.regions.push_back({"layers", std::move(body), {}});
  for (const NodeId id : ids) concrete.RemoveNode(id);
  const ValueId result = block.outputs[0];
  Node& slot = concrete.node(ids.back());
  slot = std::move(block);
  concrete.value(result).producer = ids.back();
  return true;
}

}  // namespace tamis
