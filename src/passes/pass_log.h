// What a pass found, for people: what matched, what nearly did and why not, what was decided and why. Findings of one
// kind are counted together and carry the names of a few values as examples. Not synchronised.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

enum class FindingKind : uint8_t {
  kMatched,  // a pattern was rewritten
  kMissed,   // a pattern nearly matched; the reason says what was in the way
  kDecided,  // a choice between two right ways, with its reason
};
std::string_view Name(FindingKind kind);  // "matched", "missed", "decided"

struct Finding {
  FindingKind kind = FindingKind::kMatched;
  std::string what;    // "Attention"
  std::string reason;  // empty for a match
  int64_t count = 0;
  std::vector<std::string> examples;  // names of values, the first few
};

class PassLog {
 public:
  static constexpr size_t kExamples = 3;
  static constexpr size_t kMostFindings = 200;  // of different kinds; later ones are not kept

  void Add(FindingKind kind, std::string_view what, std::string_view reason, const Graph& graph, ValueId at);
  std::vector<Finding> Take() { return std::move(findings_); }

 private:
  std::vector<Finding> findings_;
  std::map<std::tuple<FindingKind, std::string, std::string>, size_t> index_;
};

}  // namespace tamis
