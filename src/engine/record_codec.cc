#include "src/engine/record_codec.h"

#include <cmath>

namespace tamis {
namespace {
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

Offset<fb::NodePlan> EncodeNodePlan(FlatBufferBuilder& fbb, const NodePlan& plan) {
  std::vector<Offset<fb::Candidate>> candidates;
  for (const Candidate& c : plan.candidates) {
    candidates.push_back(fb::CreateCandidate(fbb, fbb.CreateString(c.kernel), c.seconds, fbb.CreateString(c.reason)));
  }
  const auto node = fbb.CreateString(plan.node);
  const auto kernel = fbb.CreateString(plan.kernel);
  return fb::CreateNodePlan(fbb, node, kernel, plan.seconds, fbb.CreateVector(candidates));
}

Status DecodeNodePlan(const fb::NodePlan& stored, DecodeBudget* budget, NodePlan* plan) {
  TAMIS_RETURN_IF_ERROR(budget->Charge(16));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.node(), &plan->node));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.kernel(), &plan->kernel));
  plan->seconds = stored.seconds();
  if (stored.candidates() == nullptr) return {};
  for (const fb::Candidate* c : *stored.candidates()) {
    TAMIS_RETURN_IF_ERROR(budget->Charge(16));
    Candidate& candidate = plan->candidates.emplace_back();
    TAMIS_RETURN_IF_ERROR(budget->Text(c->kernel(), &candidate.kernel));
    TAMIS_RETURN_IF_ERROR(budget->Text(c->reason(), &candidate.reason));
    candidate.seconds = c->seconds();
  }
  return {};
}

Offset<fb::BlockPlan> EncodeBlockPlan(FlatBufferBuilder& fbb, const BlockPlan& block) {
  const auto layers = fbb.CreateVectorOfStrings(block.layers);
  const auto kernels = fbb.CreateVectorOfStrings(block.kernels);
  return fb::CreateBlockPlan(fbb, layers, kernels, block.seconds, block.layer_seconds);
}

Status DecodeBlockPlan(const fb::BlockPlan& stored, DecodeBudget* budget, BlockPlan* block) {
  TAMIS_RETURN_IF_ERROR(budget->Charge(16));
  TAMIS_RETURN_IF_ERROR(budget->Texts(stored.layers(), &block->layers));
  TAMIS_RETURN_IF_ERROR(budget->Texts(stored.kernels(), &block->kernels));
  block->seconds = stored.seconds();
  block->layer_seconds = stored.layer_seconds();
  if (block->layers.size() != block->kernels.size()) {
    return UserError("a plan's block has {} layers and {} kernels", block->layers.size(), block->kernels.size());
  }
  return {};
}

Offset<fb::MicroBatches> EncodeMicroBatches(FlatBufferBuilder& fbb, const MicroBatchPlan& plan) {
  if (plan.entries == 0) return 0;
  return fb::CreateMicroBatches(fbb, plan.entries, fbb.CreateVectorOfStrings(plan.results));
}

Status DecodeMicroBatches(const fb::MicroBatches& stored, DecodeBudget* budget, MicroBatchPlan* plan) {
  TAMIS_RETURN_IF_ERROR(budget->Charge(16));
  TAMIS_RETURN_IF_ERROR(budget->Texts(stored.results(), &plan->results));
  plan->entries = stored.entries();
  if (plan->entries < 1 || plan->results.empty()) {
    return UserError("a plan's micro-batches have {} entries and end at {} values", plan->entries,
                     plan->results.size());
  }
  return {};
}

Offset<fb::ModelMeta> EncodeModelMeta(FlatBufferBuilder& fbb, const ModelMeta& meta) {
  std::vector<Offset<fb::Property>> properties;
  for (const auto& [key, value] : meta.properties) {
    const auto stored_key = fbb.CreateString(key);
    properties.push_back(fb::CreateProperty(fbb, stored_key, fbb.CreateString(value)));
  }
  const auto producer_name = fbb.CreateString(meta.producer_name);
  const auto producer_version = fbb.CreateString(meta.producer_version);
  const auto domain = fbb.CreateString(meta.domain);
  const auto description = fbb.CreateString(meta.description);
  const auto graph_description = fbb.CreateString(meta.graph_description);
  return fb::CreateModelMeta(fbb, producer_name, producer_version, domain, description, graph_description, meta.version,
                             fbb.CreateVector(properties));
}

