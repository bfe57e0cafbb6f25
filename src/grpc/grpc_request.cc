#include "src/grpc/grpc_request.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "src/server/protocol/tensor_bytes.h"
#include "src/server/protocol/tensor_check.h"

namespace tamis {
namespace {

using inference::InferTensorContents;
using inference::ModelInferRequest;
using Parameters = google::protobuf::Map<std::string, inference::InferParameter>;

void RefuseParameters(const Parameters& parameters, const std::string& of, RequestFaults* faults) {
  for (const auto& [name, why] : kRefusedParameters) {
    if (parameters.contains(std::string(name))) {
      faults->Add(fmt::format("{}parameter '{}' is not supported: {}", of, name, why));
    }
  }
}

// A number among the parameters; 0 if it is not there.
uint64_t NumberParameter(const Parameters& parameters, const char* name, const std::string& of, RequestFaults* faults,
                         const char* what = "a size") {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return 0;
  if (found->second.has_uint64_param()) return found->second.uint64_param();
  if (found->second.has_int64_param() && found->second.int64_param() >= 0) {
    return static_cast<uint64_t>(found->second.int64_param());
  }
  faults->Add(fmt::format("{}parameter '{}' is not {}", of, name, what));
  return 0;
}

bool InSharedMemory(const Parameters& parameters) {
  return parameters.contains("shared_memory_region");
}

// Nothing if something is wrong with it.
std::optional<SharedPlace> PlaceOf(const Parameters& parameters, bool input, const SharedMemory* shared,
                                   const std::string& of, RequestFaults* faults) {
  if (shared == nullptr) {
    faults->Add(of + kNoSharedMemory);
    return std::nullopt;
  }
  const std::string& region = parameters.at("shared_memory_region").string_param();
  const uint64_t offset = NumberParameter(parameters, "shared_memory_offset", of, faults);
  const uint64_t size = NumberParameter(parameters, "shared_memory_byte_size", of, faults);
  auto place = input ? shared->InputPlace(region, offset, size) : shared->OutputPlace(region, offset, size);
  faults->Add(of, place.status());
  return place.ok() ? std::optional(std::move(*place)) : std::nullopt;
}

template <class T, class Field>
Result<Tensor> TensorOf(const Field& field, const char* name, DType dtype, const Dims& dims) {
  if (field.size() != NumElements(dims)) {
    return UserError("its {} are {}, but its shape {} has {} elements", name, field.size(), ToString(dims),
                     NumElements(dims));
  }
  Tensor tensor(dtype, dims);
  for (int i = 0; i < field.size(); ++i) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (!std::in_range<T>(field.Get(i))) return UserError("element {} of its {} is out of range", i, name);
    }
    tensor.Data<T>()[i] = T(field.Get(i));
  }
  return tensor;
}

// `dims` have passed CheckShape. Memory is taken only once the contents are known to be as many.
Result<Tensor> FromContents(const InferTensorContents& contents, DType dtype, const Dims& dims) {
  switch (dtype) {
    case DType::kBool:
      return TensorOf<bool>(contents.bool_contents(), "bool_contents", dtype, dims);
    case DType::kInt8:
      return TensorOf<int8_t>(contents.int_contents(), "int_contents", dtype, dims);
    case DType::kInt16:
      return TensorOf<int16_t>(contents.int_contents(), "int_contents", dtype, dims);
    case DType::kInt32:
      return TensorOf<int32_t>(contents.int_contents(), "int_contents", dtype, dims);
    case DType::kInt64:
      return TensorOf<int64_t>(contents.int64_contents(), "int64_contents", dtype, dims);
    case DType::kUInt8:
      return TensorOf<uint8_t>(contents.uint_contents(), "uint_contents", dtype, dims);
    case DType::kUInt16:
      return TensorOf<uint16_t>(contents.uint_contents(), "uint_contents", dtype, dims);
    case DType::kUInt32:
      return TensorOf<uint32_t>(contents.uint_contents(), "uint_contents", dtype, dims);
    case DType::kUInt64:
      return TensorOf<uint64_t>(contents.uint64_contents(), "uint64_contents", dtype, dims);
    case DType::kFloat32:
      return TensorOf<float>(contents.fp32_contents(), "fp32_contents", dtype, dims);
    case DType::kFloat64:
      return TensorOf<double>(contents.fp64_contents(), "fp64_contents", dtype, dims);
    case DType::kString:
      return TensorOf<std::string>(contents.bytes_contents(), "bytes_contents", dtype, dims);
    default:
      return UserError("data of type {} can only be sent as raw_input_contents", KserveName(dtype));
  }
}

