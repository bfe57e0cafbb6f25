#include "src/passes/pass_log.h"

namespace tamis {

std::string_view Name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kMatched:
      return "matched";
    case FindingKind::kMissed:
      return "missed";
    case FindingKind::kDecided:
      break;
  }
  return "decided";
}

void PassLog::Add(FindingKind kind, std::string_view what, std::string_view reason, const Graph& graph, ValueId at) {
  const std::tuple key{kind, std::string(what), std::string(reason)};
  auto found = index_.find(key);
  if (found == index_.end()) {
    if (findings_.size() == kMostFindings) return;
    found = index_.emplace(key, findings_.size()).first;
    findings_.push_back({kind, std::string(what), std::string(reason), 0, {}});
  }
  Finding& finding = findings_[found->second];
  ++finding.count;
  if (finding.examples.size() < kExamples && at != kNoValue) finding.examples.push_back(graph.value(at).name);
}

}  // namespace tamis
