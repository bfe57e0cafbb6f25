#include "src/server/protocol/http_handler.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <optional>

#include "src/base/json_writer.h"
#include "src/server/protocol/content_encoding.h"
#include "src/server/protocol/infer_request.h"
#include "src/server/protocol/model_json.h"
#include "src/server/protocol/shared_memory_routes.h"
#include "src/server/protocol/tensor_check.h"

namespace tamis {
namespace {

using Clock = std::chrono::steady_clock;

HttpResponse Probe(const char* what, bool yes) {
  JsonWriter json;
  json.BeginObject().Key(what).Bool(yes).EndObject();
  HttpResponse response = JsonResponse(json.Take());
  if (!yes) response.status = 503;
  return response;
}

std::string Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? ""
                                         : std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

// A request to load may bring parameters, which would change what the repository says of the model.
Status CheckLoadBody(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return {};
  if (body.size() > kMaxControlBytes) {
    return UserError("the request has {} bytes, of {} at most: another configuration, or files, {}", body.size(),
                     kMaxControlBytes, kNoOverride);
  }
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object()) {
    return UserError("the request is not a JSON object");
  }
  simdjson::dom::element given;
  if (root["parameters"].get(given) != simdjson::SUCCESS || given.is_null()) return {};
  simdjson::dom::object parameters;
  if (given.get_object().get(parameters) != simdjson::SUCCESS) return UserError("'parameters' is not an object");
  RequestFaults faults;
  for (const auto& [name, value] : parameters) {
    faults.Add(fmt::format("parameter '{}' {}", Short(name), kNoOverride));
  }
  return faults.status();
}

// Why requests to this path are refused that some clients of the protocol make; nullptr for others.
const char* NotOffered(const std::vector<std::string>& path) {
  if (path.size() < 2 || path[0] != "v2") return nullptr;
  if (path[1] == "logging") return kNoLogSettings;
  const bool of_model = path.size() >= 4 && path[1] == "models" && path[path.size() - 2] == "trace";
  if (path[1] == "trace" || of_model) return kNoTraces;
  return nullptr;
}

}  // namespace

HttpResponse HttpHandler::Handle(const HttpRequest& request) noexcept {
  HttpResponse response;
  try {
    try {
      response = Route(request);
    } catch (const std::bad_alloc&) {
      response = ErrorResponse(503, "the server is out of memory for this request");
    } catch (const std::exception& error) {
      response = ErrorResponse(500, std::string("internal error: ") + error.what());
    }
    metrics_.CountResponse(response.status);
  } catch (...) {
    response = HttpResponse();
    response.status = 500;
  }
  return response;
}

HttpResponse HttpHandler::Route(const HttpRequest& request) {
  std::vector<std::string> path;
  if (!SplitTarget(request.target, &path)) return ErrorResponse(400, "the request target is malformed");
  const auto is = [&](std::initializer_list<const char*> parts) {
    return std::equal(path.begin(), path.end(), parts.begin(), parts.end(),
                      [](const std::string& a, const char* b) { return a == b; });
  };
  if (const char* why = NotOffered(path); why != nullptr) return ErrorResponse(501, why);
  if (IsSharedMemoryPath(path)) return RouteSharedMemory(request, path, shared_memory());
  if (path.size() >= 3 && path[0] == "v2" && path[1] == "repository") return RouteRepository(request, path);
  const bool all_stats = is({"v2", "models", "stats"}) && repository_.Find("stats").empty();
  if (!all_stats && path.size() >= 3 && path[0] == "v2" && path[1] == "models") return RouteModel(request, path);
  const bool known =
      all_stats || is({"metrics"}) || is({"v2"}) || is({"v2", "health", "live"}) || is({"v2", "health", "ready"});
  if (!known) return ErrorResponse(404, "there is no such path");
  if (!IsGet(request)) return NotAllowed("GET");
  if (all_stats) return JsonResponse(ModelStatsJson(repository_.All(), metrics_));
  if (is({"v2"})) return ServerMetadata();
  if (is({"v2", "health", "live"})) return Probe("live", true);
  if (is({"v2", "health", "ready"})) return Probe("ready", Ready());
  HttpResponse response;
  response.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
  response.body = metrics_.Text() + repository_.DriftText();
  return response;
}

