// The KServe v2 protocol over HTTP, without sockets: a request in, a response out.
//
// GET  /v2, /v2/health/live, /v2/health/ready, /v2/models/M[/versions/V][/ready | /config | /stats],
//      /v2/models/stats, /metrics
// POST /v2/models/M[/versions/V]/infer, /v2/repository/index, /v2/repository/models/M/load, .../unload
// and those of shared memory (shared_memory_routes.h)
//
// Status codes: 400 what is wrong with the request, all of it listed; 403 what this server was not started to allow;
// 404 no such path, model or version; 405; 411; 413; 415 unknown Content-Encoding; 499 the client closed its side
// before its request had its turn; 500 our fault; 501 extensions of the protocol that are not offered; 503 not ready,
// draining, too busy, or the request's own timeout is over. Error bodies are {"error": "..."}.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>

#include "src/server/inference.h"
#include "src/server/metrics.h"
#include "src/server/protocol/http_message.h"
#include "src/server/repository.h"
#include "src/server/shared_memory.h"

namespace tamis {

inline constexpr char kNoModelControl[] =
    "this server was not started with --model-control-mode explicit: its models are fixed";
// What a request to load a model may not ask for.
inline constexpr char kNoOverride[] =
    "is not supported: a model is loaded as its files in the repository say, without another configuration or files";
// Of the protocol's extensions.
inline constexpr char kNoLogSettings[] = "log settings can't be changed while the server runs";
inline constexpr char kNoTraces[] = "traces are not offered; /metrics and the statistics extension are";
inline constexpr char kTooBusy[] = "the server works on as many requests as it may; try again";

struct HandlerOptions {
  size_t max_body_bytes = size_t{64} << 20;  // after decompression
  int max_concurrent = 64;                   // inferences worked on at once; more are answered 503
  bool model_control = false;                // clients may load and unload models
  std::string shared_memory;                 // which objects clients may register (SharedMemory); empty: none
};

class HttpHandler {
 public:
  HttpHandler(Repository* repository, Metrics* metrics, const HandlerOptions& options)
      : repository_(*repository), metrics_(*metrics), options_(options), admission_(options.max_concurrent) {
    if (!options.shared_memory.empty()) shared_memory_.emplace(options.shared_memory, options.max_body_bytes);
  }

  // Never throws.
  HttpResponse Handle(const HttpRequest& request) noexcept;
  // From now on the server is not ready; requests are still answered.
  void SetDraining() { draining_ = true; }
  bool Ready() const { return !draining_ && repository_.Ready(); }
  const HandlerOptions& options() const { return options_; }
  // Of inferences by any protocol.
  Admission& admission() { return admission_; }
  // Likewise; nullptr if it is not offered.
  SharedMemory* shared_memory() { return shared_memory_ ? &*shared_memory_ : nullptr; }

 private:
  HttpResponse Route(const HttpRequest& request);
  HttpResponse RouteModel(const HttpRequest& request, const std::vector<std::string>& path);
  HttpResponse RouteRepository(const HttpRequest& request, const std::vector<std::string>& path);
  HttpResponse ServerMetadata() const;
  HttpResponse RepositoryIndex(const HttpRequest& request) const;
  HttpResponse Control(const HttpRequest& request, const std::string& model, bool load);
  HttpResponse Infer(const HttpRequest& request, const ModelVersion& model);
  HttpResponse InferChecked(const HttpRequest& request, const ModelVersion& model, Metrics::Outcome* outcome);

  Repository& repository_;
  Metrics& metrics_;
  const HandlerOptions options_;
  std::atomic<bool> draining_{false};
  Admission admission_;
  std::optional<SharedMemory> shared_memory_;
};

}  // namespace tamis
