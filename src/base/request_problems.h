// Everything that is wrong with a request, in one error.
#pragma once

#include <string>
#include <utility>

#include "tamis/status.h"

namespace tamis {

class RequestProblems {
 public:
  void Add(const Status& status) {
    if (!status.ok()) text_ += (text_.empty() ? "" : "; ") + status.message();
  }
  // The value, or a default one where there is none.
  template <class T>
  T Take(Result<T> result) {
    Add(result.status());
    return result.ok() ? std::move(result).value() : T();
  }
  template <class... A>
  void Need(bool good, fmt::format_string<A...> format, A&&... args) {
    if (!good) Add(UserError(format, std::forward<A>(args)...));
  }
  Status status() const { return text_.empty() ? Status() : UserError("{}", text_); }

 private:
  std::string text_;
};

}  // namespace tamis
