// How whoever calls a verb's function (the command line, Python) follows and ends its work. Every member may be empty.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace tamis {

struct VerbHooks {
  // Called in any thread.
  std::function<void(int64_t done, int64_t total, const std::string& what)> progress = {};
  // What the user should know, a sentence each, as soon as it is known; the outcome lists the same sentences.
  std::function<void(const std::string& sentence)> notice = {};
  std::function<void(const std::string& step)> log = {};  // what is done, and why
  std::function<bool()> cancelled = {};                   // asked now and then; true ends the work with an error
};

}  // namespace tamis
