// AttributeProto <-> Attribute. Graph attributes are regions and not handled here.
#pragma once

#include <onnx-ml.pb.h>

#include <string>

#include "src/ir/graph.h"
#include "src/onnx/external_data.h"
#include "tamis/status.h"

namespace tamis {

// The discriminator; files older than IR version 2 have none, and then it is the field that is filled.
onnx::AttributeProto::AttributeType TypeOf(const onnx::AttributeProto& proto);

// A sparse tensor becomes a dense one. Lists of tensors and types have no place in the IR and are an error.
Result<Attribute> ReadAttribute(onnx::AttributeProto* proto, ExternalData* external, bool* file_error);

void WriteAttribute(const std::string& name, const Attribute& attribute, onnx::AttributeProto* proto);

}  // namespace tamis
