#include "src/compiler/plan/choose_precision.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "src/compiler/plan/layer_weight.h"
#include "src/kernels/problem.h"
#include "src/runtime/specialize.h"
#include "src/tuner/assign_precision.h"

namespace tamis {
Result<Graph> FuseIn(const Graph& source, DType precision, const std::set<std::string>* low_nodes,
                     const std::vector<std::string>& without, std::vector<PassRecord>* passes, bool regroup_layers) {
  PassOptions options;
  options.regroup_layers = regroup_layers;
  options.precision = precision;
  options.low_nodes = low_nodes;
  options.skip = without;
  TAMIS_ASSIGN_OR_RETURN(Graph fused, Fuse(source, options, passes));
  HashConstants(fused);
  return fused;
}

namespace {

// Digits are given up for no less than what timings of a whole network repeat to.
constexpr double kClearGain = 0.97;

bool IsLow(const Graph& graph, ValueId id) {
  return id != kNoValue && graph.value(id).type.dtype == DType::kBFloat16;
}

// A fused graph at every profile's opt, with the time of every node.
struct TimedGraph {
  std::vector<Graph> concrete;                         // by profile
  std::vector<std::map<std::string, double>> seconds;  // by profile and first output
  std::vector<std::set<std::string>> unmeasured;       // likewise: only predicted, or the reference runs it

  std::vector<double> Sums() const {
    std::vector<double> sums;
    for (const auto& nodes : seconds) {
      double sum = 0;
      for (const auto& [name, time] : nodes) sum += time;
      sums.push_back(sum);
    }
    return sums;
  }
};

class Chooser {
 public:
  Chooser(const Graph& source, const PrecisionQuestion& question, Tuner& tuner)
      : source_(source), question_(question), tuner_(tuner) {}

  Result<PrecisionChoice> Choose(std::vector<PassRecord>* passes) {
    std::vector<PassRecord> full_passes, low_passes, mixed_passes;
    const bool regroup = !question_.low_layers;  // a choice by layer finds its layers
    TAMIS_ASSIGN_OR_RETURN(full_, FuseIn(source_, DType::kFloat32, nullptr, question_.without, &full_passes, regroup));
    TAMIS_ASSIGN_OR_RETURN(low_, FuseIn(source_, DType::kBFloat16, nullptr, question_.without, &low_passes, regroup));
    TAMIS_RETURN_IF_ERROR(Time());
    TAMIS_RETURN_IF_ERROR(Label());
    PrecisionChoice choice;
    choice.able = able_;
    choice.full_seconds = choice.seconds = full_times_.Sums();
    choice.low_seconds = low_times_.Sums();
    double best = kClearGain * Relative(choice.full_seconds);
    const std::vector<NodeId> ids = full_.NodeIds();
    const bool all_may = std::all_of(ids.begin(), ids.end(), [&](NodeId id) { return MayBeLow(full_.node(id)); });
    const bool mixture = !labelled_low_.empty() && (!all_may || static_cast<int64_t>(labelled_low_.size()) < able_);
    Graph mixed;
    if (mixture) {
      TAMIS_ASSIGN_OR_RETURN(
          mixed, FuseIn(source_, DType::kBFloat16, &labelled_low_, question_.without, &mixed_passes, regroup));
      TimedGraph times;
      TAMIS_RETURN_IF_ERROR(TimeGraphs({&mixed}, {&times}));
      if (const auto sums = times.Sums(); Relative(sums) < best) {
        best = Relative(sums);
        choice.seconds = sums;
        choice.precision = DType::kBFloat16;
        choice.mixed = true;
      }
    }
    if (all_may && !labelled_low_.empty() && Relative(choice.low_seconds) < best) {
      choice.seconds = choice.low_seconds;
      choice.precision = DType::kBFloat16;
      choice.mixed = false;
    }
    auto& record = choice.mixed ? mixed_passes : choice.precision == DType::kFloat32 ? full_passes : low_passes;
    if (passes != nullptr) passes->insert(passes->end(), record.begin(), record.end());
    choice.fused = std::move(choice.mixed ? mixed : choice.precision == DType::kFloat32 ? full_ : low_);
    if (choice.precision != DType::kFloat32) choice.low_count = choice.mixed ? CountLow() : able_;
    if (choice.mixed) choice.low_nodes = std::move(labelled_low_);
    return choice;
  }

