#include "src/server/protocol/http_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <optional>

#include "src/base/json_writer.h"
#include "src/server/protocol/content_encoding.h"
#include "src/server/protocol/infer_request.h"

namespace tamis {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

HttpResponse NotAllowed(const char* allowed) {
  HttpResponse response = ErrorResponse(405, std::string("this path answers ") + allowed + " only");
  response.headers.emplace_back("Allow", allowed);
  return response;
}

bool IsGet(const HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

HttpResponse Probe(const char* what, bool yes) {
  JsonWriter json;
  json.BeginObject().Key(what).Bool(yes).EndObject();
  HttpResponse response = JsonResponse(json.Take());
  if (!yes) response.status = 503;
  return response;
}

void WriteSpecs(const char* key, const std::vector<TensorSpec>& specs, JsonWriter* json) {
  json->Key(key).BeginArray();
  for (const TensorSpec& spec : specs) {
    const std::string_view known = KserveName(spec.dtype);
    // What the protocol has no name for (sequences, element types of its own) is named as ONNX does.
    const std::string_view own = spec.type.empty() ? Name(spec.dtype) : std::string_view(spec.type);
    const bool travels = !known.empty() && !spec.sequence;
    json->BeginObject().Key("name").String(spec.name).Key("datatype").String(travels ? known : own);
    json->Key("shape").BeginArray();
    if (!spec.has_rank) json->Number(int64_t{-1});
    for (int64_t dim : spec.dims) json->Number(dim);
    json->EndArray().EndObject();
  }
  json->EndArray();
}

std::string Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? ""
                                         : std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

// Lends one of `limit` places for as long as it lives.
class Place {
 public:
  Place(std::atomic<int>* used, int limit) : used_(*used), got_(used_.fetch_add(1) < limit) {}
  ~Place() { used_.fetch_sub(1); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool got() const { return got_; }

 private:
  std::atomic<int>& used_;
  bool got_;
};

int HttpStatus(const Status& status) {
  return status.kind() == ErrorKind::kUser ? 400 : 500;
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
  if (is({"v2", "repository", "index"})) {
    return request.method == "POST" || IsGet(request) ? RepositoryIndex() : NotAllowed("GET, POST");
  }
  if (path.size() >= 3 && path[0] == "v2" && path[1] == "models") return RouteModel(request, path);
  const bool known = is({"metrics"}) || is({"v2"}) || is({"v2", "health", "live"}) || is({"v2", "health", "ready"});
  if (!known) return ErrorResponse(404, "there is no such path");
  if (!IsGet(request)) return NotAllowed("GET");
  if (is({"v2"})) return ServerMetadata();
  if (is({"v2", "health", "live"})) return Probe("live", true);
  if (is({"v2", "health", "ready"})) return Probe("ready", !draining_ && repository_.Ready());
  HttpResponse response;
  response.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
  response.body = metrics_.Text() + repository_.DriftText();
  return response;
}

// /v2/models/M[/versions/V][/ready | /infer]
HttpResponse HttpHandler::RouteModel(const HttpRequest& request, const std::vector<std::string>& path) {
  size_t at = 3;
  std::string version;
  if (path.size() >= 5 && path[3] == "versions") {
    version = path[4];
    at = 5;
  }
  const std::string verb = at < path.size() ? path[at] : "";
  if (at + 1 < path.size() || (!verb.empty() && verb != "ready" && verb != "infer")) {
    return ErrorResponse(404, "there is no such path");
  }
  if (verb == "infer" ? request.method != "POST" : !IsGet(request)) return NotAllowed(verb == "infer" ? "POST" : "GET");
  const ModelVersion* model = repository_.Find(path[2], version);
  if (model == nullptr) {
    const bool known = repository_.Find(path[2]) != nullptr;
    JsonWriter json;  // quotes and escapes what the client sent
    json.String(known ? version.substr(0, 128) : path[2].substr(0, 128));
    return ErrorResponse(404, (known ? "the model has no version " : "there is no model ") + json.Take());
  }
  if (verb == "ready") return Probe("ready", model->ready());
  if (!model->ready()) {
    return ErrorResponse(503,
                         "model '" + model->model + "' version " + model->version + " is not ready: " + model->reason);
  }
  return verb == "infer" ? Infer(request, *model) : ModelMetadata(*model);
}

HttpResponse HttpHandler::ServerMetadata() const {
  JsonWriter json;
  json.BeginObject().Key("name").String("tamis").Key("version").String(TAMIS_VERSION);
  json.Key("extensions").BeginArray().String("binary_tensor_data").String("model_repository").EndArray().EndObject();
  return JsonResponse(json.Take());
}

HttpResponse HttpHandler::ModelMetadata(const ModelVersion& model) const {
  JsonWriter json;
  json.BeginObject().Key("name").String(model.model).Key("versions").BeginArray();
  for (const ModelVersion& version : *repository_.Find(model.model)) json.String(version.version);
  json.EndArray().Key("platform").String("tamis");
  WriteSpecs("inputs", model.session->inputs(), &json);
  WriteSpecs("outputs", model.session->outputs(), &json);
  json.EndObject();
  return JsonResponse(json.Take());
}

HttpResponse HttpHandler::RepositoryIndex() const {
  JsonWriter json;
  json.BeginArray();
  for (const ModelVersion* model : repository_.All()) {
    json.BeginObject().Key("name").String(model->model).Key("version").String(model->version);
    json.Key("state").String(model->ready() ? "READY" : "UNAVAILABLE").Key("reason").String(model->reason).EndObject();
  }
  json.EndArray();
  return JsonResponse(json.Take());
}

HttpResponse HttpHandler::Infer(const HttpRequest& request, const ModelVersion& model) {
  const auto start = Clock::now();
  Metrics::Outcome outcome;
  outcome.code = 500;  // stands if an exception leaves
  outcome.request_bytes = request.body.size();
  struct Recorder {
    Metrics& metrics;
    const ModelVersion& model;
    Metrics::Outcome& outcome;
    Clock::time_point start;
    Recorder(Metrics& m, const ModelVersion& v, Metrics::Outcome& o, Clock::time_point s)
        : metrics(m), model(v), outcome(o), start(s) {
      metrics.Begin(model.model, model.version);
    }
    ~Recorder() {
      outcome.total_seconds = SecondsSince(start);
      metrics.End(model.model, model.version, outcome);
    }
  } recorder(metrics_, model, outcome, start);
  HttpResponse response = InferChecked(request, model, &outcome.compute_seconds);
  outcome.code = response.status;
  outcome.response_bytes = response.body.size();
  return response;
}

HttpResponse HttpHandler::InferChecked(const HttpRequest& request, const ModelVersion& model, double* compute_seconds) {
  const Place place(&running_, options_.max_concurrent);
  if (!place.got()) return ErrorResponse(503, "the server works on as many requests as it may; try again");
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
  auto parsed = ParseInferRequest(body, header_length, *model.session, std::move(owner));
  if (!parsed.ok()) return ErrorResponse(HttpStatus(parsed.status()), parsed.status().message());

  const auto compute_start = Clock::now();
  auto outputs = model.session->Run(parsed->inputs);
  *compute_seconds = SecondsSince(compute_start);
  if (!outputs.ok()) return ErrorResponse(HttpStatus(outputs.status()), outputs.status().message());
  if (model.drift != nullptr) model.drift->Observe(parsed->inputs);
  for (const RequestedOutput& output : parsed->outputs) {
    if (outputs->count(output.name) == 0) return ErrorResponse(500, "the model gave no output '" + output.name + "'");
  }
  auto made = MakeInferResponse(*parsed, *outputs, model.model, model.version);
  if (!made.ok()) return ErrorResponse(HttpStatus(made.status()), made.status().message());
  HttpResponse response = JsonResponse(std::move(made->body));
  if (made->json_bytes) {
    response.headers = {{"Content-Type", "application/octet-stream"},
                        {"Inference-Header-Content-Length", std::to_string(*made->json_bytes)}};
  }
  return response;
}

}  // namespace tamis
