// What the server counts, as Prometheus text (exposition format 0.0.4).
//
// Labels are models and versions of the repository and status codes: a client cannot make new ones. Thread-safe; one
// lock, taken twice a request.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace tamis {

// A label's value, escaped.
std::string PrometheusLabel(const std::string& value);
// The two lines before a metric's samples; `type` is counter, gauge or histogram.
std::string PrometheusHead(std::string_view name, std::string_view type, std::string_view help);

class Metrics {
 public:
  // An inference begins and ends. `code` is the HTTP status it is answered with; sizes in bytes.
  void Begin(const std::string& model, const std::string& version);
  struct Outcome {
    int code = 200;
    double total_seconds = 0;    // from the whole request received to the response made
    double queue_seconds = 0;    // of that until it was worked on
    double read_seconds = 0;     // making tensors of the request
    double compute_seconds = 0;  // in the session; 0 if it was not reached
    double write_seconds = 0;    // making the response of tensors
    int64_t rows = 1;            // samples in the request
    size_t request_bytes = 0;
    size_t response_bytes = 0;
  };
  void End(const std::string& model, const std::string& version, const Outcome& outcome);
  // Since the server started.
  struct Totals {
    uint64_t succeeded = 0, failed = 0;
    double succeeded_seconds = 0, failed_seconds = 0;
    double queue_seconds = 0, read_seconds = 0, compute_seconds = 0, write_seconds = 0;  // of those that succeeded
    int64_t rows = 0;                                                                    // likewise
    int64_t last_ms = 0;  // when the last ended, since 1970; 0: none yet
  };
  Totals TotalsOf(const std::string& model, const std::string& version) const;
  // Any response, inference or not.
  void CountResponse(int code);
  std::string Text() const;

 private:
  // Upper bounds in seconds; the last bucket has none.
  static constexpr std::array<double, 16> kBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                     0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
  struct Histogram {
    std::array<uint64_t, kBounds.size() + 1> buckets{};
    double sum = 0;
    void Observe(double seconds);
  };
  struct Series {
    std::map<int, uint64_t> by_code;
    int64_t in_flight = 0;
    uint64_t request_bytes = 0, response_bytes = 0;
    Histogram total, compute;
    Totals totals;
  };

  static void Add(const Outcome& outcome, Totals* totals);

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Series> series_;
  std::map<int, uint64_t> responses_;
};

}  // namespace tamis
