#include "src/server/protocol/shared_memory_routes.h"

#include <simdjson.h>

#include "src/base/json_writer.h"
#include "src/base/request_problems.h"
#include "src/server/protocol/tensor_check.h"

namespace tamis {
namespace {

using simdjson::dom::element;

Result<SharedRegion> ParseRegion(const std::string& name, std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::object root;
  if (body.size() > kMaxControlBytes ||
      parser.parse(body.data(), body.size()).get_object().get(root) != simdjson::SUCCESS) {
    return UserError("the request is not a JSON object of {} bytes at most", kMaxControlBytes);
  }
  SharedRegion region;
  region.name = name;
  RequestProblems problems;
  std::string_view key;
  problems.Need(root["key"].get_string().get(key) == simdjson::SUCCESS, "'key' is missing or not a string");
  region.key = key;
  problems.Need(root["byte_size"].get_uint64().get(region.byte_size) == simdjson::SUCCESS,
                "'byte_size' is missing or not a size");
  element offset;  // 0 where it is not given
  problems.Need(
      root["offset"].get(offset) != simdjson::SUCCESS || offset.get_uint64().get(region.offset) == simdjson::SUCCESS,
      "'offset' is not a size");
  TAMIS_RETURN_IF_ERROR(problems.status());
  return region;
}

std::string RegionsJson(const std::vector<SharedRegion>& regions) {
  JsonWriter json;
  json.BeginArray();
  for (const SharedRegion& region : regions) {
    json.BeginObject().Key("name").String(region.name).Key("key").String(region.key);
    json.Key("offset").Number(region.offset).Key("byte_size").Number(region.byte_size).EndObject();
  }
  json.EndArray();
  return json.Take();
}

HttpResponse Register(const HttpRequest& request, const std::string& name, SharedMemory* memory) {
  const auto region = ParseRegion(name, request.body.bytes());
  const Status status = region.ok() ? memory->Register(*region) : region.status();
  return status.ok() ? JsonResponse("{}") : ErrorResponse(HttpStatus(status), status.message());
}

}  // namespace

bool IsSharedMemoryPath(const std::vector<std::string>& path) {
  return path.size() >= 2 && path[0] == "v2" && (path[1] == "systemsharedmemory" || path[1] == "cudasharedmemory");
}

HttpResponse RouteSharedMemory(const HttpRequest& request, const std::vector<std::string>& path, SharedMemory* memory) {
  const bool system = path[1] == "systemsharedmemory";
  const bool of_region = path.size() == 5 && path[2] == "region";
  const std::string name = of_region ? path[3] : "";
  const std::string verb = of_region || path.size() == 3 ? path.back() : "";
  const bool known = verb == "status" || verb == "unregister" || (verb == "register" && of_region);
  if (!known) return ErrorResponse(404, "there is no such path");
  if (system && memory == nullptr) return ErrorResponse(403, kNoSharedMemory);
  if (verb == "status") {
    if (!IsGet(request)) return NotAllowed("GET");
    const std::vector<SharedRegion> regions = system ? memory->Regions(name) : std::vector<SharedRegion>();
    if (of_region && regions.empty()) {
      return ErrorResponse(404, "no shared memory region '" + Short(name) + "' is registered");
    }
    return JsonResponse(RegionsJson(regions));
  }
  if (request.method != "POST") return NotAllowed("POST");
  if (verb == "register") return system ? Register(request, name, memory) : ErrorResponse(501, kNoCudaSharedMemory);
  if (system) of_region ? memory->Unregister(name) : memory->UnregisterAll();
  return JsonResponse("{}");
}

}  // namespace tamis
