#include "src/server/protocol/infer_request.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "src/server/protocol/classification.h"
#include "src/server/protocol/tensor_bytes.h"
#include "src/server/protocol/tensor_check.h"
#include "src/server/protocol/tensor_json.h"

namespace tamis {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// Deeper than any tensor's nested arrays, far from where recursion could hurt.
constexpr size_t kMaxDepth = 96;

class Parser {
 public:
  Parser(const Session& model, std::string_view binary, std::shared_ptr<const void> owner, const SharedMemory* shared)
      : model_(model), binary_(binary), owner_(std::move(owner)), shared_(shared) {}

  Result<InferRequest> Parse(element root) {
    object request;
    if (root.get_object().get(request) != simdjson::SUCCESS) return UserError("the request is not a JSON object");
    if (element id; request["id"].get(id) == simdjson::SUCCESS) {
      std::string_view text;
      if (id.get_string().get(text) != simdjson::SUCCESS) Problem("'id' is not a string");
      request_.id = text;
    }
    bool binary_default = false;
    RefuseParameters(request, "");
    request_.timeout_us = NumberParameter(request, kTimeoutParameter, "", "a number of microseconds");
    NumberParameter(request, kPriorityParameter, "", "a level");
    BoolParameter(request, "binary_data_output", &binary_default);
    ParseInputs(request);
    ParseOutputs(request, binary_default);
    TAMIS_RETURN_IF_ERROR(faults_.status());
    return std::move(request_);
  }

 private:
  void Problem(std::string text) { faults_.Add(std::move(text)); }

  // False if the parameter is absent.
  static bool Parameter(const object& owner, const char* name, element* value) {
    object parameters;
    return owner["parameters"].get_object().get(parameters) == simdjson::SUCCESS &&
           parameters[name].get(*value) == simdjson::SUCCESS;
  }

  void BoolParameter(const object& owner, const char* name, bool* value) {
    element found;
    if (Parameter(owner, name, &found) && found.get_bool().get(*value) != simdjson::SUCCESS) {
      Problem(std::string("parameter '") + name + "' is not true or false");
    }
  }

  void RefuseParameters(const object& owner, const std::string& of) {
    element value;
    if (owner["parameters"].get(value) == simdjson::SUCCESS && !value.is_object()) {
      Problem(of + "'parameters' is not an object");
    }
    for (const auto& [name, why] : kRefusedParameters) {
      if (Parameter(owner, name, &value)) {
        Problem(fmt::format("{}parameter '{}' is not supported: {}", of, name, why));
      }
    }
  }

  uint64_t NumberParameter(const object& owner, const char* name, const std::string& of, const char* what = "a size") {
    element value;
    uint64_t size = 0;
    if (Parameter(owner, name, &value) && value.get_uint64().get(size) != simdjson::SUCCESS) {
      Problem(of + "parameter '" + name + "' is not " + what);
    }
    return size;
  }

  // Whether the tensor is in shared memory; if so and nothing is wrong with it, where.
  bool Shared(const object& owner, const std::string& of, bool input, std::optional<SharedPlace>* place) {
    element value;
    if (!Parameter(owner, "shared_memory_region", &value)) return false;
    std::string_view region;
    if (shared_ == nullptr) {
      Problem(of + kNoSharedMemory);
    } else if (value.get_string().get(region) != simdjson::SUCCESS) {
      Problem(of + "parameter 'shared_memory_region' is not a string");
    } else {
      const uint64_t offset = NumberParameter(owner, "shared_memory_offset", of);
      const uint64_t size = NumberParameter(owner, "shared_memory_byte_size", of);
      auto found = input ? shared_->InputPlace(std::string(region), offset, size)
                         : shared_->OutputPlace(std::string(region), offset, size);
      faults_.Add(of, found.status());
      if (found.ok()) *place = std::move(*found);
    }
    return true;
  }

