#include "src/cli/explain.h"

#include <fmt/format.h>

namespace tamis {
namespace {

// "+12 tamis.Attention, -24 MatMul": what came first, then what went.
std::string Changes(const std::map<std::string, int64_t>& operators) {
  std::string came, went;
  for (const auto& [name, change] : operators) {
    std::string& text = change > 0 ? came : went;
    text += fmt::format("{}{:+} {}", text.empty() ? "" : ", ", change, name);
  }
  return came.empty() || went.empty() ? came + went : came + ", " + went;
}

std::string Examples(const Finding& finding) {
  std::string text;
  for (const std::string& name : finding.examples) text += (text.empty() ? "" : ", ") + name;
  if (finding.count > static_cast<int64_t>(finding.examples.size()) && !text.empty()) text += ", ...";
  return text;
}

}  // namespace

void PrintPasses(std::span<const PassRecord> passes) {
  fmt::print("{:<24} {:>7} {:>7} {:>9}  {}\n", "pass", "before", "after", "ms", "nodes that came and went");
  for (const PassRecord& pass : passes) {
    if (pass.skipped) {
      fmt::print("{:<24} {:>7} {:>7} {:>9}  switched off\n", pass.name, pass.nodes_before, pass.nodes_after, "-");
      continue;
    }
    fmt::print("{:<24} {:>7} {:>7} {:>9.2f}  {}\n", pass.name, pass.nodes_before, pass.nodes_after, pass.seconds * 1e3,
               Changes(pass.operators));
    for (const Finding& finding : pass.findings) {
      const std::string examples = Examples(finding);
      const std::string_view kind = finding.kind == FindingKind::kMissed ? "not " : "";
      fmt::print("    {} x {}{}{}{}{}{}\n", finding.count, kind, finding.what, finding.reason.empty() ? "" : ": ",
                 finding.reason, examples.empty() ? "" : " at ", examples);
    }
  }
}

void LogPasses(std::span<const PassRecord> passes) {
  for (const PassRecord& pass : passes) {
    fmt::print(stderr, "pass {:<24} {:>5} -> {:>5} nodes  {:.1f} ms\n", pass.name, pass.nodes_before, pass.nodes_after,
               pass.seconds * 1e3);
  }
}

void WritePasses(std::span<const PassRecord> passes, JsonWriter* json) {
  json->BeginArray();
  for (const PassRecord& pass : passes) {
    json->BeginObject().Field("name", pass.name).Field("skipped", pass.skipped);
    json->Field("nodes_before", pass.nodes_before).Field("nodes_after", pass.nodes_after);
    json->Field("ms", pass.seconds * 1e3).Key("operators").BeginObject();
    for (const auto& [name, change] : pass.operators) json->Field(name, change);
    json->EndObject().Key("findings").BeginArray();
    for (const Finding& finding : pass.findings) {
      json->BeginObject().Field("kind", Name(finding.kind)).Field("what", finding.what);
      json->Field("reason", finding.reason).Field("count", finding.count).Key("examples").BeginArray();
      for (const std::string& example : finding.examples) json->Value(example);
      json->EndArray().EndObject();
    }
    json->EndArray().EndObject();
  }
  json->EndArray();
}

}  // namespace tamis
