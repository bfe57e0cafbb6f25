#include "src/cli/plan_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace tamis {

std::string ProfileText(const Profile& profile) {
  std::string text;
  for (const auto& [symbol, range] : profile) {
    text += fmt::format("{}{} {} : {} : {}{}", text.empty() ? "" : ", ", symbol, range.min, range.opt, range.max,
                        range.bounded ? "" : " (any)");
  }
  return text.empty() ? "fixed shapes" : text;
}

std::string MemoryText(const MemoryFigures& memory) {
  if (memory.planned == 0) return {};
  const auto megabytes = [](uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  std::string bound;  // none where every value is an input, an output or a constant
  if (memory.lower_bound > 0) {
    bound = fmt::format(", {:.3f} times the lower bound",
                        static_cast<double>(memory.planned) / static_cast<double>(memory.lower_bound));
  }
  return fmt::format("{:.2f} MB planned{}; a buffer for each value would take {:.2f} MB", megabytes(memory.planned),
                     bound, megabytes(memory.naive));
}

double PointMs(const PlanPoint& point) {
  return point.Seconds() * 1e3;
}

void WriteProfiles(const Engine& engine, JsonWriter* json) {
  json->BeginArray();
  for (const Profile& profile : ProfilesOf(engine.plans)) {
    json->BeginObject();
    for (const auto& [symbol, range] : profile) {
      json->Key(symbol).BeginObject().Field("min", range.min).Field("opt", range.opt).Field("max", range.max);
      json->Field("bounded", range.bounded).EndObject();
    }
    json->EndObject();
  }
  json->EndArray();
}

namespace {

void WriteMicroBatches(const PlanPoint& point, JsonWriter* json) {
  if (point.micro_batches.entries == 0) return;
  json->Key("micro_batches").BeginObject().Field("entries", point.micro_batches.entries);
  json->Key("results").BeginArray();
  for (const std::string& result : point.micro_batches.results) json->Value(result);
  json->EndArray().EndObject();
}

void WriteBlocks(const PlanPoint& point, JsonWriter* json) {
  json->Key("blocks").BeginArray();
  for (const BlockPlan& block : point.blocks) {
    json->BeginObject().Field("ms", block.seconds * 1e3).Field("layers_ms", block.layer_seconds * 1e3);
    json->Key("layers").BeginArray();
    for (const std::string& layer : block.layers) json->Value(layer);
    json->EndArray().Key("tactics").BeginArray();
    for (const std::string& kernel : block.kernels) json->Value(kernel);
    json->EndArray().EndObject();
  }
  json->EndArray();
}

}  // namespace

void WritePlans(const Engine& engine, bool nodes, JsonWriter* json) {
  const std::vector<Profile> profiles = ProfilesOf(engine.plans);
  json->BeginArray();
  for (const Plan& plan : engine.plans) {
    const auto profile = std::find(profiles.begin(), profiles.end(), plan.profile) - profiles.begin();
    json->BeginObject().Field("device", plan.device).Field("threads", plan.threads).Field("measured", plan.measured);
    json->Field("precision", engine.Precision(plan.variant)).Field("profile", static_cast<int64_t>(profile));
    json->Field("workspace_limit", static_cast<int64_t>(plan.workspace_limit));
    json->Key("memory").BeginObject().Field("planned", static_cast<int64_t>(plan.memory.planned));
    json->Field("lower_bound", static_cast<int64_t>(plan.memory.lower_bound));
    json->Field("naive", static_cast<int64_t>(plan.memory.naive)).EndObject();
    json->Key("points").BeginArray();
    for (const PlanPoint& point : plan.points) {
      json->BeginObject().Key("shape").BeginObject();
      for (const auto& [symbol, size] : point.binding) json->Field(symbol, size);
      json->EndObject().Field("predicted_ms", PointMs(point));
      if (nodes) {
        json->Key("nodes").BeginArray();
        for (const NodePlan& node : point.nodes) {
          json->BeginObject().Field("node", node.node).Field("tactic", node.kernel).Field("ms", node.seconds * 1e3);
          json->Key("candidates").BeginArray();
          for (const Candidate& candidate : node.candidates) {
            json->BeginObject().Field("tactic", candidate.kernel).Field("ms", candidate.seconds * 1e3);
            json->Field("reason", candidate.reason).EndObject();
          }
          json->EndArray().EndObject();
        }
        json->EndArray();
        WriteMicroBatches(point, json);
        WriteBlocks(point, json);
      }
      json->EndObject();
    }
    json->EndArray().EndObject();
  }
  json->EndArray();
}

}  // namespace tamis