Status DecodeModelMeta(const fb::ModelMeta& stored, DecodeBudget* budget, ModelMeta* meta) {
  // Checked before anything is copied.
  const auto size = [](const flatbuffers::String* text) { return text == nullptr ? uint64_t{0} : text->size(); };
  uint64_t bytes = size(stored.producer_name()) + size(stored.producer_version()) + size(stored.domain()) +
                   size(stored.description()) + size(stored.graph_description());
  const auto* properties = stored.properties();
  const uint64_t count = properties == nullptr ? 0 : properties->size();
  TAMIS_RETURN_IF_ERROR(CheckMetaSize(count, bytes));
  for (uint64_t i = 0; i < count; ++i) {
    const fb::Property& property = *properties->Get(static_cast<flatbuffers::uoffset_t>(i));
    bytes += size(property.key()) + size(property.value());
  }
  TAMIS_RETURN_IF_ERROR(CheckMetaSize(count, bytes));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.producer_name(), &meta->producer_name));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.producer_version(), &meta->producer_version));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.domain(), &meta->domain));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.description(), &meta->description));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.graph_description(), &meta->graph_description));
  meta->version = stored.version();
  if (properties == nullptr) return {};
  for (const fb::Property* property : *properties) {
    TAMIS_RETURN_IF_ERROR(budget->Charge(16));
    auto& [key, value] = meta->properties.emplace_back();
    TAMIS_RETURN_IF_ERROR(budget->Text(property->key(), &key));
    TAMIS_RETURN_IF_ERROR(budget->Text(property->value(), &value));
  }
  return {};
}
}  // namespace

Offset<fb::Plan> EncodePlan(FlatBufferBuilder& fbb, const Plan& plan) {
  std::vector<Offset<fb::SymbolRange>> profile;
  for (const auto& [symbol, range] : plan.profile) {
    profile.push_back(
        fb::CreateSymbolRange(fbb, fbb.CreateString(symbol), range.min, range.opt, range.max, range.bounded));
  }
  std::vector<Offset<fb::PlanPoint>> points;
  for (const PlanPoint& point : plan.points) {
    std::vector<Offset<fb::SymbolValue>> binding;
    for (const auto& [symbol, value] : point.binding) {
      binding.push_back(fb::CreateSymbolValue(fbb, fbb.CreateString(symbol), value));
    }
    std::vector<Offset<fb::NodePlan>> nodes;
    for (const NodePlan& node : point.nodes) nodes.push_back(EncodeNodePlan(fbb, node));
    std::vector<Offset<fb::BlockPlan>> blocks;
    for (const BlockPlan& block : point.blocks) blocks.push_back(EncodeBlockPlan(fbb, block));
    const auto stored_binding = fbb.CreateVector(binding);
    const auto stored_nodes = fbb.CreateVector(nodes);
    const auto stored_blocks = blocks.empty() ? 0 : fbb.CreateVector(blocks);
    const auto micro_batches = EncodeMicroBatches(fbb, point.micro_batches);
    points.push_back(fb::CreatePlanPoint(fbb, stored_binding, stored_nodes, stored_blocks, micro_batches));
  }
  const auto device = fbb.CreateString(plan.device);
  const auto stored_profile = fbb.CreateVector(profile);
  const auto stored_points = fbb.CreateVector(points);
  const auto memory = fb::CreateMemory(fbb, plan.memory.planned, plan.memory.lower_bound, plan.memory.naive);
  return fb::CreatePlan(fbb, device, plan.threads, stored_profile, plan.measured, stored_points, plan.variant, memory,
                        plan.workspace_limit);
}

