#include "src/onnx/attributes.h"

#include "src/onnx/tensor_proto.h"

namespace tamis {

using AttributeProto = onnx::AttributeProto;

AttributeProto::AttributeType TypeOf(const AttributeProto& proto) {
  if (proto.type() != AttributeProto::UNDEFINED) return proto.type();
  if (proto.has_f()) return AttributeProto::FLOAT;
  if (proto.has_i()) return AttributeProto::INT;
  if (proto.has_s()) return AttributeProto::STRING;
  if (proto.has_t()) return AttributeProto::TENSOR;
  if (proto.has_g()) return AttributeProto::GRAPH;
  if (proto.floats_size() > 0) return AttributeProto::FLOATS;
  if (proto.ints_size() > 0) return AttributeProto::INTS;
  if (proto.strings_size() > 0) return AttributeProto::STRINGS;
  if (proto.has_tp()) return AttributeProto::TYPE_PROTO;
  return AttributeProto::UNDEFINED;
}

Result<Attribute> ReadAttribute(AttributeProto* proto, ExternalData* external, bool* file_error) {
  *file_error = false;
  const auto type = TypeOf(*proto);
  switch (type) {
    case AttributeProto::FLOAT:
      return Attribute(proto->f());
    case AttributeProto::INT:
      return Attribute(proto->i());
    case AttributeProto::STRING:
      return Attribute(proto->s());
    case AttributeProto::FLOATS:
      return Attribute(std::vector<float>(proto->floats().begin(), proto->floats().end()));
    case AttributeProto::INTS:
      return Attribute(std::vector<int64_t>(proto->ints().begin(), proto->ints().end()));
    case AttributeProto::STRINGS:
      return Attribute(std::vector<std::string>(proto->strings().begin(), proto->strings().end()));
    case AttributeProto::TENSOR: {
      TAMIS_ASSIGN_OR_RETURN(Tensor tensor, ReadTensor(proto->mutable_t(), external, file_error));
      return Attribute(std::move(tensor));
    }
    case AttributeProto::SPARSE_TENSOR: {
      TAMIS_ASSIGN_OR_RETURN(Tensor tensor, ReadSparseTensor(proto->mutable_sparse_tensor(), external, file_error));
      return Attribute(std::move(tensor));
    }
    default:
      break;
  }
  return UserError("type {} is not supported", AttributeProto::AttributeType_Name(type));
}

namespace {

struct Writer {
  AttributeProto* proto;

  void operator()(int64_t value) const {
    proto->set_type(AttributeProto::INT);
    proto->set_i(value);
  }
  void operator()(float value) const {
    proto->set_type(AttributeProto::FLOAT);
    proto->set_f(value);
  }
  void operator()(const std::string& value) const {
    proto->set_type(AttributeProto::STRING);
    proto->set_s(value);
  }
  void operator()(const Tensor& value) const {
    proto->set_type(AttributeProto::TENSOR);
    WriteTensor("", value, proto->mutable_t());
  }
  void operator()(const std::vector<int64_t>& values) const {
    proto->set_type(AttributeProto::INTS);
    proto->mutable_ints()->Add(values.begin(), values.end());
  }
  void operator()(const std::vector<float>& values) const {
    proto->set_type(AttributeProto::FLOATS);
    proto->mutable_floats()->Add(values.begin(), values.end());
  }
  void operator()(const std::vector<std::string>& values) const {
    proto->set_type(AttributeProto::STRINGS);
    for (const std::string& value : values) proto->add_strings(value);
  }
};

}  // namespace

void WriteAttribute(const std::string& name, const Attribute& attribute, AttributeProto* proto) {
  proto->set_name(name);
  std::visit(Writer{proto}, attribute);
}

}  // namespace tamis
