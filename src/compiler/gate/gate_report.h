// What the gate found, for people and for machines.
#pragma once

#include <string>

#include "src/compiler/gate/gate.h"
#include "tamis/status.h"

namespace tamis {

// What was judged and how, beside the result.
struct GateContext {
  std::string dense, candidate;            // paths
  std::string dense_hash, candidate_hash;  // of what they hold; may be empty
  std::string data;                        // path
  uint64_t data_hash = 0;
  BootstrapOptions bootstrap;
};

std::string_view Name(Verdict verdict);  // "passed", "unproven", "failed"
std::string GateText(const GateContext& context, const GateResult& result);
std::string GateJson(const GateContext& context, const GateResult& result);
// As Jenkins, GitLab and others read it: a test case for every check that has a limit.
std::string GateJunit(const GateContext& context, const GateResult& result);
// Of a gate that could not judge: one test case with an error.
std::string GateErrorJunit(const GateContext& context, const Status& error);

}  // namespace tamis