Status DecodePlan(const fb::Plan& stored, int variants, DecodeBudget* budget, Plan* plan) {
  TAMIS_RETURN_IF_ERROR(budget->Charge(32));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.device(), &plan->device));
  if (stored.threads() < 0) return UserError("a plan is for {} threads", stored.threads());
  plan->threads = stored.threads();
  plan->measured = stored.measured();
  if (stored.variant() < 0 || stored.variant() >= variants) {
    return UserError("a plan is for variant {} of the network, the file has {}", stored.variant(), variants);
  }
  plan->variant = stored.variant();
  plan->workspace_limit = stored.workspace_limit();
  if (const fb::Memory* memory = stored.memory()) {
    plan->memory = {memory->planned(), memory->lower_bound(), memory->naive()};
  }
  if (stored.profile() != nullptr) {
    for (const fb::SymbolRange* range : *stored.profile()) {
      std::string symbol;
      TAMIS_RETURN_IF_ERROR(budget->Text(range->symbol(), &symbol));
      if (range->min() < 0 || range->opt() < range->min() || range->max() < range->opt()) {
        return UserError("a plan's profile of '{}' is not min <= opt <= max: {}, {}, {}", symbol, range->min(),
                         range->opt(), range->max());
      }
      plan->profile[symbol] = {range->min(), range->opt(), range->max(), range->bounded()};
    }
  }
  if (stored.points() == nullptr) return {};
  for (const fb::PlanPoint* point : *stored.points()) {
    TAMIS_RETURN_IF_ERROR(budget->Charge(32));
    PlanPoint& decoded = plan->points.emplace_back();
    if (point->binding() != nullptr) {
      for (const fb::SymbolValue* bound : *point->binding()) {
        std::string symbol;
        TAMIS_RETURN_IF_ERROR(budget->Text(bound->symbol(), &symbol));
        if (bound->value() < 0) return UserError("a plan binds '{}' to {}", symbol, bound->value());
        decoded.binding[symbol] = bound->value();
      }
    }
    if (point->blocks() != nullptr) {
      for (const fb::BlockPlan* block : *point->blocks()) {
        TAMIS_RETURN_IF_ERROR(DecodeBlockPlan(*block, budget, &decoded.blocks.emplace_back()));
      }
    }
    if (point->micro_batches() != nullptr) {
      TAMIS_RETURN_IF_ERROR(DecodeMicroBatches(*point->micro_batches(), budget, &decoded.micro_batches));
    }
    if (point->nodes() == nullptr) continue;
    for (const fb::NodePlan* node : *point->nodes()) {
      TAMIS_RETURN_IF_ERROR(DecodeNodePlan(*node, budget, &decoded.nodes.emplace_back()));
    }
  }
  return {};
}

Offset<fb::Provenance> EncodeProvenance(FlatBufferBuilder& fbb, const Provenance& p) {
  std::vector<Offset<fb::Figure>> accuracy;
  for (const auto& [name, value] : p.accuracy) {
    accuracy.push_back(fb::CreateFigure(fbb, fbb.CreateString(name), value));
  }
  std::vector<Offset<fb::LayerRecord>> layers;
  for (const LayerRecord& layer : p.layers) {
    const auto name = fbb.CreateString(layer.name);
    const auto pattern = fbb.CreateString(layer.pattern);
    const auto reason = fbb.CreateString(layer.reason);
    layers.push_back(fb::CreateLayerRecord(fbb, name, pattern, reason, layer.saliency_kept, layer.output_error,
                                           layer.dense_seconds, layer.sparse_seconds));
  }
  std::vector<Offset<fb::CustomOp>> custom_ops;
  for (const CustomOpRecord& record : p.custom_ops) {
    const auto op = fbb.CreateString(record.op);
    const auto domain = fbb.CreateString(record.domain);
    const auto library = fbb.CreateString(record.library);
    custom_ops.push_back(fb::CreateCustomOp(fbb, op, domain, library, fbb.CreateString(record.version)));
  }
  std::vector<Offset<fb::ValueRecord>> values;
  for (const ValueRecord& record : p.values) {
    const auto name = fbb.CreateString(record.name);
    const auto bins = fbb.CreateVector(record.bins);
    values.push_back(fb::CreateValueRecord(fbb, name, record.input, record.samples, record.low, record.high,
                                           record.mean, record.deviation, record.growth, bins));
  }
  const auto version = fbb.CreateString(p.tamis_version);
  const auto source_file = fbb.CreateString(p.source_file);
  const auto source_hash = fbb.CreateString(p.source_hash);
  const auto data_hash = fbb.CreateString(p.data_hash);
  const auto precision = fbb.CreateString(p.precision);
  const auto host = fbb.CreateString(p.host);
  const auto created = fbb.CreateString(p.created);
  const auto stored_accuracy = fbb.CreateVector(accuracy);
  const auto stored_layers = fbb.CreateVector(layers);
  const auto stored_custom_ops = custom_ops.empty() ? 0 : fbb.CreateVector(custom_ops);
  const auto stored_values = values.empty() ? 0 : fbb.CreateVector(values);
  const auto stored_model = p.model == ModelMeta() ? 0 : EncodeModelMeta(fbb, p.model);
  return fb::CreateProvenance(fbb, version, source_file, source_hash, data_hash, precision, host, created,
                              stored_accuracy, stored_layers, p.nodes_before, p.nodes_after, p.source_exact,
                              stored_custom_ops, stored_values, stored_model);
}