void ParseInputs(const ModelInferRequest& message, const Session& model, const SharedMemory* shared,
                 InferRequest* request, RequestFaults* faults) {
  const bool raw = message.raw_input_contents_size() > 0;
  const auto sent = std::count_if(message.inputs().begin(), message.inputs().end(),
                                  [](const auto& input) { return !InSharedMemory(input.parameters()); });
  if (raw && message.raw_input_contents_size() != sent) {
    faults->Add(fmt::format("raw_input_contents are {} for {} inputs{}; they are for all inputs or none",
                            message.raw_input_contents_size(), sent,
                            sent < message.inputs_size() ? " that are not in shared memory" : ""));
    return;
  }
  std::set<std::string> seen;
  int next_raw = 0;
  for (const auto& input : message.inputs()) {
    const bool in_shared = InSharedMemory(input.parameters());
    const std::string* bytes = raw && !in_shared ? &message.raw_input_contents(next_raw++) : nullptr;
    const std::string of = "input '" + Short(input.name()) + "': ";
    const TensorSpec* spec = FindSpec(model.inputs(), input.name());
    if (spec == nullptr) {
      faults->Add(of + "the model has no such input; it has " + NamesOf(model.inputs()));
      continue;
    }
    if (!seen.insert(input.name()).second) {
      faults->Add(of + "given twice");
      continue;
    }
    RefuseParameters(input.parameters(), of, faults);
    const Status type = CheckDatatype(*spec, input.datatype());
    const Status shape = CheckShape(*spec, {input.shape().data(), static_cast<size_t>(input.shape_size())});
    faults->Add(of, type);
    faults->Add(of, shape);
    if (!type.ok() || !shape.ok()) continue;
    if (input.has_contents() && (raw || in_shared)) {
      faults->Add(of + "has both contents and " + (in_shared ? "a region of shared memory" : "raw_input_contents"));
      continue;
    }
    std::optional<SharedPlace> place;
    if (in_shared && !(place = PlaceOf(input.parameters(), true, shared, of, faults))) continue;
    const Dims dims(input.shape().begin(), input.shape().end());
    auto tensor = place              ? place->Read(spec->dtype, dims)
                  : bytes != nullptr ? TensorFromBytes(*bytes, spec->dtype, dims)
                                     : FromContents(input.contents(), spec->dtype, dims);
    faults->Add(of, tensor.status());
    if (tensor.ok()) request->inputs[spec->name] = std::move(*tensor);
  }
  for (const TensorSpec& spec : model.inputs()) {
    if (seen.count(spec.name) == 0 && !spec.optional) faults->Add("input '" + spec.name + "' is missing");
  }
}

int64_t Classes(const Parameters& parameters, const std::string& of, RequestFaults* faults) {
  const auto found = parameters.find("classification");
  if (found == parameters.end()) return 0;
  if (found->second.int64_param() > 0) return found->second.int64_param();
  faults->Add(of + "parameter 'classification' is not a number of classes");
  return 0;
}

void ParseOutputs(const ModelInferRequest& message, const Session& model, const SharedMemory* shared,
                  InferRequest* request, RequestFaults* faults) {
  const auto add = [&](const TensorSpec& spec, int64_t classes, std::optional<SharedPlace> place = std::nullopt) {
    if (CanTravel(spec)) return request->outputs.push_back({spec.name, true, classes, std::move(place)});
    faults->Add(
        fmt::format("output '{}' is of type {}, which cannot be sent over this protocol", spec.name, TypeOf(spec)));
  };
  if (message.outputs_size() == 0) {
    for (const TensorSpec& spec : model.outputs()) add(spec, 0);
  }
  std::set<std::string> seen;
  for (const auto& output : message.outputs()) {
    const std::string of = "output '" + Short(output.name()) + "': ";
    const TensorSpec* spec = FindSpec(model.outputs(), output.name());
    if (spec == nullptr) {
      faults->Add(of + "the model has no such output; it has " + NamesOf(model.outputs()));
    } else if (!seen.insert(output.name()).second) {
      faults->Add(of + "asked for twice");
    } else {
      RefuseParameters(output.parameters(), of, faults);
      std::optional<SharedPlace> place;
      if (InSharedMemory(output.parameters())) place = PlaceOf(output.parameters(), false, shared, of, faults);
      add(*spec, Classes(output.parameters(), of, faults), std::move(place));
    }
  }
}

}  // namespace

Result<InferRequest> ParseGrpcRequest(const ModelInferRequest& message, const Session& model,
                                      const SharedMemory* shared) {
  InferRequest request;
  RequestFaults faults;
  request.id = message.id();
  RefuseParameters(message.parameters(), "", &faults);
  request.timeout_us =
      NumberParameter(message.parameters(), kTimeoutParameter, "", &faults, "a number of microseconds");
  NumberParameter(message.parameters(), kPriorityParameter, "", &faults, "a level");
  ParseInputs(message, model, shared, &request, &faults);
  ParseOutputs(message, model, shared, &request, &faults);
  TAMIS_RETURN_IF_ERROR(faults.status());
  return request;
}

Status MakeGrpcResponse(const InferRequest& request, const NamedTensors& outputs, const std::string& model,
                        const std::string& version, inference::ModelInferResponse* response) {
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> tensors, TensorsToSend(request, outputs));
  response->set_model_name(model);
  response->set_model_version(version);
  response->set_id(request.id);
  for (size_t i = 0; i < tensors.size(); ++i) {
    auto* output = response->add_outputs();
    output->set_name(request.outputs[i].name);
    output->set_datatype(std::string(KserveName(tensors[i].dtype())));
    for (const int64_t dim : tensors[i].dims()) output->add_shape(dim);
    std::string* bytes = response->add_raw_output_contents();
    if (const auto& place = request.outputs[i].place) {
      auto& parameters = *output->mutable_parameters();
      parameters["shared_memory_region"].set_string_param(place->region());
      parameters["shared_memory_offset"].set_int64_param(static_cast<int64_t>(place->offset()));
      parameters["shared_memory_byte_size"].set_int64_param(static_cast<int64_t>(BytesOf(tensors[i])));
      continue;
    }
    bytes->reserve(BytesOf(tensors[i]));
    AppendBytes(tensors[i], bytes);
  }
  return {};
}

}  // namespace tamis