  void ParseInputs(const object& request) {
    simdjson::dom::array inputs;
    if (request["inputs"].get_array().get(inputs) != simdjson::SUCCESS) {
      Problem("'inputs' is missing or not an array");
      return;
    }
    std::set<std::string, std::less<>> seen;
    size_t at = 0;
    for (element item : inputs) {
      object input;
      std::string_view name;
      if (item.get_object().get(input) != simdjson::SUCCESS ||
          input["name"].get_string().get(name) != simdjson::SUCCESS) {
        Problem("an element of 'inputs' is not an object with a 'name'");
        continue;
      }
      const std::string of = "input '" + Short(name) + "': ";
      const TensorSpec* spec = FindSpec(model_.inputs(), name);
      if (spec == nullptr) Problem(of + "the model has no such input; it has " + NamesOf(model_.inputs()));
      if (!seen.emplace(name).second) {
        Problem(of + "given twice");
        continue;
      }
      ParseInput(input, spec, of, &at);
    }
    for (const TensorSpec& spec : model_.inputs()) {
      if (seen.count(spec.name) == 0 && !spec.optional) Problem("input '" + spec.name + "' is missing");
    }
    if (!lost_binary_ && at != binary_.size()) {
      Problem("the bytes behind the JSON are " + std::to_string(binary_.size()) +
              ", but the inputs' binary_data_size add up to " + std::to_string(at));
    }
  }

  // `at` is how many of the bytes behind the JSON are used up.
  void ParseInput(const object& input, const TensorSpec* spec, const std::string& of, size_t* at) {
    RefuseParameters(input, of);
    std::string_view bytes;
    element value;
    const bool binary = Parameter(input, "binary_data_size", &value);
    if (binary) {
      uint64_t size = 0;
      if (value.get_uint64().get(size) != simdjson::SUCCESS) {
        Problem(of + "parameter 'binary_data_size' is not a size");
        lost_binary_ = true;
        return;
      }
      if (size > binary_.size() - *at) {
        Problem(of + "binary_data_size is " + std::to_string(size) + ", but only " +
                std::to_string(binary_.size() - *at) + " bytes are left behind the JSON");
        lost_binary_ = true;
        return;
      }
      bytes = binary_.substr(*at, size);
      *at += size;
    }
    if (spec == nullptr) return;
    Dims dims;
    const bool typed = CheckType(input, *spec, of);
    const bool shaped = ParseShape(input, *spec, of, &dims);
    if (!typed || !shaped) return;
    std::optional<SharedPlace> place;
    const bool shared = Shared(input, of, true, &place);
    const bool has_data = input["data"].get(value) == simdjson::SUCCESS;
    if (has_data + binary + shared != 1) {
      return Problem(of + "has " + (has_data || binary || shared ? "more than one" : "none") +
                     " of 'data', 'binary_data_size' and 'shared_memory_region'");
    }
    if (shared && !place) return;
    if (has_data && !HasJsonForm(spec->dtype)) {
      return Problem(of + "data of type " + std::string(KserveName(spec->dtype)) + " can only be sent as binary");
    }
    auto tensor = place    ? place->Read(spec->dtype, dims)
                  : binary ? TensorFromBytes(bytes, spec->dtype, dims, owner_)
                           : TensorFromJson(value, spec->dtype, dims);
    if (!tensor.ok()) return Problem(of + tensor.status().message());
    request_.inputs[spec->name] = std::move(*tensor);
  }

  bool CheckType(const object& input, const TensorSpec& spec, const std::string& of) {
    std::string_view datatype;
    if (CanTravel(spec) && input["datatype"].get_string().get(datatype) != simdjson::SUCCESS) {
      Problem(of + "'datatype' is missing or not a string");
      return false;
    }
    const Status status = CheckDatatype(spec, datatype);
    faults_.Add(of, status);
    return status.ok();
  }

  bool ParseShape(const object& input, const TensorSpec& spec, const std::string& of, Dims* dims) {
    simdjson::dom::array shape;
    if (input["shape"].get_array().get(shape) != simdjson::SUCCESS) {
      Problem(of + "'shape' is missing or not an array");
      return false;
    }
    for (element item : shape) {
      int64_t dim = 0;  // what is none is refused as such
      if (item.get_int64().get(dim) != simdjson::SUCCESS) dim = 0;
      dims->push_back(dim);
      if (dims->size() > kMaxRank) break;
    }
    const Status status = CheckShape(spec, *dims);
    faults_.Add(of, status);
    return status.ok();
  }

