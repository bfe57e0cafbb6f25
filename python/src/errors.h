// Status as Python exceptions: ValueError for what the caller can put right, RuntimeError for the machine and for us.
#pragma once

#include <nanobind/nanobind.h>

#include <stdexcept>
#include <utility>

#include "tamis/status.h"

namespace tamis::python {

[[noreturn]] inline void Raise(const Status& status) {
  if (status.kind() == ErrorKind::kUser) throw nanobind::value_error(status.message().c_str());
  if (status.kind() == ErrorKind::kInternal) {
    throw std::runtime_error("internal error (a bug in Tamis): " + status.message());
  }
  throw std::runtime_error(status.message());
}

inline void Check(const Status& status) {
  if (!status.ok()) Raise(status);
}

template <class T>
T Unwrap(Result<T> result) {
  if (!result.ok()) Raise(result.status());
  return std::move(result).value();
}

// Of a verb's function, whose messages call options as the command line does: here they are arguments ("--max-drop" is
// max_drop).
Status WithArgumentNames(const Status& status);

inline void CheckVerb(const Status& status) {
  if (!status.ok()) Raise(WithArgumentNames(status));
}

template <class T>
T UnwrapVerb(Result<T> result) {
  CheckVerb(result.status());
  return std::move(result).value();
}

}  // namespace tamis::python