Status DecodeProvenance(const fb::Provenance& stored, DecodeBudget* budget, Provenance* p) {
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.tamis_version(), &p->tamis_version));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.source_file(), &p->source_file));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.source_hash(), &p->source_hash));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.data_hash(), &p->data_hash));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.precision(), &p->precision));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.host(), &p->host));
  TAMIS_RETURN_IF_ERROR(budget->Text(stored.created(), &p->created));
  if (stored.accuracy() != nullptr) {
    for (const fb::Figure* figure : *stored.accuracy()) {
      std::string name;
      TAMIS_RETURN_IF_ERROR(budget->Text(figure->name(), &name));
      p->accuracy[name] = figure->value();
    }
  }
  if (stored.layers() != nullptr) {
    for (const fb::LayerRecord* layer : *stored.layers()) {
      TAMIS_RETURN_IF_ERROR(budget->Charge(32));
      LayerRecord& record = p->layers.emplace_back();
      TAMIS_RETURN_IF_ERROR(budget->Text(layer->name(), &record.name));
      TAMIS_RETURN_IF_ERROR(budget->Text(layer->pattern(), &record.pattern));
      TAMIS_RETURN_IF_ERROR(budget->Text(layer->reason(), &record.reason));
      record.saliency_kept = layer->saliency_kept();
      record.output_error = layer->output_error();
      record.dense_seconds = layer->dense_seconds();
      record.sparse_seconds = layer->sparse_seconds();
    }
  }
  if (stored.custom_ops() != nullptr) {
    for (const fb::CustomOp* custom : *stored.custom_ops()) {
      TAMIS_RETURN_IF_ERROR(budget->Charge(32));
      CustomOpRecord& record = p->custom_ops.emplace_back();
      TAMIS_RETURN_IF_ERROR(budget->Text(custom->op(), &record.op));
      TAMIS_RETURN_IF_ERROR(budget->Text(custom->domain(), &record.domain));
      TAMIS_RETURN_IF_ERROR(budget->Text(custom->library(), &record.library));
      TAMIS_RETURN_IF_ERROR(budget->Text(custom->version(), &record.version));
    }
  }
  if (stored.values() != nullptr) {
    for (const fb::ValueRecord* value : *stored.values()) {
      TAMIS_RETURN_IF_ERROR(budget->Charge(96));
      ValueRecord& record = p->values.emplace_back();
      TAMIS_RETURN_IF_ERROR(budget->Text(value->name(), &record.name));
      record.input = value->input();
      record.samples = value->samples();
      record.low = value->low();
      record.high = value->high();
      record.mean = value->mean();
      record.deviation = value->deviation();
      record.growth = value->growth();
      TAMIS_RETURN_IF_ERROR(budget->Numbers(value->bins(), &record.bins));
      if (!std::isfinite(record.low) || !std::isfinite(record.high) || record.high < record.low) {
        return UserError("the record of '{}' has the range [{}, {}]", record.name, record.low, record.high);
      }
    }
  }
  if (stored.model() != nullptr) TAMIS_RETURN_IF_ERROR(DecodeModelMeta(*stored.model(), budget, &p->model));
  p->nodes_before = stored.nodes_before();
  p->nodes_after = stored.nodes_after();
  p->source_exact = stored.source_exact();
  return {};
}

}  // namespace tamis
