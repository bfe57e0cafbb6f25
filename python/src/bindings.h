// What module.cc puts together; one function a file.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <vector>

#include "src/compiler/plan/build.h"
#include "tamis/session.h"

namespace tamis::python {

// A compiled network in memory.
struct PyEngine {
  std::shared_ptr<const Engine> engine;
  std::vector<PassRecord> passes;    // empty if it was read from a file
  std::vector<std::string> notices;  // one sentence each
};

struct PySession {
  std::shared_ptr<Session> session;
};

void DefineEngine(nanobind::module_& module);
void DefineSession(nanobind::module_& module);
void DefineVerbs(nanobind::module_& module);

}  // namespace tamis::python