// /v2/repository/index, /v2/repository/models/M/load | unload
HttpResponse HttpHandler::RouteRepository(const HttpRequest& request, const std::vector<std::string>& path) {
  if (path.size() == 3 && path[2] == "index") {
    return request.method == "POST" || IsGet(request) ? RepositoryIndex(request) : NotAllowed("GET, POST");
  }
  const bool control = path.size() == 5 && path[2] == "models" && (path[4] == "load" || path[4] == "unload");
  if (!control) return ErrorResponse(404, "there is no such path");
  return request.method == "POST" ? Control(request, path[3], path[4] == "load") : NotAllowed("POST");
}

// /v2/models/M[/versions/V][/ready | /infer | /config | /stats]
HttpResponse HttpHandler::RouteModel(const HttpRequest& request, const std::vector<std::string>& path) {
  size_t at = 3;
  std::string version;
  if (path.size() >= 5 && path[3] == "versions") {
    version = path[4];
    at = 5;
  }
  const std::string verb = at < path.size() ? path[at] : "";
  const bool known = verb.empty() || verb == "ready" || verb == "infer" || verb == "config" || verb == "stats";
  if (at + 1 < path.size() || !known) return ErrorResponse(404, "there is no such path");
  if (verb == "infer" ? request.method != "POST" : !IsGet(request)) return NotAllowed(verb == "infer" ? "POST" : "GET");
  const std::vector<ModelVersionPtr> versions = repository_.Find(path[2]);
  const ModelVersionPtr model = repository_.Find(path[2], version);
  if (model == nullptr) {
    JsonWriter json;  // quotes and escapes what the client sent
    json.String(versions.empty() ? path[2].substr(0, 128) : version.substr(0, 128));
    return ErrorResponse(404, (versions.empty() ? "there is no model " : "the model has no version ") + json.Take());
  }
  if (verb == "ready") return Probe("ready", model->ready());
  if (!model->ready()) {
    return ErrorResponse(503,
                         "model '" + model->model + "' version " + model->version + " is not ready: " + model->reason);
  }
  if (verb == "infer") return Infer(request, *model);
  if (verb == "config") return JsonResponse(ModelConfigJson(*model));
  if (verb == "stats") {
    return JsonResponse(ModelStatsJson(version.empty() ? versions : std::vector{model}, metrics_));
  }
  return JsonResponse(ModelMetadataJson(*model, versions));
}

HttpResponse HttpHandler::ServerMetadata() const {
  JsonWriter json;
  json.BeginObject().Key("name").String("tamis").Key("version").String(TAMIS_VERSION).Key("extensions").BeginArray();
  for (const std::string& extension : ProtocolExtensions(shared_memory_.has_value())) {
    json.String(extension);
  }
  json.EndArray().EndObject();
  return JsonResponse(json.Take());
}

HttpResponse HttpHandler::RepositoryIndex(const HttpRequest& request) const {
  bool only_ready = false;
  if (request.body.size() > 0) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (request.body.size() > kMaxControlBytes ||
        parser.parse(request.body.bytes().data(), request.body.size()).get(root) != simdjson::SUCCESS) {
      return ErrorResponse(400, "the request is not valid JSON");
    }
    if (simdjson::dom::element ready;
        root["ready"].get(ready) == simdjson::SUCCESS && ready.get_bool().get(only_ready) != simdjson::SUCCESS) {
      return ErrorResponse(400, "'ready' is not true or false");
    }
  }
  return JsonResponse(RepositoryIndexJson(repository_.All(), only_ready));
}