  void ParseOutputs(const object& request, bool binary_default) {
    element value;
    if (request["outputs"].get(value) != simdjson::SUCCESS) {
      for (const TensorSpec& spec : model_.outputs()) AddOutput(spec, binary_default);
      return;
    }
    simdjson::dom::array outputs;
    if (value.get_array().get(outputs) != simdjson::SUCCESS) return Problem("'outputs' is not an array");
    std::set<std::string, std::less<>> seen;
    for (element item : outputs) {
      object output;
      std::string_view name;
      if (item.get_object().get(output) != simdjson::SUCCESS ||
          output["name"].get_string().get(name) != simdjson::SUCCESS) {
        Problem("an element of 'outputs' is not an object with a 'name'");
        continue;
      }
      const std::string of = "output '" + Short(name) + "': ";
      const TensorSpec* spec = FindSpec(model_.outputs(), name);
      if (spec == nullptr) {
        Problem(of + "the model has no such output; it has " + NamesOf(model_.outputs()));
        continue;
      }
      if (!seen.emplace(name).second) {
        Problem(of + "asked for twice");
        continue;
      }
      RefuseParameters(output, of);
      bool binary = binary_default;
      BoolParameter(output, "binary_data", &binary);
      std::optional<SharedPlace> place;
      if (Shared(output, of, false, &place) && !place) continue;
      AddOutput(*spec, binary, Classes(output, of), std::move(place));
    }
    if (request_.outputs.empty() && faults_.empty()) {
      for (const TensorSpec& spec : model_.outputs()) AddOutput(spec, binary_default);
    }
  }

  int64_t Classes(const object& output, const std::string& of) {
    element value;
    if (!Parameter(output, "classification", &value)) return 0;
    int64_t classes = 0;
    if (value.get_int64().get(classes) == simdjson::SUCCESS && classes > 0) return classes;
    Problem(of + "parameter 'classification' is not a number of classes");
    return 0;
  }

  void AddOutput(const TensorSpec& spec, bool binary, int64_t classes = 0,
                 std::optional<SharedPlace> place = std::nullopt) {
    if (!CanTravel(spec)) {
      return Problem("output '" + spec.name + "' is of type " + TypeOf(spec) +
                     ", which cannot be sent over this protocol");
    }
    if (!binary && !place && classes == 0 && !HasJsonForm(spec.dtype)) {
      return Problem("output '" + spec.name + "' is of type " + std::string(KserveName(spec.dtype)) +
                     ", which can only be sent as binary: ask with the parameter binary_data");
    }
    request_.outputs.push_back({spec.name, binary, classes, std::move(place)});
  }

  const Session& model_;
  std::string_view binary_;
  std::shared_ptr<const void> owner_;  // of `binary_`; may be null
  const SharedMemory* shared_;         // may be null
  InferRequest request_;
  RequestFaults faults_;
  bool lost_binary_ = false;  // a size is unknown, so the rest cannot be told apart
};

// The only input's shape follows from its bytes: one free dimension is what they fill; before a second one stands the
// batch, which is 1.
Result<InferRequest> RawRequest(std::string_view body, const Session& model, std::shared_ptr<const void> owner) {
  const auto refused = [](std::string_view why) {
    return UserError("Inference-Header-Content-Length is 0, a raw request: {}; send JSON", why);
  };
  if (model.inputs().size() != 1) return refused(fmt::format("the model has {} inputs", model.inputs().size()));
  const TensorSpec& spec = model.inputs()[0];
  if (!CanTravel(spec) || !spec.has_rank || spec.dtype == DType::kString) {
    return refused("the shape of input '" + spec.name + "' does not follow from its bytes");
  }
  Dims dims = spec.dims;
  int64_t free = std::count(dims.begin(), dims.end(), -1);
  if (free == 2 && dims[0] == -1) {
    dims[0] = 1;
    free = 1;
  }
  if (free > 1) return refused("input '" + spec.name + "' has several free dimensions");
  const auto open = std::find(dims.begin(), dims.end(), -1);
  if (open != dims.end()) {
    *open = 1;
    const size_t step = ByteSize(spec.dtype, static_cast<size_t>(NumElements(dims)));
    if (step == 0 || body.empty() || body.size() % step != 0) {
      return refused(fmt::format("its {} bytes are no multiple of the {} that {}{} takes", body.size(), step,
                                 KserveName(spec.dtype), ToString(dims)));
    }
    *open = static_cast<int64_t>(body.size() / step);
  }
  auto tensor = TensorFromBytes(body, spec.dtype, dims, std::move(owner));
  if (!tensor.ok()) return refused(tensor.status().message());
  InferRequest request;
  request.inputs[spec.name] = std::move(*tensor);
  for (const TensorSpec& output : model.outputs()) {
    if (!CanTravel(output)) return refused("output '" + output.name + "' is " + TypeOf(output));
    request.outputs.push_back({output.name, true});
  }
  return request;
}

}  // namespace