 private:
  // The mean over profiles of the time relative to all f32: a long profile does not outweigh the others.
  double Relative(const std::vector<double>& seconds) const {
    const std::vector<double> full = full_times_.Sums();
    double sum = 0;
    for (size_t p = 0; p < seconds.size(); ++p) sum += full[p] > 0 ? seconds[p] / full[p] : 1;
    return sum / static_cast<double>(std::max<size_t>(seconds.size(), 1));
  }

  int64_t CountLow() const { return static_cast<int64_t>(labelled_low_.size()); }

  Status Time() { return TimeGraphs({&full_, &low_}, {&full_times_, &low_times_}); }

  // All graphs in one go: the tuner begins with what takes longest, and its time budget goes there.
  Status TimeGraphs(const std::vector<const Graph*>& graphs, const std::vector<TimedGraph*>& times) {
    std::vector<Graph> concrete;
    for (const Graph* graph : graphs) {
      for (const Profile& profile : question_.profiles) {
        std::map<std::string, int64_t> opt;
        for (const auto& [symbol, range] : profile) opt[symbol] = range.opt;
        TAMIS_ASSIGN_OR_RETURN(Graph specialised, SpecializeAt(*graph, opt));
        concrete.push_back(std::move(specialised));
      }
    }
    TAMIS_ASSIGN_OR_RETURN(const auto tuned, tuner_.Tune(concrete));
    size_t at = 0;
    for (TimedGraph* timed : times) {
      for (size_t p = 0; p < question_.profiles.size(); ++p, ++at) {
        auto& seconds = timed->seconds.emplace_back();
        auto& unmeasured = timed->unmeasured.emplace_back();
        for (const TunedNode& node : tuned[at]) {
          seconds[node.node] = node.seconds;
          if (node.predicted || node.kernel.empty()) unmeasured.insert(node.node);
        }
        if (question_.as_if_pruned) TAMIS_RETURN_IF_ERROR(TimePruned(concrete[at], &seconds));
        timed->concrete.push_back(std::move(concrete[at]));
      }
    }
    return {};
  }

  Status TimePruned(const Graph& graph, std::map<std::string, double>* seconds) {
    for (const NodeId id : graph.NodeIds()) {
      const Node& node = graph.node(id);
      if (LayerWeight(graph, node) == kNoValue || !IsConcrete(graph, node)) continue;
      TAMIS_ASSIGN_OR_RETURN(const Problem problem, MakeProblem(graph, node, question_.threads));
      for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
        TAMIS_ASSIGN_OR_RETURN(const TunedNode tuned, tuner_.TimeAs(problem, pattern));
        double& known = (*seconds)[NameInPlan(graph, node)];
        if (tuned.seconds > 0) known = std::min(known, tuned.seconds);
      }
    }
    return {};
  }

  // As far as the question leaves it open.
  bool MayBeLow(const Node& node) const {
    const ValueId weight = LayerWeight(full_, node);
    return !question_.low_layers || weight == kNoValue || question_.low_layers->count(WeightName(full_, weight)) != 0;
  }

