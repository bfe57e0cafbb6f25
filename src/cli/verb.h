// A verb of the program. One file per verb defines `const Verb verb_<name>`; main.cc lists them.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "src/base/stage_clock.h"
#include "src/compiler/verbs/verb_hooks.h"
#include "tamis/status.h"

namespace tamis {

// Flags that every verb has.
struct CommonFlags {
  bool json = false;       // one JSON object on standard output, nothing else there
  bool verbose = false;    // what is done, and why, on standard error
  std::string custom_ops;  // folder of shared libraries with operators
  int exit_code = 0;       // set by a verb whose answer is its exit code
};

struct Verb {
  std::string_view name;
  std::string_view summary;
  std::string_view example;  // shown by --help
  // Declares the verb's flags on `app`. The result runs the verb after parsing; it owns the flags' values.
  std::function<Status()> (*declare)(CLI::App& app, std::shared_ptr<CommonFlags> common);
  // What the program returns after an error of the user's: not 1 where 1 is an answer.
  int user_error_code = 1;
};

// Lines for people. Progress goes to standard error, only when that is a terminal, on one line that is rewritten and
// carries an estimate of the time left.
class Progress {
 public:
  explicit Progress(std::string title);
  ~Progress();
  void Update(int64_t done, int64_t total, const std::string& what);

 private:
  std::string title_;
  bool terminal_;
  bool shown_ = false;
  StageClock clock_;
};

// Progress on its line, notices as they come, and with --verbose every step after the verb's name.
VerbHooks HooksOf(Progress* progress, const CommonFlags& common, std::string_view verb);

// Prints a sentence to standard error: "tamis: note: ...".
void PrintNotice(const std::string& text);

}  // namespace tamis