Result<InferRequest> ParseInferRequest(std::string_view body, std::optional<std::string_view> header_length,
                                       const Session& model, std::shared_ptr<const void> owner,
                                       const SharedMemory* shared) {
  size_t json_bytes = body.size();
  if (header_length) {
    uint64_t stated = 0;
    const char* end = header_length->data() + header_length->size();
    const auto [at, error] = std::from_chars(header_length->data(), end, stated);
    if (error != std::errc() || at != end) return UserError("Inference-Header-Content-Length is not a length");
    if (stated > body.size()) {
      return UserError("Inference-Header-Content-Length is {}, but the body has only {} bytes", stated, body.size());
    }
    if (stated == 0) return RawRequest(body, model, std::move(owner));
    json_bytes = stated;
  }
  simdjson::dom::parser parser;
  if (json_bytes > simdjson::SIMDJSON_MAXSIZE_BYTES || parser.allocate(std::max<size_t>(json_bytes, 64), kMaxDepth)) {
    return RuntimeError("no memory to parse the request");
  }
  element root;
  const auto error = parser.parse(body.data(), json_bytes).get(root);
  if (error == simdjson::MEMALLOC) return RuntimeError("no memory to parse the request");
  if (error != simdjson::SUCCESS) {
    return UserError("the request is not valid JSON: {}", simdjson::error_message(error));
  }
  return Parser(model, body.substr(json_bytes), std::move(owner), shared).Parse(root);
}

Result<std::vector<Tensor>> TensorsToSend(const InferRequest& request, const NamedTensors& outputs) {
  std::vector<Tensor> tensors;
  for (const RequestedOutput& requested : request.outputs) {
    const Tensor& output = outputs.at(requested.name);
    auto classes = requested.classes > 0 ? TopClasses(output, requested.classes) : output;
    if (!classes.ok()) return UserError("output '{}': {}", requested.name, classes.status().message());
    if (requested.place) {
      if (Status put = requested.place->Write(*classes); !put.ok()) {
        return put.WithContext("output '" + requested.name + "'");
      }
    }
    tensors.push_back(std::move(*classes));
  }
  return tensors;
}

Result<InferResponse> MakeInferResponse(const InferRequest& request, const NamedTensors& outputs,
                                        const std::string& model, const std::string& version) {
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> tensors, TensorsToSend(request, outputs));
  JsonWriter json;
  json.BeginObject();
  if (!request.id.empty()) json.Key("id").String(request.id);
  json.Key("model_name").String(model).Key("model_version").String(version).Key("outputs").BeginArray();
  size_t binary_bytes = 0;
  bool any_binary = false;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const RequestedOutput& requested = request.outputs[i];
    const Tensor& tensor = tensors[i];
    json.BeginObject().Key("name").String(requested.name).Key("datatype").String(KserveName(tensor.dtype()));
    json.Key("shape").BeginArray();
    for (int64_t dim : tensor.dims()) json.Number(dim);
    json.EndArray();
    if (requested.place) {
      json.Key("parameters").BeginObject().Key("shared_memory_region").String(requested.place->region());
      json.Key("shared_memory_offset").Number(requested.place->offset());
      json.Key("shared_memory_byte_size").Number(BytesOf(tensor)).EndObject();
    } else if (requested.binary) {
      any_binary = true;
      binary_bytes += BytesOf(tensor);
      json.Key("parameters").BeginObject().Key("binary_data_size").Number(BytesOf(tensor)).EndObject();
    } else if (const char* const beyond = BeyondJson(tensor)) {
      return UserError("output '{}' has {}, which JSON can't hold: ask for it with the parameter binary_data",
                       requested.name, beyond);
    } else {
      json.Key("data");
      TensorToJson(tensor, &json);
    }
    json.EndObject();
  }
  json.EndArray().EndObject();
  InferResponse response;
  response.body = json.Take();
  if (!any_binary) return response;
  response.json_bytes = response.body.size();
  response.body.reserve(response.body.size() + binary_bytes);
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (request.outputs[i].binary && !request.outputs[i].place) AppendBytes(tensors[i], &response.body);
  }
  return response;
}

}  // namespace tamis