  // Labels the nodes of the f32 graph.
  Status Label() {
    const std::vector<NodeId> ids = full_.NodeIds();
    std::map<std::string, const Node*> low_nodes;
    for (const NodeId id : low_.NodeIds()) low_nodes[NameInPlan(low_, low_.node(id))] = &low_.node(id);
    const std::vector<double> full_sums = full_times_.Sums();
    std::vector<PrecisionNode> nodes(ids.size());
    std::vector<const Node*> twins(ids.size(), nullptr);  // the same node in the bf16 graph
    std::vector<int> producer(full_.NumValues(), PrecisionValue::kFull);
    for (size_t n = 0; n < ids.size(); ++n) {
      const Node& node = full_.node(ids[n]);
      for (const ValueId output : node.outputs) {
        if (output != kNoValue) producer[static_cast<size_t>(output)] = static_cast<int>(n);
      }
      const std::string name = NameInPlan(full_, node);
      // A graph output keeps its name for the f32 value that is cast from the node's result.
      std::string low_name = name;
      auto twin = low_nodes.find(name);
      if (twin == low_nodes.end() || twin->second->op != node.op) twin = low_nodes.find(low_name = name + "_bf16");
      if (twin == low_nodes.end() || twin->second->op != node.op) continue;
      const auto low = [&](ValueId id) { return IsLow(low_, id); };
      if (!MayBeLow(node)) continue;
      nodes[n].may_be_low = std::any_of(twin->second->inputs.begin(), twin->second->inputs.end(), low) ||
                            std::any_of(twin->second->outputs.begin(), twin->second->outputs.end(), low);
      twins[n] = twin->second;
      for (size_t p = 0; p < question_.profiles.size(); ++p) {
        if (full_times_.unmeasured[p].count(name) != 0 || low_times_.unmeasured[p].count(low_name) != 0) {
          nodes[n].may_be_low = false;
        }
        if (full_sums[p] <= 0) continue;
        const auto seconds = [&](const TimedGraph& times, const std::string& of) {
          const auto found = times.seconds[p].find(of);
          return found == times.seconds[p].end() ? 0 : found->second / full_sums[p];
        };
        nodes[n].full_seconds += seconds(full_times_, name);
        nodes[n].low_seconds += seconds(low_times_, low_name);
      }
    }
    able_ = std::count_if(nodes.begin(), nodes.end(), [](const PrecisionNode& node) { return node.may_be_low; });
    TAMIS_ASSIGN_OR_RETURN(const std::vector<PrecisionValue> values, Values(ids, nodes, twins, producer, full_sums));
    const std::vector<bool> labels = AssignPrecision(nodes, values);
    for (size_t n = 0; n < ids.size(); ++n) {
      if (labels[n]) labelled_low_.insert(NameInPlan(full_, full_.node(ids[n])));
    }
    return {};
  }

  // The values that may need conversions, with what these take.
  Result<std::vector<PrecisionValue>> Values(const std::vector<NodeId>& ids, const std::vector<PrecisionNode>& nodes,
                                             const std::vector<const Node*>& twins, const std::vector<int>& producer,
                                             const std::vector<double>& full_sums) {
    std::map<ValueId, PrecisionValue> values;
    for (size_t n = 0; n < ids.size(); ++n) {
      const Node& node = full_.node(ids[n]);
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId input = node.inputs[i];
        if (input == kNoValue || full_.value(input).constant || full_.value(input).type.dtype != DType::kFloat32)
          continue;
        const bool turns = nodes[n].may_be_low && i < twins[n]->inputs.size() && IsLow(low_, twins[n]->inputs[i]);
        values[input].readers.push_back(turns ? static_cast<int>(n) : PrecisionValue::kFull);
      }
      for (const Region& region : node.regions) {
        for (const ValueId capture : region.captures) values[capture].readers.push_back(PrecisionValue::kFull);
      }
    }
    for (const ValueId output : full_.outputs) values[output].readers.push_back(PrecisionValue::kFull);
    std::vector<PrecisionValue> costed;
    for (auto& [id, value] : values) {
      const int made_by = producer[static_cast<size_t>(id)];
      if (made_by != PrecisionValue::kFull && nodes[static_cast<size_t>(made_by)].may_be_low) {
        // A head's product reads bf16 and writes f32 whichever way.
        const Node& twin = *twins[static_cast<size_t>(made_by)];
        const auto& outputs = full_.node(ids[static_cast<size_t>(made_by)]).outputs;
        const auto slot = static_cast<size_t>(std::find(outputs.begin(), outputs.end(), id) - outputs.begin());
        if (slot < twin.outputs.size() && IsLow(low_, twin.outputs[slot])) value.producer = made_by;
      }
      const bool outside = std::all_of(value.readers.begin(), value.readers.end(),
                                       [](int reader) { return reader == PrecisionValue::kFull; });
      if (outside && value.producer == PrecisionValue::kFull) continue;
      for (size_t p = 0; p < question_.profiles.size(); ++p) {
        if (full_sums[p] <= 0) continue;
        TAMIS_ASSIGN_OR_RETURN(const double to_low, ConversionSeconds(p, id, DType::kBFloat16));
        TAMIS_ASSIGN_OR_RETURN(const double to_full, ConversionSeconds(p, id, DType::kFloat32));
        value.to_low_seconds += to_low / full_sums[p];
        value.to_full_seconds += to_full / full_sums[p];
      }
      costed.push_back(std::move(value));
    }
    return costed;
  }

