#include "python/src/interruptible.h"

#include <chrono>
#include <exception>
#include <future>
#include <optional>

namespace nb = nanobind;

namespace tamis::python {
namespace {

constexpr auto kSignalCheck = std::chrono::milliseconds(50);

}  // namespace

void Work::Report(int done, int total, const std::string& what) {
  if (cancelled_) return;
  const nb::gil_scoped_acquire gil;
  if (progress_.is_none()) return;
  try {
    progress_(done, total, nb::str(what.c_str(), what.size()));
  } catch (...) {
    callback_error_ = std::current_exception();
    cancelled_ = true;
  }
}

void Work::Run(const std::function<void()>& work) {
  std::future<void> done = std::async(std::launch::async, work);
  std::optional<nb::python_error> signal;
  while (true) {
    {
      const nb::gil_scoped_release release;
      if (done.wait_for(kSignalCheck) == std::future_status::ready) break;
    }
    if (!signal && PyErr_CheckSignals() != 0) {
      signal.emplace();
      cancelled_ = true;
    }
  }
  std::exception_ptr failure;
  try {
    done.get();
  } catch (...) {
    failure = std::current_exception();
  }
  if (signal) throw nb::python_error(std::move(*signal));
  if (callback_error_) std::rethrow_exception(callback_error_);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace tamis::python
