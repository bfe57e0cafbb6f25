#include "src/grpc/grpc_request.h"

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

void ParseInputs(const ModelInferRequest& message, const Session& model, InferRequest* request, RequestFaults* faults) {
  const bool raw = message.raw_input_contents_size() > 0;
  if (raw && message.raw_input_contents_size() != message.inputs_size()) {
    faults->Add(fmt::format("raw_input_contents are {} for {} inputs; they are for all inputs or none",
                            message.raw_input_contents_size(), message.inputs_size()));
    return;
  }
  std::set<std::string> seen;
  for (int i = 0; i < message.inputs_size(); ++i) {
    const auto& input = message.inputs(i);
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
    if (raw && input.has_contents()) {
      faults->Add(of + "has both contents and raw_input_contents");
      continue;
    }
    const Dims dims(input.shape().begin(), input.shape().end());
    auto tensor = raw ? TensorFromBytes(message.raw_input_contents(i), spec->dtype, dims)
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

void ParseOutputs(const ModelInferRequest& message, const Session& model, InferRequest* request,
                  RequestFaults* faults) {
  const auto add = [&](const TensorSpec& spec, int64_t classes) {
    if (CanTravel(spec)) return request->outputs.push_back({spec.name, true, classes});
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
      add(*spec, Classes(output.parameters(), of, faults));
    }
  }
}

}  // namespace

Result<InferRequest> ParseGrpcRequest(const ModelInferRequest& message, const Session& model) {
  InferRequest request;
  RequestFaults faults;
  request.id = message.id();
  RefuseParameters(message.parameters(), "", &faults);
  ParseInputs(message, model, &request, &faults);
  ParseOutputs(message, model, &request, &faults);
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
    bytes->reserve(BytesOf(tensors[i]));
    AppendBytes(tensors[i], bytes);
  }
  return {};
}

}  // namespace tamis