  // What a Cast of the value at a profile's opt takes; 0 where the value is gone there or its shape is not known.
  Result<double> ConversionSeconds(size_t profile, ValueId id, DType to) {
    if (dims_.size() <= profile) dims_.resize(profile + 1);
    auto& dims = dims_[profile];
    if (dims.empty()) {
      const Graph& graph = full_times_.concrete[profile];
      for (size_t i = 0; i < graph.NumValues(); ++i) {
        const Value& value = graph.value(static_cast<ValueId>(i));
        if (!value.type.IsTensor() || !value.type.has_rank || value.constant) continue;
        if (const auto known = ConstantDims(value.type.shape)) dims[value.name] = *known;
      }
    }
    const auto found = dims.find(full_.value(id).name);
    if (found == dims.end()) return 0.0;
    Node cast;
    cast.op = "Cast";
    cast.attributes["to"] = static_cast<int64_t>(to);
    Problem problem;
    problem.node = &cast;
    problem.threads = question_.threads;
    Operand from;
    from.dtype = to == DType::kFloat32 ? DType::kBFloat16 : DType::kFloat32;
    from.dims = found->second;
    Operand converted = from;
    converted.dtype = to;
    problem.inputs.push_back(std::move(from));
    problem.outputs.push_back(std::move(converted));
    TAMIS_ASSIGN_OR_RETURN(const TunedNode tuned, tuner_.TimeProblem(problem));
    return tuned.seconds;
  }

  const Graph& source_;
  const PrecisionQuestion& question_;
  Tuner& tuner_;
  Graph full_, low_;
  TimedGraph full_times_, low_times_;
  std::vector<std::map<std::string, Dims>> dims_;  // of the values at each profile's opt
  std::set<std::string> labelled_low_;
  int64_t able_ = 0;
};

}  // namespace

std::string PrecisionChoice::Describe() const {
  const auto sum = [](const std::vector<double>& seconds) {
    return 1e3 * std::accumulate(seconds.begin(), seconds.end(), 0.0);
  };
  const std::string times = fmt::format("measured: f32 {:.3f} ms, bf16 {:.3f} ms", sum(full_seconds), sum(low_seconds));
  if (precision == DType::kFloat32) return fmt::format("precision f32 ({})", times);
  if (!mixed) return fmt::format("precision bf16 ({})", times);
  return fmt::format("{} of {} nodes in bf16, the others in f32 ({}, as chosen {:.3f} ms)", low_count, able, times,
                     sum(seconds));
}

Result<PrecisionChoice> ChoosePrecision(const Graph& source, const PrecisionQuestion& question, Tuner& tuner,
                                        std::vector<PassRecord>* passes) {
  return Chooser(source, question, tuner).Choose(passes);
}

}  // namespace tamis
