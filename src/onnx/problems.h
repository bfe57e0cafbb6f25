// Collects what is wrong with a file, so that the user sees all of it at once.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tamis/status.h"

namespace tamis {

// A name from a file, safe to print: in single quotes, control characters and broken UTF-8 escaped, cut when very long.
std::string Quote(std::string_view name);

// "a, b, c", each quoted; above `limit` the rest is counted.
std::string QuoteList(const std::vector<std::string>& names, size_t limit = 100);

class Problems {
 public:
  void Add(std::string problem) { problems_.push_back(std::move(problem)); }
  // Adds an error's message; returns whether there was one. An error that is not the user's is kept and wins.
  bool Add(const Status& status);
  // One problem for a thing that several tensors share: "<what>; needed by 'a', 'b'".
  void AddShared(const std::string& what, const std::string& needed_by) { shared_[what].push_back(needed_by); }
  bool empty() const { return problems_.empty() && shared_.empty() && other_.ok(); }
  // OK if there are none; else one kUser error, a line for each.
  Status ToStatus() const;

 private:
  std::vector<std::string> problems_;
  std::map<std::string, std::vector<std::string>> shared_;
  Status other_;
};

}  // namespace tamis
