#include "src/server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace tamis {

std::string PrometheusHead(std::string_view name, std::string_view type, std::string_view help) {
  return fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

std::string PrometheusLabel(const std::string& value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\\' || c == '"') escaped.push_back('\\');
    escaped += c == '\n' ? "\\n" : std::string(1, c);
  }
  return escaped;
}

void Metrics::Histogram::Observe(double seconds) {
  const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  ++buckets[static_cast<size_t>(bucket)];
  sum += seconds;
}

void Metrics::Begin(const std::string& model, const std::string& version) {
  const std::lock_guard lock(mutex_);
  ++series_[{model, version}].in_flight;
}

void Metrics::End(const std::string& model, const std::string& version, const Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  Series& series = series_[{model, version}];
  --series.in_flight;
  ++series.by_code[outcome.code];
  series.request_bytes += outcome.request_bytes;
  series.response_bytes += outcome.response_bytes;
  series.total.Observe(outcome.total_seconds);
  Add(outcome, &series.totals);
  if (outcome.compute_seconds > 0) series.compute.Observe(outcome.compute_seconds);
}

void Metrics::Add(const Outcome& outcome, Totals* totals) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  totals->last_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  if (outcome.code >= 400) {
    ++totals->failed;
    totals->failed_seconds += outcome.total_seconds;
    return;
  }
  ++totals->succeeded;
  totals->succeeded_seconds += outcome.total_seconds;
  totals->queue_seconds += outcome.queue_seconds;
  totals->read_seconds += outcome.read_seconds;
  totals->compute_seconds += outcome.compute_seconds;
  totals->write_seconds += outcome.write_seconds;
  totals->rows += outcome.rows;
}

Metrics::Totals Metrics::TotalsOf(const std::string& model, const std::string& version) const {
  const std::lock_guard lock(mutex_);
  const auto found = series_.find({model, version});
  return found == series_.end() ? Totals() : found->second.totals;
}

void Metrics::CountResponse(int code) {
  const std::lock_guard lock(mutex_);
  ++responses_[code];
}

std::string Metrics::Text() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  const auto labels = [](const auto& key) {
    return fmt::format("model=\"{}\",version=\"{}\"", PrometheusLabel(key.first), PrometheusLabel(key.second));
  };
  text += PrometheusHead("tamis_http_responses_total", "counter", "HTTP responses by status code.");
  for (const auto& [code, count] : responses_) {
    text += fmt::format("tamis_http_responses_total{{code=\"{}\"}} {}\n", code, count);
  }
  text += PrometheusHead("tamis_inference_requests_total", "counter", "Inference requests by HTTP status code.");
  for (const auto& [key, series] : series_) {
    for (const auto& [code, count] : series.by_code) {
      text += fmt::format("tamis_inference_requests_total{{{},code=\"{}\"}} {}\n", labels(key), code, count);
    }
  }
  text += PrometheusHead("tamis_inference_failures_total", "counter", "Inference requests answered with an error.");
  for (const auto& [key, series] : series_) {
    uint64_t failures = 0;
    for (const auto& [code, count] : series.by_code) failures += code >= 400 ? count : 0;
    text += fmt::format("tamis_inference_failures_total{{{}}} {}\n", labels(key), failures);
  }
  const auto simple = [&](const char* name, const char* type, const char* help, auto get) {
    text += PrometheusHead(name, type, help);
    for (const auto& [key, series] : series_) text += fmt::format("{}{{{}}} {}\n", name, labels(key), get(series));
  };
  simple("tamis_inference_in_flight", "gauge", "Inference requests being worked on.",
         [](const Series& s) { return s.in_flight; });
  simple("tamis_inference_request_bytes_total", "counter", "Bytes of inference request bodies.",
         [](const Series& s) { return s.request_bytes; });
  simple("tamis_inference_response_bytes_total", "counter", "Bytes of inference response bodies.",
         [](const Series& s) { return s.response_bytes; });
  const auto histogram = [&](const char* name, const char* help, auto get) {
    text += PrometheusHead(name, "histogram", help);
    for (const auto& [key, series] : series_) {
      const Histogram& h = get(series);
      uint64_t count = 0;
      for (size_t i = 0; i <= kBounds.size(); ++i) {
        count += h.buckets[i];
        const std::string bound = i < kBounds.size() ? fmt::format("{}", kBounds[i]) : "+Inf";
        text += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels(key), bound, count);
      }
      text += fmt::format("{}_sum{{{}}} {}\n{}_count{{{}}} {}\n", name, labels(key), h.sum, name, labels(key), count);
    }
  };
  histogram("tamis_inference_duration_seconds", "From the request received to the response made.",
            [](const Series& s) -> const Histogram& { return s.total; });
  histogram("tamis_inference_compute_duration_seconds", "Of that, in the network.",
            [](const Series& s) -> const Histogram& { return s.compute; });
  return text;
}

}  // namespace tamis