HttpResponse HttpHandler::Control(const HttpRequest& request, const std::string& model, bool load) {
  if (!options_.model_control) {
    return ErrorResponse(403, kNoModelControl);
  }
  if (load) {
    if (const Status status = CheckLoadBody(request.body.bytes()); !status.ok()) {
      return ErrorResponse(400, status.message());
    }
  }
  const Status status = load ? repository_.Load(model) : repository_.Unload(model);
  return status.ok() ? JsonResponse("{}") : ErrorResponse(HttpStatus(status), status.message());
}

HttpResponse HttpHandler::Infer(const HttpRequest& request, const ModelVersion& model) {
  InferenceRecord record(&metrics_, model, request.arrived);
  record.outcome.request_bytes = request.body.size();
  HttpResponse response = InferChecked(request, model, &record.outcome);
  record.outcome.code = response.status;
  record.outcome.response_bytes = response.body.size();
  return response;
}

HttpResponse HttpHandler::InferChecked(const HttpRequest& request, const ModelVersion& model,
                                       Metrics::Outcome* outcome) {
  const auto read_start = Clock::now();
  const Admission::Place place(&admission_);
  if (!place.got()) return ErrorResponse(503, kTooBusy);
  if (request.GivenUp()) return ErrorResponse(499, "the client closed its side before the request had its turn");
  if (FindHeader(request.headers, "Content-Length") == nullptr &&
      FindHeader(request.headers, "Transfer-Encoding") == nullptr) {
    return ErrorResponse(411, "an inference request needs a body with Content-Length or chunked");
  }
  if (request.body.size() > options_.max_body_bytes) {
    return ErrorResponse(413, fmt::format("the body is larger than the limit of {} bytes", options_.max_body_bytes));
  }
  std::string inflated;
  std::string_view body = request.body.bytes();
  std::shared_ptr<const void> owner = request.body.owner();
  if (const std::string* header = FindHeader(request.headers, "Content-Encoding"); header != nullptr) {
    const std::string encoding = Trim(*header);
    if (!KnownContentEncoding(encoding)) {
      HttpResponse response = ErrorResponse(415, "this Content-Encoding is not supported; use gzip, deflate or none");
      response.headers.emplace_back("Accept-Encoding", "gzip, deflate");
      return response;
    }
    bool too_large = false;
    auto decoded = DecodeContent(encoding, body, options_.max_body_bytes, &too_large);
    if (!decoded.ok()) return ErrorResponse(too_large ? 413 : HttpStatus(decoded.status()), decoded.status().message());
    inflated = std::move(*decoded);
    body = inflated;
    owner = nullptr;
  }
  std::optional<std::string> header_length;
  if (const std::string* header = FindHeader(request.headers, "Inference-Header-Content-Length"); header != nullptr) {
    header_length = Trim(*header);
  }
  auto parsed = ParseInferRequest(body, header_length, *model.session, std::move(owner), shared_memory());
  if (!parsed.ok()) return ErrorResponse(HttpStatus(parsed.status()), parsed.status().message());

  outcome->read_seconds = SecondsSince(read_start);
  if (const auto late = TooLate(*parsed, *outcome)) return ErrorResponse(503, *late);
  const auto outputs = ComputeInference(model, *parsed, outcome);
  if (!outputs.ok()) return ErrorResponse(HttpStatus(outputs.status()), outputs.status().message());
  const auto write_start = Clock::now();
  auto made = MakeInferResponse(*parsed, *outputs, model.model, model.version);
  outcome->write_seconds = SecondsSince(write_start);
  if (!made.ok()) return ErrorResponse(HttpStatus(made.status()), made.status().message());
  HttpResponse response = JsonResponse(std::move(made->body));
  if (made->json_bytes) {
    response.headers = {{"Content-Type", "application/octet-stream"},
                        {"Inference-Header-Content-Length", std::to_string(*made->json_bytes)}};
  }
  return response;
}

}  // namespace tamis
